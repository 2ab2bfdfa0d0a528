"""Tensors: given back where scikit-learn dispatches, read as arrays or refused elsewhere."""

import pickle
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._array_api import get_namespace, move_estimator_to

from sk_autoencoder import AutoencoderOutlierDetector

DTYPES = {"float64": torch.float64, "float32": torch.float32}
METHODS = ["transform", "reconstruct", "reconstruction_error", "score_samples"]
CONFIGURATIONS = {
    "default": {},
    "nested": {"nested": True},
    "whitened": {"whiten": True},
    "variational": {"variational": True, "early_stopping": False},
    "float": {"n_components": 0.7},
}

# Of what cannot be read as an array, and the remedy.
REFUSED = {
    "requires grad": (lambda x: x.clone().requires_grad_(), r"requires grad.*X\.detach\(\)"),
    "computed from what does": (lambda x: x.clone().requires_grad_() * 2, r"X\.detach\(\)"),
    "sparse, COO": (lambda x: x.to_sparse(), r"sparse_coo.*X\.to_dense\(\)"),
    "without numbers": (lambda x: x.to("meta"), "'meta', which holds no numbers"),
}
REFUSED_WITHOUT_DISPATCH = {
    "bfloat16": (lambda x: x.to(torch.bfloat16), r"torch\.bfloat16.*X\.float\(\)"),
    "float8": (lambda x: x.to(torch.float8_e4m3fn), r"torch\.float8_e4m3fn.*X\.float\(\)"),
}


@pytest.fixture
def dispatch(monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with config_context(array_api_dispatch=True):
        yield


@pytest.mark.sampled(every=2)
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_tensors_come_back_with_what_arrays_give(quick, X, dispatch, params, dtype):
    x = torch.from_numpy(X).to(dtype)
    ours, theirs = quick(**params).fit(x), quick(**params).fit(x.numpy())
    for method in METHODS:
        result, expected = getattr(ours, method)(x), getattr(theirs, method)(x.numpy())
        assert isinstance(result, torch.Tensor)
        np.testing.assert_array_equal(result.numpy(), expected, strict=True)
    codes = ours.transform(x)
    assert codes.dtype == dtype
    np.testing.assert_array_equal(
        ours.inverse_transform(codes).numpy(), theirs.inverse_transform(codes.numpy()), strict=True
    )
    np.testing.assert_array_equal(
        ours.sample(5, random_state=0).numpy(), theirs.sample(5, random_state=0), strict=True
    )
    assert ours.score(x) == theirs.score(x.numpy())
    assert isinstance(ours.score(x), float)


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_attributes_are_arrays_of_the_library_of_x_as_those_of_pca(
    quick, X, dispatch, method, nested
):
    pca = PCA(2, svd_solver="full").fit(torch.from_numpy(X))
    names = {name for name, value in vars(pca).items() if isinstance(value, torch.Tensor)}
    ours = getattr(quick(nested=nested), method)(torch.from_numpy(X))
    expected = getattr(quick(nested=nested), method)(X)
    names -= {"noise_variance_", "singular_values_"}
    names -= set() if nested else {"explained_variance_ratio_"}
    assert names >= {"mean_", "explained_variance_", "components_"}
    for name in names:
        assert isinstance(getattr(ours, name), torch.Tensor)
        np.testing.assert_array_equal(
            getattr(ours, name).numpy(), getattr(expected, name), strict=True
        )


def test_attributes_follow_the_rows_of_the_last_fit(quick, X, dispatch):
    autoencoder = quick().partial_fit(torch.from_numpy(X)).partial_fit(X)
    assert isinstance(autoencoder.mean_, np.ndarray)
    assert isinstance(autoencoder.explained_variance_, np.ndarray)
    expected = quick().partial_fit(X).partial_fit(X)
    np.testing.assert_array_equal(autoencoder.transform(X), expected.transform(X))


def test_y_and_weights_may_be_tensors(quick, X, dispatch):
    y, weight = (X[:, 0] > 0).astype(int), np.arange(len(X)) % 3
    tensors = [torch.from_numpy(array) for array in (X, y, weight)]
    params = {"supervised_weight": 1.0}
    ours, theirs = quick(**params).fit(*tensors), quick(**params).fit(X, y, weight)
    np.testing.assert_array_equal(ours.transform(tensors[0]).numpy(), theirs.transform(X))
    assert ours.score(tensors[0], None, tensors[2]) == theirs.score(X, None, weight)
    # Not read, but cut to the rows that count.
    unread = quick().partial_fit(*tensors)
    np.testing.assert_array_equal(
        unread.transform(tensors[0]).numpy(), quick().partial_fit(X, y, weight).transform(X)
    )


def test_rows_with_missing_and_whole_numbers_are_read(quick, X, dispatch):
    incomplete = X.copy()
    incomplete[::4, 2] = np.nan
    codes = quick().fit_transform(torch.from_numpy(incomplete))
    np.testing.assert_array_equal(codes.numpy(), quick().fit_transform(incomplete))
    whole = np.round(4 * X).astype(np.int32)
    codes = quick().fit_transform(torch.from_numpy(whole))
    np.testing.assert_array_equal(codes.numpy(), quick().fit_transform(whole), strict=True)


def test_narrow_numbers_become_float64_under_dispatch(quick, X, dispatch):
    narrow = torch.from_numpy(X).to(torch.bfloat16)
    codes = quick().fit_transform(narrow)
    np.testing.assert_array_equal(
        codes.numpy(), quick().fit_transform(narrow.double().numpy()), strict=True
    )


def test_a_pipeline_passes_tensors_on(quick, X, dispatch):
    x = torch.from_numpy(X)
    pipeline = make_pipeline(StandardScaler(), quick()).fit(x)
    codes = pipeline.transform(x)
    assert isinstance(codes, torch.Tensor)
    np.testing.assert_allclose(pipeline.inverse_transform(codes).numpy(), X, atol=2)


def test_a_container_that_is_asked_for_is_given(quick, X, dispatch):
    x = torch.from_numpy(X)
    autoencoder = quick().fit(x).set_output(transform="pandas")
    expected = quick().fit(X)
    for method in ("transform", "reconstruct"):
        frame = getattr(autoencoder, method)(x)
        assert isinstance(frame, pd.DataFrame)
        np.testing.assert_array_equal(frame, getattr(expected, method)(X))


@pytest.mark.parametrize("method", [*METHODS, "score", "inverse_transform"])
def test_rows_of_another_library_than_that_of_the_fit_are_refused_as_by_pca(
    quick, X, dispatch, method
):
    rows = X[:, :2] if method == "inverse_transform" else X
    x = torch.from_numpy(rows)
    pattern = rf"AutoencoderTransformer\.{method}\(\) must use the same namespace"
    with pytest.raises(ValueError, match=pattern):
        getattr(quick().fit(torch.from_numpy(X)), method)(rows)
    with pytest.raises(ValueError, match=pattern):
        getattr(quick().fit(X), method)(x)


def test_an_estimator_moves_to_another_library(quick, X, dispatch):
    x = torch.from_numpy(X)
    ours = quick(nested=True).fit(X)
    xp, _ = get_namespace(x)
    moved = move_estimator_to(ours, xp, "cpu")
    np.testing.assert_array_equal(moved.transform(x).numpy(), ours.transform(X))
    assert isinstance(moved.explained_variance_ratio_, torch.Tensor)
    assert isinstance(ours.mean_, np.ndarray)


def test_what_was_fitted_on_tensors_is_pickled_and_cloned(quick, X, dispatch):
    x = torch.from_numpy(X)
    autoencoder = quick().fit(x)
    loaded = pickle.loads(pickle.dumps(autoencoder))
    np.testing.assert_array_equal(loaded.transform(x), autoencoder.transform(x))
    np.testing.assert_array_equal(clone(autoencoder).fit_transform(x), autoencoder.transform(x))


def test_dispatch_changes_nothing_of_arrays(quick, X, dispatch):
    autoencoder = quick().fit(X)
    codes, sample = autoencoder.transform(X), autoencoder.sample(5, random_state=0)
    assert type(codes) is type(sample) is np.ndarray
    with config_context(array_api_dispatch=False):
        np.testing.assert_array_equal(codes, quick().fit(X).transform(X))
        np.testing.assert_array_equal(sample, quick().fit(X).sample(5, random_state=0))


def test_sparse_rows_and_frames_are_read_under_dispatch(quick, X, dispatch):
    for rows in (sparse.csr_array(X), pd.DataFrame(X)):
        assert type(quick().fit(rows).transform(rows)) is np.ndarray


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.int64])
def test_without_dispatch_tensors_are_read_as_arrays(quick, X, dtype):
    x = torch.from_numpy(4 * X).to(dtype)
    ours, theirs = quick().fit(x), quick().fit(x.numpy())
    assert type(ours.mean_) is np.ndarray
    for method in METHODS:
        result = getattr(ours, method)(x)
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, getattr(theirs, method)(x.numpy()), strict=True)
    codes = ours.transform(x)
    rows = ours.inverse_transform(torch.from_numpy(codes))
    np.testing.assert_array_equal(rows, ours.inverse_transform(codes), strict=True)


def test_a_fit_on_tensors_serves_arrays_without_dispatch(quick, X, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with config_context(array_api_dispatch=True):
        autoencoder = quick().fit(torch.from_numpy(X))
    expected = quick().fit(X)
    np.testing.assert_array_equal(autoencoder.transform(X), expected.transform(X), strict=True)
    np.testing.assert_array_equal(autoencoder.partial_fit(X).mean_, expected.mean_, strict=True)


def test_a_tensor_is_not_changed(quick, X):
    x = torch.from_numpy(X.copy())
    autoencoder = quick().fit(x)
    for method in METHODS:
        getattr(autoencoder, method)(x)
    np.testing.assert_array_equal(x.numpy(), X)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("dispatched", [True, False])
@pytest.mark.parametrize("method", ["fit", "partial_fit", *METHODS, "score"])
@pytest.mark.parametrize(("spoil", "message"), REFUSED.values(), ids=REFUSED)
def test_a_tensor_that_is_no_array_is_refused(
    quick, X, monkeypatch, method, spoil, message, dispatched
):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    x = torch.from_numpy(X)
    with config_context(array_api_dispatch=True) if dispatched else nullcontext():
        autoencoder = quick().fit(x)
        with pytest.raises((TypeError, ValueError), match=f"{message}|must use the same"):
            getattr(autoencoder, method)(spoil(x))


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("method", ["fit", "partial_fit", *METHODS, "score"])
@pytest.mark.parametrize(
    ("spoil", "message"), REFUSED_WITHOUT_DISPATCH.values(), ids=REFUSED_WITHOUT_DISPATCH
)
def test_numbers_that_numpy_does_not_have_are_refused(quick, X, method, spoil, message):
    autoencoder = quick().fit(X)
    with pytest.raises(TypeError, match=message):
        getattr(autoencoder, method)(spoil(torch.from_numpy(X)))
    with pytest.raises(TypeError, match=message):
        autoencoder.inverse_transform(spoil(torch.from_numpy(X[:, :2])))


def test_weights_and_y_that_require_grad_are_named(quick, X):
    weight = torch.ones(len(X), requires_grad=True)
    with pytest.raises(TypeError, match=r"^sample_weight is a tensor.*sample_weight\.detach\(\)"):
        quick().fit(X, None, weight)
    with pytest.raises(TypeError, match=r"^y is a tensor.*y\.detach\(\)"):
        quick(supervised_weight=1.0).fit(X, weight)
    quick().fit(X, weight)  # y is not read


def test_a_tensor_of_another_device_needs_dispatch(quick, X, monkeypatch):
    autoencoder = quick().fit(X)

    class OnDevice(torch.Tensor):
        """Says that it is on a GPU."""

        device = torch.device("cuda:0")

    with pytest.raises(TypeError, match=r"'cuda:0'.*X\.cpu\(\).*array_api_dispatch=True"):
        autoencoder.transform(torch.from_numpy(X).as_subclass(OnDevice))


def test_a_detector_reads_tensors_and_says_which_it_does_not(X):
    x = torch.from_numpy(X)
    detector = AutoencoderOutlierDetector(random_state=0)
    scores = detector.fit(x).score_samples(x)
    np.testing.assert_array_equal(scores, clone(detector).fit(X).score_samples(X))
    for method in ("fit", "predict", "explain"):
        with pytest.raises(TypeError, match=r"requires grad.*X\.detach\(\)"):
            getattr(detector, method)(x.clone().requires_grad_())
