"""What holds for every plot: scikit-learn's Display convention."""

import sys

import numpy as np
import pandas as pd
import pytest
from drawing import plt

import sk_autoencoder
from sk_autoencoder import (
    CodesDisplay,
    ComparisonDisplay,
    OutlierExplanationDisplay,
    ReconstructionCurveDisplay,
    ReconstructionDisplay,
    TrainingCurveDisplay,
)

pytestmark = pytest.mark.quick

ROWS = np.arange(12.0).reshape(2, 6)

TABLE = pd.DataFrame(
    {
        "n_components": [2, 4],
        "method": "PCA",
        "error": [2.0, 1.0],
        "explained_variance": [0.1, 0.7],
    }
)

HISTORY = pd.DataFrame({"epoch": [0, 1], "train_loss": [2.0, 1.0]})

DISPLAYS = [
    CodesDisplay(ROWS),
    ComparisonDisplay(TABLE),
    OutlierExplanationDisplay(ROWS),
    ReconstructionCurveDisplay(TABLE.rename(columns={"method": "label"})),
    ReconstructionDisplay(ROWS, [ROWS], ["copy"], image_shape=(2, 3)),
    TrainingCurveDisplay(HISTORY),
]

MAKERS = {
    "CodesDisplay.from_estimator": lambda: CodesDisplay.from_estimator(None, ROWS),
    "ComparisonDisplay.from_data": lambda: ComparisonDisplay.from_data(ROWS),
    "OutlierExplanationDisplay.from_estimator": (
        lambda: OutlierExplanationDisplay.from_estimator(None, ROWS)
    ),
    "ReconstructionCurveDisplay.from_estimators": (
        lambda: ReconstructionCurveDisplay.from_estimators([], ROWS)
    ),
    "ReconstructionDisplay.from_estimators": lambda: ReconstructionDisplay.from_estimators(
        [], ROWS, image_shape=(2, 3)
    ),
    "TrainingCurveDisplay.from_estimator": lambda: TrainingCurveDisplay.from_estimator(None),
}


def name(display):
    return type(display).__name__


@pytest.mark.parametrize("display", DISPLAYS, ids=name)
def test_a_display_draws_into_the_axes_given(display):
    _, (_, ax) = plt.subplots(1, 2)
    assert display.plot(ax=ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("display", DISPLAYS, ids=name)
def test_a_display_makes_a_figure_of_its_own(display):
    first = display.plot().figure_
    assert display.plot().figure_ is not first
    assert display.ax_.figure is display.figure_


@pytest.mark.parametrize("display", DISPLAYS, ids=name)
def test_without_matplotlib_a_plot_says_what_to_install(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    match = rf"{name(display)}.plot needs matplotlib, .* pip install matplotlib"
    with pytest.raises(ImportError, match=match):
        display.plot()


@pytest.mark.parametrize("maker", MAKERS)
def test_without_matplotlib_nothing_is_computed(maker, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=rf"{maker} needs matplotlib, .* pip install matplotlib"):
        MAKERS[maker]()


def test_every_display_is_asked():
    public = {thing for thing in sk_autoencoder.__all__ if thing.endswith("Display")}
    assert {name(display) for display in DISPLAYS} == public
    assert {maker.partition(".")[0] for maker in MAKERS} == public
