"""Models fitted, saved and asked on the command line."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from conftest import curved
from sklearn.decomposition import PCA

import sk_autoencoder
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.__main__ import main
from sk_autoencoder._cli.writing import write, write_table

NAMES = list("abcdef")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def frame():
    # Of few digits: of all digits `read_csv` may miss the last bit.
    return pd.DataFrame(curved(60).round(6), columns=NAMES)


@pytest.fixture
def data(frame):
    frame.to_csv("data.csv", index=False)
    return "data.csv"


@pytest.fixture
def model(frame):
    fitted = AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), batch_size=8, max_epochs=5, random_state=0
    ).fit(frame)
    fitted.save("model.safetensors")
    return fitted


@pytest.fixture
def detector(frame):
    network = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_epochs=2)
    fitted = sk_autoencoder.AutoencoderOutlierDetector(network, random_state=0).fit(frame)
    fitted.save("detector.safetensors")
    return fitted


def run(*args):
    assert main(list(args)) == 0


def ask(command, *args, model="model.safetensors", output="out.csv"):
    """Run a command on a model, and return the table that it has written."""
    run(command, *args, "--model", model, "--output", output)
    return READERS[os.path.splitext(output)[1]](output)


READERS = {
    ".csv": pd.read_csv,
    ".json": lambda path: pd.read_json(path, precise_float=True),
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
    ".npy": lambda path: pd.DataFrame(np.load(path)),
}
SHORT = ("--max-epochs", "2")


def error_of(capsys, *args):
    """Return what a command that fails says, in one line, and that it has printed nothing else."""
    try:
        code = main(list(args))
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err


def test_fit_saves_what_the_estimator_would(data, frame, capsys):
    run("fit", data, "--save", "m.safetensors", "--n-components", "3", *SHORT)
    loaded = sk_autoencoder.load("m.safetensors")
    fitted = AutoencoderTransformer(3, max_epochs=2, random_state=0).fit(frame)
    # A file is read into memory laid out in another way, in which sums are taken in another order.
    np.testing.assert_allclose(loaded.transform(frame), fitted.transform(frame), rtol=1e-9)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "data.csv: 6 features; fitted on 60 rows"
    assert lines[-1] == f"wrote {os.path.abspath('m.safetensors')}"
    assert f"by PCA {fitted.pca_validation_score_:.4f}" in "".join(lines)


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("variational", sk_autoencoder.VariationalAutoencoderTransformer),
        ("detector", sk_autoencoder.AutoencoderOutlierDetector),
    ],
)
def test_fit_of_each_kind(data, kind, cls, capsys):
    run("fit", data, "--save", "m.safetensors", "--estimator", kind, "--n-components", "2", *SHORT)
    loaded = sk_autoencoder.load("m.safetensors")
    assert type(loaded) is cls
    fitted = getattr(loaded, "autoencoder_", loaded)
    assert fitted.n_components_ == 2
    assert fitted.max_epochs == 2


def test_fit_sets_parameters(data):
    args = (
        "--set",
        "whiten=true",
        "--set",
        "hidden_layer_sizes=[5, 4]",
        "--set",
        "activation=tanh",
    )
    run("fit", data, "--save", "m.safetensors", *args, *SHORT)
    loaded = sk_autoencoder.load("m.safetensors")
    assert (loaded.whiten, loaded.hidden_layer_sizes, loaded.activation) == (True, [5, 4], "tanh")


class Bar:
    """A progress bar that only counts."""

    def __init__(self):
        self.n_told = 0

    def setup(self, estimator, context):
        self.n_told += 1

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, **kwargs):
        pass


@pytest.mark.parametrize("args", [(), ("--standardize",), ("--estimator", "detector")])
def test_fit_on_a_terminal(data, frame, monkeypatch, args):
    bars = []
    monkeypatch.setattr(
        "sk_autoencoder._cli.fitting.progress_bar", lambda: bars.append(Bar()) or bars[-1]
    )
    run("fit", data, "--save", "m.skops", *args, *SHORT)
    loaded = skops.io.load("m.skops", trusted=sk_autoencoder.TRUSTED_TYPES)
    assert not getattr(loaded, "_skl_callbacks", None)
    ask("score", data, model="m.skops")
    if args == ():
        assert bars[0].n_told == 1


def test_detector_keeps_its_own_autoencoder(data, frame):
    run("fit", data, "--save", "a.safetensors", "--estimator", "detector")
    run("fit", data, "--save", "b.safetensors", "--estimator", "detector", "--max-epochs", "10")
    args = ("--set", "autoencoder__lr=0.001", "--n-components", "2")
    run("fit", data, "--save", "c.safetensors", "--estimator", "detector", *args)
    a, b, c = (sk_autoencoder.load(f"{name}.safetensors") for name in "abc")
    np.testing.assert_array_equal(a.score_samples(frame), b.score_samples(frame))
    network = c.autoencoder_
    assert (network.lr, network.n_components, network.early_stopping) == (0.001, 2, False)
    assert network.max_epochs == b.autoencoder_.max_epochs


def test_fit_behind_a_scaler(data, frame, capsys):
    run("fit", data, "--save", "m.skops", "--standardize", *SHORT)
    pipeline = skops.io.load("m.skops", trusted=sk_autoencoder.TRUSTED_TYPES)
    codes = ask("transform", data, model="m.skops")
    np.testing.assert_allclose(codes, pipeline.transform(frame), rtol=1e-12)
    back = ask("reconstruct", data, model="m.skops")
    expected = pipeline.inverse_transform(pipeline.transform(frame))
    np.testing.assert_allclose(back, expected, rtol=1e-6)
    assert list(back) == NAMES
    rows = ask("sample", "--n-samples", "200", model="m.skops")
    np.testing.assert_allclose(rows.mean(), frame.mean(), atol=0.5)


def test_compare_writes_nothing_where_one_of_its_files_cannot_be_made(data, monkeypatch, capsys):
    def fail(*args):
        raise ValueError("no model")

    monkeypatch.setattr("sk_autoencoder._cli.models.write_model", fail)
    files = ("--table", "t.json", "--output", "t.png", "--save", "m.skops")
    assert main(["compare", data, "--n-components", "2", *files, *SHORT]) == 2
    assert "no model" in capsys.readouterr().err
    assert os.listdir() == [data]


def test_compare_saves_a_scaler_by_skops(data):
    run("compare", data, "--standardize", "--n-components", "2", "--save", "m.skops", *SHORT)
    assert list(ask("transform", data, model="m.skops").shape) == [60, 2]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet", ".feather", ".npy"])
def test_tables_of_each_kind(data, frame, model, suffix):
    codes = ask("transform", data, output=f"out{suffix}")
    np.testing.assert_allclose(codes, model.transform(frame), rtol=1e-13)
    if suffix != ".npy":
        assert list(codes) == list(model.get_feature_names_out())


def test_reconstruct(data, frame, model, capsys):
    rows = ask("reconstruct", data)
    assert list(rows) == NAMES
    np.testing.assert_allclose(rows, model.reconstruct(frame), rtol=1e-12)
    error, score = model.reconstruction_error(frame).mean(), model.score(frame)
    assert f"mean reconstruction error {error:.4g}, score {score:.4f}" in capsys.readouterr().out


def test_score(data, frame, model):
    scores = ask("score", data)
    np.testing.assert_allclose(scores["score_samples"], model.score_samples(frame))
    np.testing.assert_allclose(scores["reconstruction_error"], model.reconstruction_error(frame))


def test_sample(model):
    rows = ask("sample", "--n-samples", "7", "--random-state", "3")
    np.testing.assert_allclose(rows, model.sample(7, random_state=3))
    assert list(rows) == NAMES


def test_outliers(data, frame, detector, capsys):
    table = ask("outliers", data, model="detector.safetensors")
    np.testing.assert_array_equal(table["predict"], detector.predict(frame))
    np.testing.assert_allclose(table["score_samples"], detector.score_samples(frame))
    np.testing.assert_allclose(table["decision_function"], detector.decision_function(frame))
    n_outliers = (detector.predict(frame) == -1).sum()
    assert f"{n_outliers} of the rows are outliers" in capsys.readouterr().out
    scores = ask("score", data, model="detector.safetensors")
    assert list(scores) == ["score_samples", "decision_function"]


def test_columns_are_found_by_name(frame, model, capsys):
    other = frame[NAMES[::-1]].assign(label="x", more=1.0)
    other.to_csv("other.csv", index=False)
    codes = ask("transform", "other.csv")
    np.testing.assert_allclose(codes, model.transform(frame), rtol=1e-12)
    note = "left out, as the model has no such column: 'label', 'more'"
    assert note in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_names_of_rows_are_kept(frame, model, suffix):
    named = frame.set_axis([f"row {i}" for i in range(60)]).rename_axis("name")
    named = named.reset_index()
    {
        ".csv": lambda: named.to_csv("n.csv", index=False),
        ".parquet": lambda: named.to_parquet("n.parquet"),
        ".xlsx": lambda: named.to_excel("n.xlsx", index=False),
    }[suffix]()
    codes = ask("transform", f"n{suffix}")
    assert list(codes["name"]) == list(named["name"])
    np.testing.assert_allclose(codes.iloc[:, 1:], model.transform(frame), rtol=1e-6)


@pytest.mark.parametrize("n_rows", [1, 60])
@pytest.mark.parametrize("header", [True, False])
def test_names_of_rows_may_be_equal(frame, capsys, n_rows, header):
    named = frame.copy()
    named.insert(0, "name", [f"row {i}" for i in range(60)])
    named.to_csv("named.csv", index=False, header=header)
    run("fit", "named.csv", "--save", "model.safetensors", *SHORT)
    named["name"] = "the same"
    named[:n_rows].to_csv("n.csv", index=False, header=header)
    codes = ask("transform", "n.csv", *([] if header else ["--no-header"]))
    assert list(codes.iloc[:, 0]) == ["the same"] * n_rows
    assert codes.shape == (n_rows, 3)


@pytest.mark.parametrize("args", [(), ("--drop-non-numeric",)])
def test_columns_without_names_that_fit_left_out(frame, args):
    frame["c"] = "x" if args else np.nan
    frame.to_csv("rows.csv", index=False, header=False)
    run("fit", "rows.csv", "--no-header", "--save", "model.safetensors", *args, *SHORT)
    codes = ask("transform", "rows.csv", "--no-header")
    assert codes.shape == (60, 2)
    assert list(ask("reconstruct", "rows.csv", "--no-header")) == ["0", "1", "3", "4", "5"]


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize(
    "index",
    [
        pd.Index(range(5, 65)),
        pd.to_timedelta(range(60), unit="h"),
        pd.period_range("2020-01", periods=60, freq="M"),
        pd.date_range("2020-01-01", periods=60),
        pd.MultiIndex.from_arrays([["a"] * 60, range(60)]),
        pd.Index([1, "a"] * 30),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet", ".feather", ".npy"])
def test_each_kind_of_row_names_can_be_written(frame, model, monkeypatch, index, suffix):
    named = frame.set_axis(index, axis=0)
    Path("n.parquet").touch()
    with monkeypatch.context() as patched:
        patched.setattr(pd, "read_parquet", lambda *_, **__: named)
        run("transform", "n.parquet", "--model", "model.safetensors", "--output", f"o{suffix}")
    table = READERS[suffix](f"o{suffix}")
    assert table.shape == (60, 2 if suffix == ".npy" else 3)


def test_an_index_without_a_name_is_kept(frame, model):
    frame.set_axis(range(100, 160)).to_csv("i.csv")
    codes = ask("transform", "i.csv")
    assert list(codes["row"]) == list(range(100, 160))


def test_no_row_is_left_out(frame, model):
    frame.iloc[4] = np.nan
    frame.iloc[7, 2] = np.nan
    frame["e"] = np.nan  # which fit would leave out
    frame.to_csv("missing.csv", index=False)
    rows = ask("reconstruct", "missing.csv")
    assert len(rows) == 60
    np.testing.assert_allclose(rows, model.reconstruct(frame), rtol=1e-6, atol=1e-9)


def test_an_array_is_known_by_the_number_of_its_columns(frame, model, capsys):
    np.save("rows.npy", frame.to_numpy())
    codes = ask("transform", "rows.npy", output="out.npy")
    np.testing.assert_array_equal(codes, model.transform(frame))
    np.save("rows.npy", frame.to_numpy()[:, 1:])
    capsys.readouterr()
    args = ("--model", "model.safetensors", "--output", "out.csv")
    err = error_of(capsys, "transform", "rows.npy", *args)
    assert "rows.npy has 5 columns, but the model was fitted with 6" in err


def test_digits(capsys, monkeypatch):
    from sklearn import datasets

    X, y = datasets.load_digits(return_X_y=True)
    monkeypatch.setattr(datasets, "load_digits", lambda return_X_y: (X[:90], y[:90]))
    run("fit", "digits", "--save", "m.safetensors", "--n-components", "0.5", *SHORT)
    rows = ask("reconstruct", "digits", model="m.safetensors")
    assert rows.shape == (90, 64)
    assert list(rows)[:2] == ["x0", "x1"]


@pytest.mark.sampled(every=2)
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["transform", "data.csv"], "the following arguments are required: --model, --output"),
        (["fit", "data.csv"], "the following arguments are required: --save"),
        (["transform"], "the following arguments are required: DATA, --model, --output"),
        (["fit", "data.csv", "--save", "m.joblib"], "does not end in .safetensors, .skops"),
        (
            ["fit", "data.csv", "--save", "m.safetensors", "--standardize"],
            "and not the scaler of --standardize; choose a file that ends in .skops",
        ),
        (["fit", "data.csv", "--save", "m.skops", "--set", "whiten"], "'whiten' sets no parameter"),
        (
            ["fit", "data.csv", "--save", "m.skops", "--set", "depth=3"],
            "--set cannot be done: Invalid parameter 'depth'",
        ),
        (
            ["fit", "data.csv", "--save", "m.skops", "--n-components", "1.5"],
            "'1.5' is neither a wh",
        ),
        (
            ["fit", "data.csv", "--save", "no/m.skops"],
            "--save no/m.skops cannot be written: No such",
        ),
        (["fit", "none.csv", "--save", "m.skops"], "none.csv is not there"),
        (["fit", "data.csv", "--save", "m.skops", "--estimator", "pca"], "invalid choice: 'pca'"),
        (["transform", "data.csv", "M", "o.txt"], "--output o.txt does not end in .csv, .json"),
        (["transform", "data.csv", "M", "data.csv"], "--output data.csv is the data itself"),
        (["transform", "data.csv", "none.skops", "o.csv"], "--model none.skops is not there"),
        (["transform", "data.csv", "data.csv", "o.csv"], "data.csv does not end in .safetensors"),
        (["transform", "data.csv", "bad.safetensors", "o.csv"], "bad.safetensors cannot be read"),
        (["transform", "data.csv", "bad.skops", "o.csv"], "--model bad.skops cannot be read"),
        (["transform", "data.csv", "pca.skops", "o.csv"], "holds a PCA, which is no model of ours"),
        (["transform", "data.csv", "unfitted.safetensors", "o.csv"], "is not fitted yet"),
        (["outliers", "data.csv", "M", "o.csv"], "M.safetensors has no threshold for outliers"),
        (["transform", "data.csv", "D", "o.csv"], "is a detector, which gives no codes"),
        (["reconstruct", "data.csv", "D", "o.csv"], "a detector, which gives no reconstructions"),
        (["sample", "D", "o.csv"], "is a detector, which gives no new rows"),
        (["transform", "fewer.csv", "M", "o.csv"], "fewer.csv lacks columns that the model was"),
        (["transform", "text.csv", "M", "o.csv"], "its first cell that is no number is 'x' in row"),
        (
            ["transform", "infinite.csv", "M", "o.csv"],
            "infinite.csv has infinite cells: 1 in",
        ),
        (["score", "empty.csv", "M", "o.csv"], "empty.csv is empty"),
    ],
)
def test_wrong_use(data, frame, model, detector, capsys, args, message):
    os.replace("model.safetensors", "M.safetensors")
    os.replace("detector.safetensors", "D.safetensors")
    write_wrong_files(frame)
    before = contents()
    if args[0] != "fit" and len(args) > 2:
        *rest, name, output = args
        name = f"{name}.safetensors" if name in ("M", "D") else name
        args = [*rest, "--model", name, "--output", output]

    assert message in error_of(capsys, *args)

    assert contents() == before


def contents():
    """Return the files of this folder by name."""
    return {path.name: path.read_bytes() for path in Path().iterdir()}


def write_wrong_files(frame):
    Path("bad.safetensors").write_bytes(b"nothing" * 20)
    Path("bad.skops").write_bytes(b"nothing" * 20)
    skops.io.dump(PCA().fit(frame), "pca.skops")
    AutoencoderTransformer().save("unfitted.safetensors")
    frame.drop(columns="c").to_csv("fewer.csv", index=False)
    frame.astype(object).assign(b="x").to_csv("text.csv", index=False)
    infinite = frame.copy()
    infinite.loc[3, "d"] = np.inf
    infinite.to_csv("infinite.csv", index=False)
    frame[:0].to_csv("empty.csv", index=False)


def test_a_command_without_skops(data, frame, model, monkeypatch, capsys):
    skops.io.dump(model, "m.skops")
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    args = ("--model", "m.skops", "--output", "o.csv")
    assert "Run: pip install skops" in error_of(capsys, "transform", data, *args)
    assert "Run: pip install skops" in error_of(capsys, "fit", data, "--save", "n.skops")


class Evil:
    def __reduce__(self):
        return os.system, ("touch was_run",)


def test_code_in_a_model_is_not_run(data, capsys):
    import joblib

    joblib.dump(Evil(), "evil.safetensors")
    args = ("--model", "evil.safetensors", "--output", "o.csv")
    assert "cannot be read" in error_of(capsys, "transform", data, *args)
    skops.io.dump(Evil(), "evil.skops")
    args = ("--model", "evil.skops", "--output", "o.csv")
    assert "cannot be read" in error_of(capsys, "transform", data, *args)
    assert not os.path.exists("was_run")


def test_json_is_a_list_of_rows(data, model):
    ask("transform", data, output="out.json")
    rows = json.loads(Path("out.json").read_text())
    assert len(rows) == 60
    assert list(rows[0]) == list(model.get_feature_names_out())


def test_json_has_all_digits_of_small_numbers():
    table = pd.DataFrame(
        {
            "float64": [1e-3 / 7, -1e-9 / 3, np.nan],
            "float32": np.float32([0.1, 1e-6, 3]),
            "int": [1, 2, 3],
            "infinite": [np.inf, 0.5, -np.inf],
            "time": pd.to_datetime(["2026-01-02 03:04", None, "2026-01-03 00:00"]),
            "text": ["a", None, "\u00e9"],
        }
    )
    write(Path("out.json"), lambda file: write_table(table, Path("out.json"), file))
    rows = json.loads(Path("out.json").read_text())
    assert [row["float64"] for row in rows] == [1e-3 / 7, -1e-9 / 3, None]
    assert [np.float32(row["float32"]) for row in rows] == table["float32"].tolist()
    assert [row["int"] for row in rows] == [1, 2, 3]
    assert [row["infinite"] for row in rows] == [None, 0.5, None]
    assert [row["time"] for row in rows] == ["2026-01-02T03:04:00", None, "2026-01-03T00:00:00"]
    assert [row["text"] for row in rows] == ["a", None, "\u00e9"]


def test_signal_while_a_table_is_written_leaves_nothing(data, model, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", interrupted)
    assert main(["transform", data, "--model", "model.safetensors", "--output", "o.csv"]) == 130
    assert sorted(os.listdir()) == ["data.csv", "model.safetensors"]
