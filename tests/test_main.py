"""The command line: what it prints and writes, and its one-line errors."""

import errno
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import datasets as sklearn_datasets

import sk_autoencoder
from sk_autoencoder import _comparison, datasets
from sk_autoencoder.__main__ import main
from sk_autoencoder._cli import report as _report

FAST = ("--max-epochs", "1", "--n-components", "1", "2")


@pytest.fixture
def frame(X):
    return pd.DataFrame(X, columns=list("abcdef"))


@pytest.fixture
def data(frame, tmp_path):
    path = tmp_path / "data.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def small_digits(monkeypatch):
    X, y = sklearn_datasets.load_digits(return_X_y=True)
    monkeypatch.setattr(sklearn_datasets, "load_digits", lambda return_X_y: (X[:80], y[:80]))
    return X[:80]


def run(*args):
    return main(["compare", *map(str, args)])


def error_of(capsys, *args):
    """Run what must fail, and give its only line."""
    try:
        code = run(*args)
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("python -m sk_autoencoder compare: error: ")
    return err


def rows_of(out):
    """Cells of the printed table, without its heading."""
    lines = [line.split() for line in out.partition("  components ")[2].splitlines()]
    return [cells for cells in lines if cells and cells[0].isdigit()]


@pytest.mark.quick
def test_prints_the_table(data, capsys):
    assert run(data, "--n-components", 1, 3, "--max-epochs", 1, "--test-size", "0.3") == 0

    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(
        "data.csv: 6 features; fitted on 84 rows, errors of 36 held-out rows\n\n"
        "  components       method        error  explained variance     fit time  transform time\n"
    )
    table = _comparison.compare_with_pca(
        pd.read_csv(data),
        (1, 3),
        estimator=sk_autoencoder.AutoencoderTransformer(max_epochs=1),
        test_size=0.3,
        random_state=0,
    )
    rows = rows_of(out)
    assert [row[:4] for row in rows] == [
        [f"{k}", method, f"{error:#.4g}", f"{share:.4f}"]
        for k, method, error, share in table.iloc[:, :4].itertuples(index=False)
    ]
    assert all(row[5] == "s" and row[7] == "ms" for row in rows)


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".parquet", ".npy"])
def test_files_of_each_kind_give_the_same(frame, tmp_path, capsys, suffix):
    path = tmp_path / f"table{suffix}"
    if suffix == ".npy":
        np.save(path, frame.to_numpy())
    elif suffix == ".parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)

    assert run(path, *FAST) == 0

    expected = _comparison.compare_with_pca(
        frame.to_numpy(),
        (1, 2),
        estimator=sk_autoencoder.AutoencoderTransformer(max_epochs=1),
        random_state=0,
    )
    errors = [row[2] for row in rows_of(capsys.readouterr().out)]
    assert errors == [f"{error:#.4g}" for error in expected["error"]]


def test_digits_are_the_default(small_digits, capsys, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    draw, drawn = _report.draw_report, []

    def noting(comparison, title, image_shape):
        drawn.append((title, image_shape))
        return draw(comparison, title, image_shape)

    monkeypatch.setattr(_report, "draw_report", noting)

    assert run(*FAST, "--output", tmp_path / "report.png") == 0

    assert capsys.readouterr().out.startswith("digits: 64 features; fitted on 60 rows")
    assert drawn == [("PCA and autoencoder on digits", (8, 8))]
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_fashion_mnist_takes_both_parts(monkeypatch, capsys):
    sizes = {"train": 40, "test": 20}
    rng = np.random.RandomState(0)

    def load(subset):
        return rng.uniform(size=(sizes[subset], 784)).astype(np.float32), np.zeros(sizes[subset])

    monkeypatch.setattr(datasets, "load_fashion_mnist", load)
    assert run("fashion-mnist", *FAST, "--test-size", 15) == 0
    assert capsys.readouterr().out.startswith(
        "Fashion-MNIST: 784 features; fitted on 45 rows, errors of 15 held-out rows"
    )


@pytest.mark.quick
def test_nothing_is_written_unasked(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(data, *FAST) == 0
    assert os.listdir(tmp_path) == ["data.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_writes_all_that_is_asked_for(data, frame, tmp_path, capsys, suffix):
    pytest.importorskip("matplotlib")
    picture, table, model = (tmp_path / n for n in ("r.svg", f"t{suffix}", "m.joblib"))

    assert run(data, *FAST, "--output", picture, "--table", table, "--save", model) == 0

    out = capsys.readouterr().out
    assert out.endswith(f"wrote {picture}\nwrote {table}\nwrote {model}\n")
    assert b"<svg" in picture.read_bytes()
    text = table.read_text()
    written = pd.read_csv(table) if suffix == ".csv" else pd.DataFrame(json.loads(text))
    assert [f"{error:#.4g}" for error in written["error"]] == [row[2] for row in rows_of(out)]
    assert text.endswith("\n")
    loaded = joblib.load(model)
    assert loaded.transform(frame).shape == (120, 2)
    assert sorted(os.listdir(tmp_path)) == sorted(["data.csv", "r.svg", table.name, "m.joblib"])


@pytest.mark.quick
def test_a_standardized_model_is_saved_with_its_scaler(data, frame, tmp_path, capsys):
    model = tmp_path / "model.joblib"
    assert run(data, *FAST, "--standardize", "--save", model) == 0
    assert "6 features, standardized; fitted on" in capsys.readouterr().out
    pipeline = joblib.load(model)
    codes = pipeline.transform(frame)
    shifted = pipeline[0].transform(frame)
    np.testing.assert_array_equal(codes, pipeline[-1].transform(shifted))


def test_a_model_is_saved_so_that_it_loads_without_code(data, frame, tmp_path, capsys):
    model = tmp_path / "model.safetensors"
    assert run(data, *FAST, "--save", model) == 0
    assert f"wrote {model}" in capsys.readouterr().out
    loaded = sk_autoencoder.load(model)
    assert loaded.n_components_ == 2
    assert list(loaded.feature_names_in_) == list(frame)
    assert loaded.transform(frame).shape == (len(frame), 2)


def test_a_scaler_is_not_saved_there(data, tmp_path, capsys):
    model = tmp_path / "model.safetensors"
    told = error_of(capsys, data, *FAST, "--standardize", "--save", model)
    assert "holds an autoencoder alone" in told
    assert not model.exists()


def test_random_state(data, capsys):
    def errors(seed):
        assert run(data, *FAST, "--random-state", seed) == 0
        return [row[:4] for row in rows_of(capsys.readouterr().out)]

    assert errors(1) == errors(1) != errors(2)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_bar_on_a_terminal_only(data, capsys, monkeypatch, terminal):
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert run(data, *FAST) == 0
    assert ("AutoencoderTransformer - fit" in capsys.readouterr().out) == terminal


def test_no_progress_bar_without_rich(data, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run(data, *FAST) == 0
    assert "AutoencoderTransformer - fit" not in capsys.readouterr().out


@pytest.mark.quick
def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"sk-autoencoder {sk_autoencoder.__version__}\n"


def test_help_of_the_module():
    command = [sys.executable, "-W", "error", "-m", "sk_autoencoder", "compare", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    for option in ("DATA", "--n-components K", "--output FILE", "--table FILE", "--save FILE"):
        assert option in done.stdout


def test_parsing_loads_neither_torch_nor_numpy():
    """What --help needs, without the package's own imports."""
    code = (
        "import sys, types, importlib.machinery, importlib.util\n"
        f"path = {list(sk_autoencoder.__path__)!r}\n"
        "package = types.ModuleType('sk_autoencoder')\n"
        "package.__path__, package.__version__ = path, '0'\n"
        "sys.modules['sk_autoencoder'] = package\n"
        "from sk_autoencoder.__main__ import main\n"
        "assert main(['compare', 'missing.csv']) == 2\n"
        "assert not {'torch', 'numpy', 'pandas', 'sklearn'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.quick
@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["missing.csv"], "missing.csv is not there"),
        (["data.txt"], "data.txt is no data that can be read; expected digits, fashion-mnist or"),
        (["data.csv", "--sep", "ab"], "'ab' separates no fields; expected a character such as ;"),
        (["data.csv", "--sep", "x"], "'x' separates no fields"),
        (["data.csv", "--decimal", ";"], "--decimal: invalid choice: ';'"),
        (["digits", "--sep", ";"], "--sep cannot be said of digits"),
        (["--n-components", "2", "data.csv"], "'data.csv' is no number; put DATA before the opt"),
        (["--n-components", "2", "digits"], "'digits' is no number; put DATA before the options"),
        (["digit"], "digit is no data that can be read"),
        (["folder.csv"], "folder.csv is not a file"),
        (["data.csv", "--n-components", "7"], "n_components has 7, but can be at most 6"),
        (["data.csv", "--n-components", "0"], "'0' is not a whole number from 1 on"),
        (["data.csv", "--n-components", "two"], "'two' is not a whole number from 1 on"),
        (["data.csv", "--test-size", "1.5"], "'1.5' is neither a share between 0 and 1 nor"),
        (["data.csv", "--test-size", "nan"], "'nan' is neither a share"),
        (["data.csv", "--test-size", "0"], "'0' is neither a share"),
        (["data.csv", "--test-size", "a"], "'a' is neither a share"),
        (["data.csv", "--test-size", "120"], "test_size=120 should be"),
        (["data.csv", "--random-state", "-1"], "random-state"),
        (["data.csv", "--random-state", str(2**32)], "is not a whole number from 0 to"),
        (["data.csv", "--max-epochs", "0"], "'0' is not a whole number from 1 on"),
        (["data.csv", "--table", "t.txt"], "--table t.txt does not end in .csv, .json"),
        (
            ["data.csv", "--save", "m.pkl"],
            "--save m.pkl does not end in .safetensors, .skops, .joblib",
        ),
        (["data.csv", "--table", "none/t.csv"], "--table none/t.csv cannot be written: No such"),
        (["data.csv", "--table", "folder.csv"], "--table folder.csv cannot be written"),
        (["data.csv", "--table", "data.csv"], "--table data.csv is the data itself"),
    ],
)
def test_wrong_use(data, tmp_path, monkeypatch, capsys, args, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.setattr(_comparison, "_Judge", lambda *args: pytest.fail("it came to a fit"))
    before = data.read_bytes()

    assert match in error_of(capsys, *args)

    assert data.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["data.csv", "folder.csv"]


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ([], "a command is missing: compare, fit, transform, reconstruct, score, sample, "),
        (["iris.csv"], "Did you mean: python -m sk_autoencoder compare iris.csv\n"),
        (["my data.csv", "--standardize"], "compare 'my data.csv' --standardize\n"),
        (["--n-components", "2"], "sk_autoencoder compare --n-components 2\n"),
        (["compair", "iris.csv"], "Did you mean: python -m sk_autoencoder compare iris.csv\n"),
        (["-x"], "-x is no command, and one has to come first: compare"),
    ],
)
def test_no_command(capsys, args, match):
    with pytest.raises(SystemExit, match="2"):
        main(args)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert match in err
    assert "invalid choice" not in err


@pytest.mark.quick
@pytest.mark.parametrize("option", ["-h", "--help", "--he"])
def test_help_comes_without_a_command(capsys, option):
    with pytest.raises(SystemExit, match="0"):
        main([option])
    assert "compare an autoencoder with PCA" in capsys.readouterr().out


def test_the_script(data, capsys, monkeypatch):
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"sk-autoencoder": "sk_autoencoder.__main__:main"}

    monkeypatch.setattr(sys, "argv", ["/usr/bin/sk-autoencoder", "compare", "missing.csv"])
    assert main() == 2
    assert capsys.readouterr().err == "sk-autoencoder compare: error: missing.csv is not there\n"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/sk-autoencoder", "data.csv"])
    with pytest.raises(SystemExit):
        main()
    assert "Did you mean: sk-autoencoder compare data.csv\n" in capsys.readouterr().err


def test_picture_without_matplotlib(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = error_of(capsys, data, "--output", tmp_path / "r.png")
    assert "--output needs matplotlib, which is not installed. Run: pip install" in message


def test_a_fit_that_diverges(data, monkeypatch, capsys):
    def run_comparison(*args, **kwargs):
        raise ValueError("The fit diverged.\nLower lr.")

    monkeypatch.setattr(_comparison, "run_comparison", run_comparison)
    assert "error: The fit diverged. Lower lr.\n" in error_of(capsys, data)


@pytest.mark.quick
def test_interrupt(data, tmp_path, monkeypatch, capsys):
    def run_comparison(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_comparison, "run_comparison", run_comparison)
    table = tmp_path / "t.csv"
    table.write_text("old")
    assert run(data, "--table", table) == 130
    assert capsys.readouterr() == ("", "python -m sk_autoencoder: interrupted\n")
    assert table.read_text() == "old"


def test_the_default_sizes_fit_the_table(data, capsys):
    assert run(data, "--max-epochs", 1) == 0
    assert [row[0] for row in rows_of(capsys.readouterr().out)] == ["2", "2"]


@pytest.mark.parametrize("options", [[], ["--sep", ";", "--decimal", ","]])
def test_decimal_commas_give_the_same_table(frame, data, tmp_path, capsys, options):
    assert run(data, *FAST) == 0
    expected = rows_of(capsys.readouterr().out)
    frame.to_csv(tmp_path / "german.csv", sep=";", decimal=",", index=False)

    assert run(tmp_path / "german.csv", *FAST, *options) == 0

    out = capsys.readouterr().out
    assert [row[:4] for row in rows_of(out)] == [row[:4] for row in expected]
    assert ("\nread with --sep ';' --decimal ','\n\n" in out) == (not options)


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".xlsx", ".feather"])
def test_missing_cells_are_told_of(frame, tmp_path, capsys, suffix):
    pytest.importorskip({".xlsx": "openpyxl", ".feather": "pyarrow"}.get(suffix, "numpy"))
    frame.iloc[::7, 2] = np.nan
    path, table, model = (tmp_path / name for name in (f"t{suffix}", "table.csv", "m.joblib"))
    match suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".npy":
            np.save(path, frame.to_numpy())
        case ".xlsx":
            frame.to_excel(path, index=False)
        case ".feather":
            frame.to_feather(path)

    assert run(path, *FAST, "--table", table, "--save", model) == 0

    out = capsys.readouterr().out
    assert "\n18 of 720 cells are missing: PCA is fitted on imputed rows (the mean" in out
    assert [row[1] for row in rows_of(out)] == ["imputed", "autoencoder"] * 2
    assert pd.read_csv(table)["method"].tolist() == ["imputed PCA", "autoencoder"] * 2
    rows = frame.to_numpy() if suffix == ".npy" else frame
    assert np.isfinite(joblib.load(model).transform(rows)).all()


@pytest.mark.quick
def test_columns_that_are_not_numeric_are_left_out(frame, tmp_path, capsys):
    path = tmp_path / "t.csv"
    frame.assign(kind=["u", "v"] * 60, id=[f"r{i}" for i in range(120)])[
        ["id", *frame.columns, "kind"]
    ].to_csv(path, index=False)
    assert "'kind': its first cell that is no number is 'u' in row 0" in error_of(
        capsys, path, *FAST
    )

    assert run(path, *FAST, "--drop-non-numeric", "--save", tmp_path / "m.joblib") == 0

    assert (
        "t.csv: 6 features; fitted on 90 rows, errors of 30 held-out rows\n"
        "column 'id' is taken for the names of the rows, no feature\n"
        "left out as not numeric: 'kind'\n\n"
    ) in capsys.readouterr().out
    model = joblib.load(tmp_path / "m.joblib")
    assert list(model.feature_names_in_) == list(frame.columns)


@pytest.mark.parametrize(
    ("suffix", "name"), [(".csv", "'c'"), (".npy", "number 2"), (".parquet", "'c'")]
)
def test_a_column_with_nearly_all_the_variance_is_told_of(frame, tmp_path, capsys, suffix, name):
    pytest.importorskip("pyarrow" if suffix == ".parquet" else "numpy")
    frame["c"] *= 1000
    path = tmp_path / f"t{suffix}"
    match suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".npy":
            np.save(path, frame.to_numpy(np.float32))
        case ".parquet":
            frame.to_parquet(path)
    hint = (
        f"column {name} holds 99.99 % of the variance, so that the errors are mostly its own; --st"
    )

    assert run(path, *FAST) == 0
    assert hint in capsys.readouterr().out
    assert run(path, *FAST, "--standardize") == 0
    assert "of the variance, so" not in capsys.readouterr().out


class Full(io.StringIO):
    """A place to print to without room."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def flush(self):
        if self.getvalue():
            raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("stdout", "code", "message"),
    [
        (None, 1, "the output cannot be printed: it is closed. wrote "),
        (Full(errno.ENOSPC), 1, "the output cannot be printed: No space left on device. wrote "),
        (Full(errno.EPIPE), 0, ""),
    ],
)
def test_files_are_written_where_nothing_can_be_printed(
    data, tmp_path, capsys, monkeypatch, stdout, code, message
):
    monkeypatch.setattr(sys, "stdout", stdout)
    model = tmp_path / "m.joblib"
    assert run(data, *FAST, "--save", model) == code
    assert joblib.load(model).n_components_ == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == bool(message)


COMMAND = f"{sys.executable} -W error -m sk_autoencoder compare"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirection", "code", "message"),
    [
        (">&-", 1, "the output cannot be printed: it is closed. wrote "),
        ("> /dev/full", 1, "the output cannot be printed: No space left on device. wrote "),
        ("| head -n 1", 0, ""),
        (">&- 2>&-", 1, ""),
    ],
)
def test_standard_output_of_a_process(data, tmp_path, redirection, code, message):
    model = tmp_path / "m.joblib"
    command = f"set -o pipefail; {COMMAND} {data} {' '.join(FAST)} --save {model} {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("\n") == bool(message)
    assert joblib.load(model).n_components_ == 2


@pytest.mark.parametrize(
    ("redirection", "code"), [("| true", 0), ("> /dev/full", 1), (">&- 2>&-", 1)]
)
def test_standard_output_of_help(redirection, code):
    command = f"set -o pipefail; {COMMAND} --help {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert "Exception" not in done.stderr


STOPPED = """
import os, signal, sys
import joblib
from sk_autoencoder.__main__ import main

def dump(model, file):
    file.write(b"half")
    file.flush()
    print(sorted(os.listdir()), flush=True)
    os.kill(os.getpid(), int(sys.argv[1]))

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where tests run unattended
joblib.dump = dump
sys.exit(main(["compare", *sys.argv[2:]]))
"""


@pytest.mark.sampled(only=["SIGTERM"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_no_temporary_file(data, tmp_path, name):
    (tmp_path / "m.joblib").write_text("old")
    number = getattr(signal, name)
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number)), data, *FAST, "--save", "m.joblib"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(sk_autoencoder.__file__).parents[1])},
    )
    assert ".m.joblib." in done.stdout  # it was being written
    assert done.returncode == 128 + number
    assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["data.csv", "m.joblib"]
    assert (tmp_path / "m.joblib").read_text() == "old"


def test_memory_that_does_not_suffice(data, monkeypatch, capsys):
    def run_comparison(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(_comparison, "run_comparison", run_comparison)
    assert "error: the memory does not suffice. Pass fewer rows" in error_of(capsys, data)
