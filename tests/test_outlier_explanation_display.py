"""Shares of the features in the scores of the oddest rows."""

import numpy as np
import pandas as pd
import pytest
from drawing import drawn_apart, texts
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_autoencoder import AutoencoderOutlierDetector, OutlierExplanationDisplay

pytestmark = pytest.mark.quick

CONTRIBUTIONS = np.array([[1.0, 0.0, 3.0], [5.0, 0.0, 0.0], [0.0, 1.0, 1.0]])


def columns(display):
    return texts(display.ax_.get_xticklabels())


def rows(display):
    return texts(display.ax_.get_yticklabels())


def test_cells_are_shares_of_the_row_and_the_highest_column_comes_first():
    display = OutlierExplanationDisplay(CONTRIBUTIONS).plot()

    expected = [[0.25, 0.75, 0], [1, 0, 0], [0, 0.5, 0.5]]
    np.testing.assert_array_equal(display.image_.get_array(), expected)
    assert [texts(row) for row in display.text_] == [
        ["25", "75", "0"],
        ["100", "0", "0"],
        ["0", "50", "50"],
    ]
    assert [text.get_position() for text in display.text_[1]] == [(0, 1), (1, 1), (2, 1)]
    assert columns(display) == ["x0", "x2", "x1"]
    assert rows(display) == ["0", "1", "2"]
    assert drawn_apart(display.ax_)


@pytest.mark.parametrize(("most", "last"), [(1, "2 others"), (2, "1 other")])
def test_the_rest_of_the_features_share_a_column(most, last):
    display = OutlierExplanationDisplay(CONTRIBUTIONS).plot(max_features=most)
    assert columns(display)[-1] == last
    assert len(columns(display)) == most + 1
    cells = display.image_.get_array()
    np.testing.assert_allclose(cells.data.sum(axis=1), 1)
    assert cells.mask.tolist() == [[False] * most + [True]] * 3
    assert display.image_.norm.vmax == cells.data[:, :most].max()
    assert {text.get_color() for text in display.text_[:, -1]} == {"black"}


def test_a_score_of_zero_has_no_shares():
    display = OutlierExplanationDisplay(np.array([[0.0, 0.0], [1.0, 3.0]])).plot()
    np.testing.assert_array_equal(display.image_.get_array(), [[0, 0], [0.75, 0.25]])


def test_the_writing_is_light_on_dark_cells_and_dark_on_light_ones():
    display = OutlierExplanationDisplay(CONTRIBUTIONS).plot()
    assert display.text_[1, 0].get_color() == "white"
    assert display.text_[1, 1].get_color() == "black"
    assert display.plot(cmap="gray").text_[1, 0].get_color() == "black"


def test_the_oddest_rows_of_a_fitted_detector(X):
    X[[7, 30, 50], 4] += [9, 20, 5]
    frame = pd.DataFrame(X, columns=list("abcdef"), index=[f"row {i}" for i in range(len(X))])
    detector = AutoencoderOutlierDetector(PCA(2)).fit(frame)

    display = OutlierExplanationDisplay.from_estimator(detector, frame, n_rows=3, max_features=2)

    assert rows(display) == ["row 30", "row 7", "row 50"]
    assert columns(display)[0] == "e"
    assert columns(display)[-1] == "4 others"
    np.testing.assert_array_equal(display.contributions, detector.explain(frame)[[30, 7, 50]])
    assert drawn_apart(display.ax_)


def test_names_of_ones_own_and_rows_counted_where_they_have_no_names(X):
    X[7] += 30
    detector = AutoencoderOutlierDetector(PCA(2)).fit(X)
    display = OutlierExplanationDisplay.from_estimator(
        detector, X, n_rows=1, feature_names=list("uvwxyz")
    )
    assert rows(display) == ["7"]
    assert sorted(columns(display)) == list("uvwxyz")


def test_rows_of_a_list_are_counted(X):
    X[7] += 30
    detector = AutoencoderOutlierDetector(PCA(2)).fit(X)
    display = OutlierExplanationDisplay.from_estimator(detector, X.tolist(), n_rows=1)
    assert rows(display) == ["7"]


def test_a_pipeline_explains_what_its_last_step_is_given(X):
    X[[7, 30], 4] += [20, 40]
    frame = pd.DataFrame(X, columns=list("abcdef"), index=[f"row {i}" for i in range(len(X))])
    scaler, detector = StandardScaler(), AutoencoderOutlierDetector(PCA(2))
    pipeline = make_pipeline(scaler, SelectKBest(lambda X, y: X.var(axis=0), k=4), detector)
    pipeline.fit(frame, np.arange(len(X)))

    display = OutlierExplanationDisplay.from_estimator(pipeline, frame, n_rows=2)

    assert rows(display) == ["row 30", "row 7"]
    assert sorted(columns(display)) == sorted(pipeline[:-1].get_feature_names_out())
    expected = detector.explain(pipeline[:-1].transform(frame))[[30, 7]]
    np.testing.assert_array_equal(display.contributions, expected)


def test_features_of_a_pipeline_whose_steps_name_none_go_by_what_comes_from_them(X):
    pipeline = make_pipeline(FunctionTransformer(np.abs), AutoencoderOutlierDetector(PCA(2)))
    display = OutlierExplanationDisplay.from_estimator(pipeline.fit(X), X, max_features=1)
    assert columns(display)[0] in [f"x{i}" for i in range(6)]
    frame = pd.DataFrame(X, columns=list("abcdef"))
    display = OutlierExplanationDisplay.from_estimator(pipeline.fit(frame), frame, max_features=1)
    assert columns(display)[0] in list("abcdef")


def test_a_pipeline_of_one_step_is_that_step(X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pipeline = make_pipeline(AutoencoderOutlierDetector(PCA(2))).fit(frame)
    display = OutlierExplanationDisplay.from_estimator(pipeline, frame)
    assert sorted(columns(display)) == list("abcdef")
    scores = np.sort(pipeline.score_samples(frame))[:10]
    np.testing.assert_allclose(display.contributions.sum(axis=1), -scores)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ({"feature_names": ["a", "b"]}, "feature_names has 2 names for 3"),
        ({"row_names": ["a"]}, "row_names has 1 names for 3"),
    ],
)
def test_another_number_of_names_is_refused(names, match):
    with pytest.raises(ValueError, match=match):
        OutlierExplanationDisplay(CONTRIBUTIONS, **names).plot()


def test_an_estimator_that_explains_nothing_is_refused(X):
    with pytest.raises(TypeError, match="PCA has no method explain"):
        OutlierExplanationDisplay.from_estimator(PCA(2).fit(X), X)
    with pytest.raises(TypeError, match=r"PCA has no method explain.*Pipeline that ends in one"):
        OutlierExplanationDisplay.from_estimator(make_pipeline(StandardScaler(), PCA(2)).fit(X), X)


def test_a_detector_is_fitted_first(X):
    with pytest.raises(NotFittedError):
        OutlierExplanationDisplay.from_estimator(AutoencoderOutlierDetector(), X)
    pipeline = make_pipeline(StandardScaler(), AutoencoderOutlierDetector())
    with pytest.raises(NotFittedError):
        OutlierExplanationDisplay.from_estimator(pipeline, X)


@pytest.mark.parametrize("params", [{"n_rows": 0}, {"max_features": 0}, {"feature_names": 3}])
def test_parameters_out_of_range_are_refused(params, X):
    with pytest.raises(ValueError, match=next(iter(params))):
        OutlierExplanationDisplay.from_estimator(None, X, **params)
