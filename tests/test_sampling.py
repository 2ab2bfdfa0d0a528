"""New rows from any fitted transformer: a mixture of normal distributions on the codes."""

import copy
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import pairwise_distances_argmin_min

from sk_autoencoder._model import sampling as _sampling


def two_clouds(n_samples=200, seed=0):
    """Rows on two line segments that are far apart."""
    rng = np.random.RandomState(seed)
    side = np.where(np.arange(n_samples) % 2, 10.0, -10.0)
    return np.column_stack([side, *rng.uniform(-1, 1, (3, n_samples))])


@pytest.mark.quick
def test_new_rows_are_like_those_of_the_training_data(quick, X):
    autoencoder = quick(max_epochs=20).fit(X)
    new = autoencoder.sample(2000, random_state=0)
    assert new.shape == (2000, 6)
    np.testing.assert_allclose(new.mean(axis=0), X.mean(axis=0), atol=0.2)
    np.testing.assert_allclose(new.std(axis=0), X.std(axis=0), rtol=0.35)


def test_new_rows_are_not_copies(quick, X):
    autoencoder = quick().fit(X)
    new = autoencoder.sample(50, random_state=0)
    _, distance = pairwise_distances_argmin_min(new, autoencoder.reconstruct(X))
    assert np.all(distance > 1e-6)
    assert len(np.unique(new, axis=0)) == 50


@pytest.mark.quick
def test_a_gap_between_two_clouds_stays_empty(quick):
    new = quick(max_epochs=0).fit(two_clouds()).sample(500, random_state=0)
    assert np.all(np.abs(new[:, 0]) > 7)
    assert 150 < (new[:, 0] > 0).sum() < 350


def test_rows_are_drawn_as_often_as_they_count(quick):
    X = two_clouds()
    weight = np.where(X[:, 0] > 0, 9.0, 1.0)
    new = quick(max_epochs=0).fit(X, sample_weight=weight).sample(1000, random_state=0)
    assert 800 < (new[:, 0] > 0).sum() < 980


@pytest.mark.quick
@pytest.mark.parametrize("variational", [False, True])
def test_a_random_state_repeats_the_rows(quick, X, variational):
    autoencoder = quick(variational=variational).fit(X)
    first = autoencoder.sample(5, random_state=3)
    np.testing.assert_array_equal(autoencoder.sample(5, random_state=3), first)
    assert np.all(autoencoder.sample(5, random_state=4) != first)
    generator = np.random.RandomState(3)
    np.testing.assert_array_equal(autoencoder.sample(5, random_state=generator), first)
    assert np.all(autoencoder.sample(5, random_state=generator) != first)
    assert np.all(autoencoder.sample(5) != autoencoder.sample(5))


@pytest.mark.parametrize("seed", ["a", -1, 2**32, 0.5, np.random.default_rng(0)])
def test_a_random_state_that_seeds_nothing_is_refused(quick, X, seed):
    autoencoder = quick().fit(X)
    with pytest.raises(ValueError, match=r"random_state=.* Pass such a generator, a whole number"):
        autoencoder.sample(5, random_state=seed)


def in_threads(function, arguments):
    """Results of a function, called in as many threads at once as there are arguments."""
    start = threading.Barrier(len(arguments), timeout=60)

    def call(argument):
        start.wait()
        return function(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return [
            future.result(timeout=60)
            for future in [pool.submit(call, argument) for argument in arguments]
        ]


@pytest.mark.parametrize("variational", [False, True])
def test_samples_in_threads_are_those_in_sequence(quick, X, variational):
    autoencoder = quick(variational=variational).fit(X)
    other = copy.deepcopy(autoencoder)
    expected = [other.sample(3000, random_state=seed) for seed in range(8)]
    filters = list(warnings.filters)
    for _ in range(5):
        drawn = in_threads(lambda seed: autoencoder.sample(3000, random_state=seed), range(8))
        for ours, theirs in zip(drawn, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert warnings.filters == filters


def test_the_mixture_is_fitted_once_for_all_threads(quick, X, monkeypatch):
    fitted, fit = [], _sampling._fit
    monkeypatch.setattr(_sampling, "_fit", lambda codes: fitted.append(1) or fit(codes))
    autoencoder = quick().fit(X)
    in_threads(lambda seed: autoencoder.sample(random_state=seed), range(6))
    assert len(fitted) == 1


def test_numpys_generator_is_neither_read_nor_moved(quick, X):
    autoencoder = quick().fit(X)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    autoencoder.sample(5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize("variational", [False, True])
def test_a_copy_gives_the_same_rows(quick, X, copied, asked_before, variational):
    autoencoder = quick(variational=variational).fit(X)
    if asked_before:
        autoencoder.sample(random_state=0)
    np.testing.assert_array_equal(
        copied(autoencoder).sample(5, random_state=0), autoencoder.sample(5, random_state=0)
    )


def test_a_sample_of_a_clone_is_refused_before_its_fit(quick, X):
    with pytest.raises(NotFittedError):
        clone(quick().fit(X)).sample()


def test_rows_follow_the_last_call_of_partial_fit(quick):
    X = two_clouds()
    autoencoder = quick(lr=1e-9).fit(X)
    assert autoencoder.sample(100, random_state=0)[:, 0].min() < -5
    autoencoder.partial_fit(X[X[:, 0] > 0])
    assert autoencoder.sample(100, random_state=0)[:, 0].min() > 5


def test_a_single_row_can_be_followed(quick, X):
    autoencoder = quick().fit(X).partial_fit(X[:1])
    new = autoencoder.sample(3, random_state=0)
    np.testing.assert_allclose(new, np.repeat(autoencoder.reconstruct(X[:1]), 3, axis=0), rtol=1e-4)


@pytest.mark.parametrize("params", [{"whiten": True}, {"nested": True, "n_components": 0.9}])
def test_new_rows_come_in_the_units_of_X_from_all_kinds_of_codes(quick, X, params):
    autoencoder = quick(**params).fit(1e3 * X + 1e4)
    new = autoencoder.sample(1000, random_state=0)
    np.testing.assert_allclose(new.mean(axis=0), 1e3 * X.mean(axis=0) + 1e4, atol=250)


@pytest.mark.quick
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("variational", [False, True])
def test_new_rows_have_the_dtype_of_the_training_data(quick, X, dtype, variational):
    assert quick(variational=variational).fit(X.astype(dtype)).sample(2).dtype == dtype


def test_new_rows_come_in_the_container_that_is_asked_for(quick, X):
    frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(120) + 7)
    autoencoder = quick().set_output(transform="pandas").fit(frame)
    new = autoencoder.sample(4)
    assert list(new.columns) == list("abcdef")
    assert list(new.index) == [0, 1, 2, 3]


def test_new_rows_stay_in_the_range_of_a_loss_that_has_one(quick, X):
    X = (X > 0).astype(float)
    new = quick(loss="binary_crossentropy").fit(X).sample(100, random_state=0)
    assert new.min() >= 0
    assert new.max() <= 1


def test_only_a_part_of_many_codes_is_kept(quick, X, monkeypatch):
    monkeypatch.setattr(_sampling, "MAX_SAMPLE", 30)
    autoencoder = quick().fit(X)
    assert autoencoder.model_.sampler.codes.shape == (30, 2)
    assert autoencoder.sample(4).shape == (4, 6)


def test_constant_rows_are_given_back(quick):
    new = quick().fit(np.full((20, 3), 5.0)).sample(4, random_state=0)
    np.testing.assert_allclose(new, 5.0, atol=1e-6)


@pytest.mark.parametrize(
    ("n_samples", "error"), [(0, ValueError), (-3, ValueError), (1.5, TypeError), ("2", TypeError)]
)
def test_a_number_of_rows_that_is_none_is_refused(quick, X, n_samples, error):
    with pytest.raises(error, match="n_samples"):
        quick().fit(X).sample(n_samples)
