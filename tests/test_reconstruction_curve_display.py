"""Error of reconstructions against the number of components."""

import numpy as np
import pandas as pd
import pytest
from drawing import drawn_apart, texts
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, KernelPCA
from sklearn.exceptions import NotFittedError
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_autoencoder import ReconstructionCurveDisplay

pytestmark = pytest.mark.quick


class Nested(TransformerMixin, BaseEstimator):
    """PCA as a nested autoencoder has it: `inverse_transform` takes fewer columns."""

    nested = True

    def fit(self, X, y=None):
        self.pca_ = PCA().fit(X)
        self.n_encoded = 0
        return self

    def transform(self, X):
        self.n_encoded += 1
        return self.pca_.transform(X)

    def inverse_transform(self, X):
        return X @ self.pca_.components_[: X.shape[1]] + self.pca_.mean_


def errors_of_pca(X, X_new, sizes):
    models = [PCA(k, svd_solver="full").fit(X) for k in sizes]
    return [np.mean((m.inverse_transform(m.transform(X_new)) - X_new) ** 2) for m in models]


def legend(display):
    return texts(display.ax_.get_legend().get_texts())


@pytest.mark.parametrize("whiten", [False, True])
def test_one_fit_of_pca_gives_the_whole_curve(X, X_new, whiten):
    pca = PCA(5, whiten=whiten).fit(X)

    display = ReconstructionCurveDisplay.from_estimators([pca], X_new)

    (line,) = display.lines_
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(line.get_ydata(), errors_of_pca(X, X_new, [1, 2, 3, 4, 5]))
    assert display.ax_.get_ylim()[0] == 0
    assert display.ax_.get_xlabel() == "number of components"
    assert display.ax_.get_ylabel() == "mean squared error"
    assert legend(display) == ["PCA"]


def test_a_nested_fit_gives_the_whole_curve_and_encodes_once(X, X_new):
    nested = Nested().fit(X)
    display = ReconstructionCurveDisplay.from_estimators([nested], X_new)
    (line,) = display.lines_
    np.testing.assert_allclose(line.get_ydata(), errors_of_pca(X, X_new, range(1, 7)), atol=1e-15)
    assert legend(display) == ["Nested, nested"]
    assert nested.n_encoded == 1


@pytest.mark.parametrize("last", [PCA(5), Nested()])
def test_so_does_a_pipeline_that_ends_in_one(X, X_new, last):
    pipeline = make_pipeline(StandardScaler(), last).fit(X)
    curves = ReconstructionCurveDisplay.from_estimators([pipeline], X_new).curves
    scaler = StandardScaler().fit(X)
    for k in (2, 4):
        pca = PCA(k).fit(scaler.transform(X))
        Z = pca.transform(scaler.transform(X_new))
        back = scaler.inverse_transform(pca.inverse_transform(Z))
        error = curves.loc[curves["n_components"] == k, "error"].item()
        assert error == pytest.approx(np.mean((back - X_new) ** 2))
    assert set(curves["label"]) == {"PCA" if isinstance(last, PCA) else "Nested, nested"}


def test_plain_fits_are_points_of_one_curve(quick, X, X_new):
    fits = [quick(k, max_epochs=1).fit(X) for k in (4, 1, 2)]

    display = ReconstructionCurveDisplay.from_estimators([PCA().fit(X), *fits], X_new)

    pca, line = display.lines_
    assert line.get_xdata().tolist() == [1, 2, 4]
    expected = [fits[i].reconstruction_error(X_new).mean() for i in (1, 2, 0)]
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert legend(display) == ["PCA", "AutoencoderTransformer"]
    assert pca.get_color() != line.get_color()
    assert pca.get_marker() != line.get_marker()
    assert drawn_apart(display.ax_)


def test_without_pca_none_is_drawn(quick, X):
    display = ReconstructionCurveDisplay.from_estimators([quick(max_epochs=1).fit(X)], X)
    assert legend(display) == ["AutoencoderTransformer"]


def test_explained_variance_is_that_about_the_mean_of_X(X, X_new):
    pca = PCA(3).fit(X)
    display = ReconstructionCurveDisplay.from_estimators([pca], X_new, measure="explained_variance")
    expected = 1 - np.array(errors_of_pca(X, X_new, [1, 2, 3])) / X_new.var(axis=0).mean()
    np.testing.assert_allclose(display.lines_[0].get_ydata(), expected)
    assert display.ax_.get_ylabel() == "explained variance"
    display.plot("error")
    assert display.ax_.get_ylabel() == "mean squared error"


@pytest.mark.parametrize("piped", [False, True])
def test_of_rows_with_missing_the_known_cells_count(quick, X, X_new, piped):
    autoencoder = quick(3, max_epochs=1)
    fitted = (make_pipeline(StandardScaler(), autoencoder) if piped else autoencoder).fit(X)
    X_new[::3, 1] = np.nan
    X_new[:, 4] = np.nan  # a feature without any known cell
    curves = ReconstructionCurveDisplay.from_estimators([fitted], X_new).curves
    known = ~np.isnan(X_new)
    back = fitted.inverse_transform(fitted.transform(X_new))
    error = np.mean((back - X_new)[known] ** 2)
    # A third of the cells of feature 1 is unknown, so that its variance counts less.
    variances = [np.var(column[~np.isnan(column)]) for column in np.delete(X_new, 4, axis=1).T]
    variance = np.average(variances, weights=np.delete(known, 4, axis=1).sum(axis=0))
    assert curves["error"].item() == pytest.approx(error)
    assert curves["explained_variance"].item() == pytest.approx(1 - error / variance)


@pytest.mark.parametrize("piped", [False, True])
def test_missing_cells_that_pca_does_not_take_are_refused_with_a_remedy(X, piped):
    fitted = (make_pipeline(StandardScaler(), PCA(2)) if piped else PCA(2)).fit(X)
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"\(NaN\), which PCA does not take. Pass imputed rows"):
        ReconstructionCurveDisplay.from_estimators([fitted], X)


def test_what_else_an_estimator_refuses_is_told_in_its_own_words(X):
    pca = PCA(2).fit(X[:, :4])
    with pytest.raises(ValueError, match=r"X has 6 features, but PCA is expecting 4"):
        ReconstructionCurveDisplay.from_estimators([pca], X)
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"X has 6 features, but .* is expecting 4"):
        ReconstructionCurveDisplay.from_estimators([StandardScaler().fit(X[:, :4])], X)


def test_missing_cells_that_a_pipeline_makes_are_not_said_to_be_in_X(X):
    low = FunctionTransformer(lambda X: np.where(X > 1, np.nan, X))
    pipeline = make_pipeline(low, PCA(2)).fit(np.minimum(X, 1))
    with pytest.raises(ValueError, match=r"^Input X contains NaN"):
        ReconstructionCurveDisplay.from_estimators([pipeline], X)


def test_rows_of_missing_cells_alone_are_refused(quick, X):
    autoencoder = quick(max_epochs=1).fit(X)
    with pytest.raises(ValueError, match=r"X has missing values .* alone. Pass rows with known"):
        ReconstructionCurveDisplay.from_estimators([autoencoder], np.full_like(X, np.nan))


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.coo_matrix])
def test_sparse_rows_have_the_errors_of_dense_ones(quick, X, container):
    fits = [PCA(2).fit(X), quick(max_epochs=1).fit(X)]
    X[X < 0] = 0
    expected = ReconstructionCurveDisplay.from_estimators(fits, X).curves
    curves = ReconstructionCurveDisplay.from_estimators(fits, container(X)).curves
    pd.testing.assert_frame_equal(curves, expected)


def test_labels_tell_curves_apart(X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    fits = [PCA(2).set_output(transform="pandas").fit(frame), PCA(3, whiten=True).fit(frame)]
    display = ReconstructionCurveDisplay.from_estimators(fits, frame, labels=["two", "three"])
    assert legend(display) == ["two", "three"]
    assert [len(line.get_xdata()) for line in display.lines_] == [2, 3]


@pytest.mark.parametrize(("k", "n_sizes"), [(64, 64), (90, 40)])
def test_of_many_sizes_some_are_taken(k, n_sizes):
    X = np.random.RandomState(0).standard_normal((100, 90))
    display = ReconstructionCurveDisplay.from_estimators([PCA(k).fit(X)], X)
    sizes = display.curves["n_components"]
    assert (sizes.min(), sizes.max()) == (1, k)
    assert sizes.is_monotonic_increasing
    assert sizes.is_unique
    assert len(sizes) == n_sizes
    # A long curve is a line, with markers that leave room between them.
    assert display.lines_[0].get_markevery() is not None


def test_float32_is_measured_in_float64(X):
    pca = PCA(2).fit(X.astype(np.float32))
    curves = ReconstructionCurveDisplay.from_estimators([pca], X.astype(np.float32)).curves
    assert curves["error"].dtype == np.float64
    np.testing.assert_allclose(curves["error"], errors_of_pca(X, X, [1, 2]), rtol=1e-4)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"labels": ["a", "b"]}, "labels has 2 entries for 1 estimators. Pass one for each"),
        ({"measure": "fit_time"}, r"'measure' parameter of .*from_estimators must be a str"),
        ({"estimators": []}, "estimators is empty"),
        ({"estimators": PCA()}, r"'estimators' parameter of .* must be an instance of"),
    ],
)
def test_wrong_parameters(X, params, match):
    with pytest.raises(ValueError, match=match):
        ReconstructionCurveDisplay.from_estimators(
            **({"estimators": [PCA(2).fit(X)], "X": X} | params)
        )


def test_two_estimators_of_one_name_and_size_are_refused(X):
    fits = [PCA(2).fit(X), PCA(3).fit(X)]
    with pytest.raises(ValueError, match=r"Two estimators named 'PCA' have 1 components. Pass"):
        ReconstructionCurveDisplay.from_estimators(fits, X)


def test_what_cannot_reconstruct_is_refused(X):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        ReconstructionCurveDisplay.from_estimators([Nested()], X)
    with pytest.raises(TypeError, match="TSNE has no transform and no inverse_transform"):
        ReconstructionCurveDisplay.from_estimators([TSNE()], X)
    with pytest.raises(NotFittedError, match="inverse"):
        ReconstructionCurveDisplay.from_estimators([KernelPCA(2).fit(X)], X)
