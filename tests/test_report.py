"""The page that `sk-autoencoder compare --report` writes."""

import re
import sys
from html import unescape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import curved

from sk_autoencoder.__main__ import main
from sk_autoencoder._comparison import run_comparison
from sk_autoencoder._report.measures import Measures
from sk_autoencoder._report.page import Words, page
from sk_autoencoder._report.verdict import verdict
from sk_autoencoder._transformer import AutoencoderTransformer

WORDS = Words("a < b", "rows", ("a note",), "import this", "a machine")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def frame():
    X = np.hstack([curved(120), curved(120, seed=1)[:, :2]])
    names = [f"bottle {i}" for i in range(len(X))]
    return pd.DataFrame(X, columns=["a", "<b>b</b>", "c", "d", "e", "f", "g", "h"], index=names)


def compared(X, n_components=(1, 2), **params):
    return Measures(
        run_comparison(
            X,
            n_components,
            estimator=AutoencoderTransformer(max_epochs=20),
            test_size=0.25,
            random_state=0,
            **params,
        )
    )


@pytest.fixture(scope="module")
def measures(frame):
    return compared(frame)


def written(*args):
    assert main(["compare", *args, "--report", "report.html", "--max-epochs", "2"]) == 0
    with open("report.html", encoding="utf-8") as file:
        return file.read()


def code_of(html):
    return unescape(re.search(r"<pre><code>(.*?)</code></pre>", html, re.S)[1])


def test_the_page_needs_no_network(measures):
    html = page(measures, WORDS)
    told = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert "a &lt; b" in told
    assert "a note" in told
    assert "a machine" in told
    assert not re.search(r'(src|href)="', told)
    assert "<script" in html
    assert 'src="http' not in html
    assert "<b>b</b>" not in told  # is no tag
    for name in ("curve", "features", "planes"):
        assert f'id="{name}"' in html


def test_curves_are_those_of_the_models(measures):
    pca = measures.pca_curve.set_index("n_components")["explained_variance"]
    for size in measures.sizes:
        assert pca[size] == pytest.approx(measures.explained("PCA", size), abs=1e-6)
    assert pca.is_monotonic_increasing
    assert pca.iloc[-1] == pytest.approx(1)
    for share in (0.3, 0.6, 0.9):
        needed = measures.pca_needs(share)
        assert measures.pca_explained(needed) >= share > measures.pca_explained(needed - 1)


def test_shares_of_features_add_up_to_that_of_all(measures):
    variance = np.square(measures.deviation).mean(axis=0)
    for method in ("PCA", "autoencoder"):
        found = (measures.feature_shares[method] * variance).sum() / variance.sum()
        assert found == pytest.approx(measures.explained(method, 2))
    saved = measures.explained("autoencoder", 2) - measures.explained("PCA", 2)
    assert measures.feature_shares["gain"].mean() == pytest.approx(saved)


def test_odd_rows_are_named_with_the_cells_to_blame(frame):
    spoiled = frame.copy()
    measures = compared(spoiled)
    place = int(np.flatnonzero(spoiled.index == measures.comparison.test_names[0])[0])
    spoiled.iloc[place, 4] += 20
    measures = compared(spoiled)
    worst = measures.odd_rows[0]
    assert worst.name == spoiled.index[place]
    assert worst.reasons[0].feature == "e"
    assert worst.reasons[0].value == pytest.approx(spoiled.iloc[place, 4])
    assert worst.error > 3


def test_cells_are_told_in_the_units_of_the_data(frame):
    measures = compared(frame * 1000 + 5, standardize=True)
    for row in measures.odd_rows[:3]:
        for reason in row.reasons:
            assert reason.value == pytest.approx((frame * 1000 + 5).loc[row.name, reason.feature])


class Told:
    """Measures of which only shares matter."""

    name, pca_name = "autoencoder", "PCA"

    def __init__(self, ours, pca, needed=5):
        self.ours, self.pca, self.needed, self.sizes = ours, pca, needed, list(ours)

    def explained(self, method, size):
        return (self.ours if method == self.name else self.pca)[size]

    def pca_needs(self, share):
        return self.needed


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            Told({2: 0.5, 8: 0.84}, {2: 0.45, 8: 0.66}, 19),
            "At 8 components the autoencoder explains .84 of the variance of rows that no fit has "
            "seen, PCA .66. PCA needs 19 for as much.",
        ),
        (Told({1: 0.9996}, {1: 0.5}), "At 1 component the autoencoder explains .9996 of"),
        (Told({2: 0.9}, {2: 0.5}, None), "PCA does not reach that with all of its components."),
        (Told({2: 0.5}, {2: 0.5}), "PCA will do."),
        (Told({2: 0.4}, {2: 0.5}), "PCA is ahead at each size: keep it."),
        (Told({2: -0.1}, {2: -0.3}), "explains -.10 of"),
        (Told({2: -10.23}, {2: -20.5}), "explains -10.23 of"),
        (Told({2: 0.9, 4: 0.8}, {2: 0.5, 4: 0.85}), "PCA needs 5 for as much. PCA is ahead at 4."),
    ],
)
def test_the_verdict(told, expected):
    assert expected in " ".join(verdict(told))


@pytest.mark.parametrize(
    "X",
    [
        np.where(curved(80) > 1.6, np.nan, curved(80)),
        np.hstack([curved(80), np.ones((80, 1))]),
        np.ones((20, 3)),
        curved(80)[:, :1],
    ],
    ids=["missing", "a constant feature", "constant", "one feature"],
)
def test_odd_tables_make_a_page(X):
    sizes = (1,) if X.shape[1] == 1 else (1, 2)
    html = page(compared(X, sizes), WORDS)
    assert "NaN" not in re.sub(r"<script.*?</script>", "", html, flags=re.S)


@pytest.mark.parametrize("others", [0.0, 5e-324], ids=["exactly", "nearly"])
def test_rows_are_told_where_most_come_back_exactly(others):
    measures = compared(curved(80))
    measures.row_errors = np.full(len(measures.rows), others)
    measures.row_errors[3] = 2.0
    assert measures.odd_rows[0].place == 3
    assert all(np.isfinite(row.error) for row in measures.odd_rows)


@pytest.mark.parametrize("standardize", [[], ["--standardize"]])
@pytest.mark.parametrize("test_size", ["1", "2"])
def test_one_row_held_out_makes_a_page(frame, test_size, standardize):
    frame.to_csv("data.csv", index=False)
    assert "The oddest rows" in written("data.csv", "--test-size", test_size, *standardize)


def test_rows_keep_their_names_where_one_is_empty(frame):
    frame = frame.copy()
    frame.iloc[3] = np.nan
    frame.to_csv("data.csv", index_label="name")
    html = written("data.csv", "--n-components", "1")
    names = re.findall(r"<tr><td>(bottle \d+)</td>.*?is ([-.\d]+), expected", html)
    assert len(names) > 3
    for name, value in names:
        told = f"{float(value):.4g}"
        assert told in [f"{cell:.4g}" for cell in frame.loc[name]]


@pytest.mark.parametrize("standardize", [[], ["--standardize"]])
def test_the_lines_of_python_repeat_the_table(frame, standardize):
    frame.to_csv("data.csv", sep=";", decimal=",", index_label="name")
    html = written("data.csv", "--n-components", "1", "2", "--table", "t.csv", *standardize)
    names = {}
    exec(code_of(html), names)  # what the page tells to run
    plt.close("all")
    told = pd.read_csv("t.csv")
    columns = ["n_components", "method", "error", "explained_variance"]
    pd.testing.assert_frame_equal(names["table"][columns], told[columns], check_exact=False)
    assert names["codes"].shape == (120, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("d.npy", lambda frame, path: np.save(path, frame.to_numpy())),
        ("d.parquet", lambda frame, path: frame.reset_index(drop=True).to_parquet(path)),
        ("d.tsv", lambda frame, path: frame.to_csv(path, sep="\t", index=False)),
        ("d.csv", lambda frame, path: frame.to_csv(path)),
        ("d.xlsx", lambda frame, path: frame.to_excel(path, index=False)),
        ("e.xlsx", lambda frame, path: frame.to_excel(path, index=False, header=False)),
        ("f.xlsx", lambda frame, path: frame.to_excel(path)),
    ],
)
def test_the_lines_of_python_read_each_kind_of_file(frame, name, write):
    write(frame, name)
    code = code_of(written(name, "--n-components", "1"))
    names = {}
    exec(code.split("table = ")[0], names)
    np.testing.assert_allclose(np.asarray(names["X"]), frame.to_numpy())


def test_the_lines_of_python_leave_out_what_is_left_out(frame):
    wide = pd.concat([frame, frame.add_suffix("2")], axis=1).reset_index(drop=True)
    wide["flag"], wide["text"] = wide["a"] > 0, "x"
    wide.to_parquet("d.parquet")
    names = {}
    exec(code_of(written("d.parquet", "--drop-non-numeric")).split("table = ")[0], names)
    assert names["X"].shape == (len(wide), 17)


def test_the_lines_of_python_leave_out_empty_rows(frame):
    frame = frame.reset_index(drop=True)
    frame.iloc[[5, 9]] = np.nan
    frame.to_csv("d.csv", index=False)
    names = {}
    exec(code_of(written("d.csv")).split("table = ")[0], names)
    assert names["X"].shape == (len(frame) - 2, 8)


def test_images_are_drawn():
    html = written("digits", "--n-components", "2")
    assert 'id="odd"' in html
    assert "What each pixel" in html


def test_a_page_is_looked_at_before_the_fit(frame, capsys, monkeypatch):
    frame.to_csv("data.csv")
    assert main(["compare", "data.csv", "--report", "report.pdf"]) == 2
    assert "does not end in .html" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert main(["compare", "data.csv", "--report", "report.html"]) == 2
    assert "--report needs plotly, which is not installed" in capsys.readouterr().err
