"""The fitted autoencoder by itself: NumPy in, NumPy out, no estimator."""

import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

CONFIGURATIONS = {
    "default": {},
    "whitened": {"whiten": True},
    "nested": {"nested": True},
    "poisson": {"loss": "poisson"},
    "variational": {"variational": True},
    "own module": {"linear_shortcut": False, "normalization": "layer"},
}


@pytest.fixture(params=CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def fitted(quick, X, request):
    return quick(3, **request.param).fit(X - X.min())


@pytest.fixture
def rows(X, X_new):
    return X_new - X.min()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_gives_what_the_estimator_gives(fitted, rows, dtype):
    model, rows = fitted.model_, np.abs(rows).astype(dtype)
    codes = model.encode(rows)
    assert codes.dtype == dtype
    np.testing.assert_array_equal(codes, fitted.transform(rows))
    np.testing.assert_array_equal(model.decode(codes), fitted.inverse_transform(codes))
    np.testing.assert_array_equal(model.reconstruct(rows), fitted.reconstruct(rows))
    np.testing.assert_array_equal(model.score_samples(rows), fitted.score_samples(rows))
    sample = model.sample(7, random_state=0)
    np.testing.assert_array_equal(sample, fitted.sample(7, random_state=0))
    assert sample.dtype == np.float64


def test_missing_values_are_imputed_without_being_told_of(quick, X, X_new):
    autoencoder = quick().fit(X)
    X_new[::2, 1] = np.nan
    np.testing.assert_array_equal(autoencoder.model_.encode(X_new), autoencoder.transform(X_new))


def test_lists_and_whole_numbers_are_read_as_float64(quick, X):
    model = quick().fit(X).model_
    assert model.encode([[1, 2, 3, 4, 5, 6]]).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda model: model.encode(np.zeros((2, 5))), "X has 5 columns, but .* rows of 6"),
        (lambda model: model.encode(np.zeros(6)), r"shape \(n_samples, n\) is expected"),
        (
            lambda model: model.decode(np.zeros((2, 1))),
            "Codes have 1 columns, .* is 2",
        ),
        (lambda model: model.decode(np.zeros((2, 3))), "Codes have 3 columns"),
    ],
)
def test_arrays_of_other_shapes_are_refused(quick, X, call, match):
    with pytest.raises(ValueError, match=match):
        call(quick().fit(X).model_)


def test_it_cannot_be_changed(quick, X):
    model = quick().fit(X).model_
    with pytest.raises(FrozenInstanceError):
        model.n_components = 1


def test_a_later_fit_leaves_it_as_it_was(quick, X):
    autoencoder = quick(warm_start=True).fit(X)
    model, codes = autoencoder.model_, autoencoder.transform(X)
    autoencoder.partial_fit(X).fit(X)
    assert autoencoder.model_ is not model
    np.testing.assert_array_equal(model.encode(X), codes)


def test_the_other_dtype_is_made_once(quick, X):
    model = quick().fit(X).model_
    assert model.astype(np.dtype(np.float64)) is model
    other = model.astype(np.dtype(np.float32))
    assert other is model.astype(np.dtype(np.float32))
    assert other.dtype == np.float32
    row = X[:1].astype(np.float32)
    seconds = {}
    for name, rows in (("float32", row), ("float64", X[:1])):
        times = []
        for _ in range(50):
            began = time.perf_counter()
            model.encode(rows)
            times.append(time.perf_counter() - began)
        seconds[name] = np.median(times)
    assert seconds["float32"] < 2 * seconds["float64"]


def test_threads_get_what_one_gets(fitted, rows):
    model, rows = pickle.loads(pickle.dumps(fitted.model_)), np.abs(rows)
    dtypes = [np.float32, np.float64] * 8
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda dtype: model.reconstruct(rows.astype(dtype)), dtypes))
    for dtype, back in zip(dtypes, found, strict=True):
        np.testing.assert_array_equal(back, fitted.reconstruct(rows.astype(dtype)))


@pytest.mark.sampled(only=["default"])
def test_a_pickle_of_it_works_where_scikit_learn_is_not(fitted, rows, tmp_path):
    rows = np.abs(rows)
    fitted.model_.sample(1)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(fitted.model_))
    np.save(tmp_path / "rows.npy", rows)
    script = """
import pickle, sys
import numpy as np
sys.modules["sklearn"] = sys.modules["skorch"] = None
model = pickle.load(open("model.pickle", "rb"))
rows = np.load("rows.npy")
np.savez("found.npz", encode=model.encode(rows), decode=model.decode(model.encode(rows)),
    reconstruct=model.reconstruct(rows), score_samples=model.score_samples(rows),
    sample=model.sample(3, random_state=0))
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120)
    with np.load(tmp_path / "found.npz") as found:
        np.testing.assert_allclose(found["encode"], fitted.transform(rows))
        np.testing.assert_allclose(found["reconstruct"], fitted.reconstruct(rows))
        np.testing.assert_allclose(found["decode"], fitted.reconstruct(rows))
        np.testing.assert_allclose(found["score_samples"], fitted.score_samples(rows))
        np.testing.assert_allclose(found["sample"], fitted.sample(3, random_state=0))


CHANGES = {
    "loss": "poisson",
    "nested": True,
    "whiten": True,
    "n_components": 1,
    "early_stopping": False,
    "module": dict,
    "device": "meta",
    "hidden_layer_sizes": (3,),
}


@pytest.mark.parametrize("name", CHANGES)
def test_parameters_that_are_set_later_change_no_result(quick, X, name):
    autoencoder = quick(3).fit(X)
    calls = {
        "transform": lambda: autoencoder.transform(X),
        "inverse_transform": lambda: autoencoder.inverse_transform(np.ones((2, 3))),
        "reconstruct": lambda: autoencoder.reconstruct(X),
        "reconstruction_error": lambda: autoencoder.reconstruction_error(X),
        "score_samples": lambda: autoencoder.score_samples(X),
        "sample": lambda: autoencoder.sample(2, random_state=0),
        "score": lambda: autoencoder.score(X),
        "components_": lambda: autoencoder.components_,
        "get_feature_names_out": lambda: autoencoder.get_feature_names_out(),
    }
    before = {method: call() for method, call in calls.items()}
    autoencoder.set_params(**{name: CHANGES[name]})
    for method, call in calls.items():
        np.testing.assert_array_equal(call(), before[method], err_msg=method)
