"""The curves of a comparison."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from drawing import drawn_apart, texts

from sk_autoencoder import ComparisonDisplay
from sk_autoencoder._comparison import run_comparison

pytestmark = pytest.mark.quick


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "n_components": [8, 8, 2, 2],
            "method": ["PCA", "autoencoder"] * 2,
            "error": [3.0, 2.0, 9.0, 7.0],
            "explained_variance": [0.7, 0.8, 0.1, 0.3],
            "fit_time": [0.1, 1.0, 0.2, 2.0],
            "transform_time": [0.01, 0.02, 0.03, 0.04],
        }
    )


def test_the_curves_keep_the_order_of_the_table(table):
    table["method"] = table["method"].replace("PCA", "imputed PCA")
    pca, autoencoder = ComparisonDisplay(table).plot().lines_
    assert (pca.get_label(), pca.get_color()) == ("imputed PCA", "tab:gray")
    assert autoencoder.get_label() == "autoencoder"


def test_shares_near_one_are_told_as_they_are(table):
    table["explained_variance"] = [0.99999, 1.0, 0.99988, 0.9999]
    display = ComparisonDisplay(table).plot("explained_variance")
    display.figure_.canvas.draw()
    assert display.ax_.yaxis.get_offset_text().get_text() == ""


@pytest.mark.parametrize("measure", ["error", "explained_variance"])
def test_axes_of_another_scale_are_taken(table, measure):
    _, ax = plt.subplots()
    ax.set_yscale("log")
    ComparisonDisplay(table).plot(measure, ax=ax)


@pytest.fixture
def estimator(quick):
    return quick(max_epochs=1, random_state=None)


@pytest.mark.parametrize(
    ("measure", "label", "pca", "autoencoder"),
    [
        ("error", "mean squared error", [9, 3], [7, 2]),
        ("explained_variance", "explained variance", [0.1, 0.7], [0.3, 0.8]),
        ("fit_time", "fit time [s]", [0.2, 0.1], [2, 1]),
        ("transform_time", "transform time [s]", [0.03, 0.01], [0.04, 0.02]),
    ],
)
def test_curves(table, measure, label, pca, autoencoder):
    display = ComparisonDisplay(table).plot(measure)

    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_ylabel() == label
    assert texts(display.ax_.get_legend().get_texts()) == ["PCA", "autoencoder"]
    for line, values in zip(display.lines_, (pca, autoencoder), strict=True):
        assert line.get_xdata().tolist() == [2, 8]
        assert line.get_ydata().tolist() == values
    assert drawn_apart(display.ax_)
    assert texts(display.ax_.get_xticklabels()) == ["2", "8"]


def test_curves_start_the_error_at_zero(table):
    assert ComparisonDisplay(table).plot("error").ax_.get_ylim()[0] == 0


def test_many_sizes_leave_room_between_their_labels(table):
    many = pd.concat([table.assign(n_components=k) for k in range(1, 40)])
    assert len(ComparisonDisplay(many).plot().ax_.get_xticks()) < 12


def test_comparison_from_data(X, estimator):
    display = ComparisonDisplay.from_data(
        X, (1, 3), estimator=estimator, random_state=0, test_size=10, measure="explained_variance"
    )

    expected = run_comparison(X, (1, 3), estimator=estimator, test_size=10, random_state=0).table()
    pd.testing.assert_series_equal(display.comparison["error"], expected["error"])
    assert display.ax_.get_ylabel() == "explained variance"


def test_unknown_measure(table):
    with pytest.raises(ValueError, match=r"'measure' parameter of .*plot must be a str"):
        ComparisonDisplay(table).plot("speed")
