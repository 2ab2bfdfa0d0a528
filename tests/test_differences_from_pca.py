"""docs/differences_from_pca.md holds all that differs from PCA, and nothing that does not."""

import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpydoc.docscrape import ClassDoc
from scipy import sparse
from sklearn.decomposition import PCA

from sk_autoencoder import AutoencoderTransformer

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "differences_from_pca.md").read_text(encoding="utf-8")

PARAMETERS = inspect.signature(PCA).parameters
ATTRIBUTES = [attribute.name for attribute in ClassDoc(PCA)["Attributes"]]
METHODS = [name for name, _ in inspect.getmembers(PCA, callable) if name[0] != "_"]

# What is called to compare the results of a method.
ARGUMENTS = {
    "score": ["X"],
    "score_samples": ["X"],
    "fit_transform": ["X"],
    "transform": ["X"],
    "inverse_transform": ["Z"],
    "get_feature_names_out": [],
}
# These give the estimator or its settings.
SETTINGS = {"fit", "get_metadata_routing", "get_params", "set_output", "set_params"}


def table(heading):
    """Rows of the table under a heading, by their first cell."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in rows}


@pytest.fixture
def fitted(quick, X):
    """PCA, and an autoencoder that is PCA, on rows with names."""
    frame = pd.DataFrame(X, columns=list("abcdef"))
    return PCA(2).fit(frame), quick(max_epochs=0).fit(frame), frame


def is_same(ours, theirs):
    if isinstance(theirs, np.ndarray) and theirs.dtype == object:
        return [without_class(name) for name in ours] == [without_class(name) for name in theirs]
    return np.shape(ours) == np.shape(theirs) and np.allclose(ours, theirs)


def without_class(name):
    return re.sub(r"^[a-z]+", "", name)


def test_parameters_that_differ_are_told():
    ours = inspect.signature(AutoencoderTransformer).parameters
    differ = {
        name
        for name, parameter in PARAMETERS.items()
        if name not in ours or ours[name].default != parameter.default
    }
    assert differ == set(table("Parameters"))


@pytest.mark.parametrize("whiten", [False, True])
def test_attributes_that_differ_are_told(quick, X, whiten):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pca = PCA(2, whiten=whiten).fit(frame)
    ours = quick(max_epochs=0, whiten=whiten).fit(frame)
    differ = {
        name
        for name in ATTRIBUTES
        if not hasattr(ours, name)
        or not (name == "feature_names_in_" or is_same(getattr(ours, name), getattr(pca, name)))
    }
    assert differ == set(table("Attributes"))


def test_methods_that_differ_are_told(fitted):
    pca, ours, frame = fitted
    given = {"X": frame, "Z": pca.transform(frame)}
    differ = set()
    for name in METHODS:
        method, theirs = getattr(ours, name, None), getattr(pca, name)
        if method is None or parameters_of(method) != parameters_of(theirs):
            differ.add(name)
        elif name not in SETTINGS:
            arguments = [given[argument] for argument in ARGUMENTS[name]]
            if not is_same(method(*arguments), theirs(*arguments)):
                differ.add(name)
    assert differ == set(table("Methods"))


def parameters_of(method):
    return list(inspect.signature(method).parameters)


@pytest.mark.parametrize("heading", ["Attributes", "Methods"])
def test_what_is_not_there_raises_with_the_remedy_that_is_told(quick, X, heading):
    ours, n_tested = quick(max_epochs=0).fit(X), 0
    for name, (_, told, _) in table(heading).items():
        if not hasattr(ours, name):
            remedy = re.search(r"use `([^`]*)`", told)[1]
            with pytest.raises(AttributeError, match=f"'{name}'.*{re.escape(remedy)}"):
                getattr(ours, name)
            n_tested += 1
    assert n_tested == {"Attributes": 4, "Methods": 2}[heading]


def test_the_remedies_give_what_pca_has(quick, X):
    pca, ours = PCA(2).fit(X), quick(max_epochs=0).fit(X)
    n_samples = len(X)
    singular_values = (ours.explained_variance_ * (n_samples - 1)) ** 0.5
    np.testing.assert_allclose(singular_values, pca.singular_values_)
    assert ours.score(X) == pytest.approx(pca.explained_variance_ratio_.sum())
    whole = quick(6, max_epochs=0).fit(X)
    covariance = np.cov(whole.sample(10_000, random_state=0), rowvar=False)
    expected = PCA(6).fit(X).get_covariance()
    assert np.linalg.norm(covariance - expected) < 0.1 * np.linalg.norm(expected)


def test_what_was_not_fitted_says_so(quick):
    for name in table("Attributes"):
        assert not hasattr(quick(), name)
        with pytest.raises(AttributeError, match="not fitted yet"):
            getattr(quick(), name)


def test_attributes_that_are_asked_for_are_there_until_a_fit_without(quick, X):
    autoencoder = quick(nested=True).fit(X)
    assert autoencoder.explained_variance_ratio_.shape == (2,)
    autoencoder.set_params(nested=False).fit(X)
    assert not hasattr(autoencoder, "explained_variance_ratio_")
    autoencoder = quick(variational=True).fit(X)
    assert autoencoder.noise_variance_ > 0
    assert not hasattr(quick().fit(X), "noise_variance_")


def refuses(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def is_linear(transformer, X):
    codes = transformer.transform(np.vstack([X[:1], X[1:2], (X[:1] + X[1:2]) / 2]))
    return np.allclose(codes[2], codes[:2].mean(axis=0), rtol=1e-6)


def largest_correlation(codes):
    return abs(np.corrcoef(codes.T)[0, 1])


def test_codes(quick, X):
    assert is_linear(PCA(2).fit(X), X)
    assert not is_linear(quick(early_stopping=False).fit(X), X)


def test_order_of_components(quick, X):
    assert (np.diff(PCA(4).fit(X).explained_variance_) < 0).all()
    shares = quick(4, nested=True, max_epochs=20).fit(X).explained_variance_ratio_
    assert (np.diff(shares) < 0).all()


def test_correlation_of_components(quick, X):
    params = {"early_stopping": False, "max_epochs": 20}
    assert largest_correlation(PCA(2).fit_transform(X)) < 1e-10
    assert largest_correlation(quick(**params).fit_transform(X)) > 1e-3
    assert largest_correlation(quick(**params, whiten=True).fit_transform(X)) < 1e-10


def test_components(quick, X):
    ours = quick(early_stopping=False).fit(X)
    of_pca = PCA(2).fit(X).components_
    np.testing.assert_allclose(of_pca @ of_pca.T, np.eye(2), atol=1e-12)
    assert not np.allclose(ours.components_ @ ours.components_.T, np.eye(2), atol=1e-6)
    assert "components_" not in vars(ours)


def test_repeated_fits(quick, X):
    np.testing.assert_array_equal(*(PCA(2).fit_transform(X) for _ in range(2)))
    codes = [quick(early_stopping=False, random_state=seed).fit_transform(X) for seed in (0, 1, 0)]
    assert not np.allclose(codes[0], codes[1])
    np.testing.assert_array_equal(codes[0], codes[2])


# Of PCA, which divides by the number of rows less one.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_rows(quick, X):
    assert not refuses(PCA(1).fit, X[:1])
    assert refuses(quick(1).fit, X[:1])
    assert not refuses(quick(1).fit, X[:2])


def test_missing_values(quick, X):
    X[0, 0] = np.nan
    assert refuses(PCA(2).fit, X)
    assert np.isfinite(quick().fit(X).reconstruct(X)).all()


def test_sparse_X(quick, X):
    rows = sparse.coo_array(X)
    with pytest.raises(TypeError, match="PCA only support sparse inputs"):
        PCA(2, svd_solver="full").fit(rows)
    for fitted in (PCA(2).fit(rows), quick().fit(rows)):
        assert isinstance(fitted.inverse_transform(fitted.transform(rows)), np.ndarray)


def test_dtype_of_attributes(quick, X):
    X = X.astype(np.float32)
    pca, ours = PCA(2).fit(X), quick().fit(X)
    for name in ("mean_", "components_", "explained_variance_"):
        assert getattr(pca, name).dtype == np.float32
        assert getattr(ours, name).dtype == np.float64


def test_set_output(quick, X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pca, ours = (
        estimator.set_output(transform="pandas").fit(frame) for estimator in (PCA(2), quick())
    )
    assert isinstance(pca.inverse_transform(pca.transform(frame)), np.ndarray)
    for rows in (ours.inverse_transform(ours.transform(frame)), ours.reconstruct(frame)):
        assert list(rows.columns) == list("abcdef")


def test_repeated_rows(X):
    rng = np.random.RandomState(0)
    noise, new = rng.standard_normal((60, 6)), rng.standard_normal((500, 6))
    repeated = np.repeat(noise, 10, axis=0)
    pca, ours = PCA(2).fit(repeated), AutoencoderTransformer(2, random_state=0).fit(repeated)
    assert ours.is_pca_
    expected = pca.inverse_transform(pca.transform(new))
    np.testing.assert_allclose(ours.reconstruct(new), expected, atol=1e-9)


def test_array_api_dispatch():
    assert AutoencoderTransformer().__sklearn_tags__().array_api_support
    assert PCA().__sklearn_tags__().array_api_support


def test_all_behaviour_that_is_told_is_tested():
    names = {name.replace(" ", "_").strip("_").lower() for name in table("Behaviour")}
    tests = {name.removeprefix("test_").lower() for name in globals() if name.startswith("test_")}
    assert names <= tests
    assert len(names) == 12


def test_the_readme_leads_here():
    assert "(docs/differences_from_pca.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("n_components", [0, "mle"])
def test_numbers_of_components_that_only_pca_takes(quick, X, n_components):
    PCA(n_components).fit(X)
    assert refuses(quick(n_components).fit, X)


@pytest.mark.sampled(every=3)
# All that X allows, whether or not rows are set aside.
@pytest.mark.parametrize("shape", [(120, 6), (120, 1), (10, 6), (7, 6), (6, 6), (5, 6), (2, 6)])
@pytest.mark.parametrize(
    "params",
    [{}, {"nested": True}, {"whiten": True}, {"linear_shortcut": False}, {"variational": True}],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_without_a_number_there_are_as_many_components_as_pca_has(quick, X, method, params, shape):
    rows = X[: shape[0], : shape[1]]
    ours = getattr(quick(None, **params), method)(rows)
    assert ours.n_components_ == PCA().fit(rows).n_components_ == min(shape)
    assert ours.transform(rows).shape == (shape[0], min(shape))
    expected = getattr(quick(min(shape), **params), method)(rows)
    np.testing.assert_array_equal(ours.transform(rows), expected.transform(rows))


@pytest.mark.parametrize("rows", [slice(None), slice(4)])
def test_all_components_leave_no_error(quick, X, rows):
    X = X[rows]
    ours = quick(None).fit(X)
    np.testing.assert_allclose(ours.reconstruct(X), X, atol=1e-10)


def test_all_components_are_those_of_the_first_call(quick, X):
    autoencoder = quick(None, warm_start=True, early_stopping=False).fit(X[:5])
    assert autoencoder.fit(X).n_components_ == 5
    assert autoencoder.partial_fit(X[:2]).n_components_ == 5


def test_rows_that_do_not_count_allow_no_components(quick, X):
    weight = np.r_[np.ones(4), np.zeros(len(X) - 4)]
    assert quick(None).fit(X, sample_weight=weight).n_components_ == 4


@pytest.mark.parametrize("rows", [sparse.csr_array, torch.from_numpy, pd.DataFrame, np.asarray])
def test_every_container_allows_all_components(quick, X, rows):
    assert quick(None, max_epochs=0).fit(rows(X)).n_components_ == 6
