"""Rows and columns without any known cell: never judged by, never a NaN, never a warning."""

import numpy as np
import pytest
from seams import data_of, split_rows

VARIANTS = {
    "defaults": {},
    "huber": {"loss": "huber"},
    "poisson": {"loss": "poisson"},
    "binary_crossentropy": {"loss": "binary_crossentropy"},
    "gaussian": {"corruption": "gaussian"},
    "salt_and_pepper": {"corruption": "salt_and_pepper"},
    "masking": {"corruption": "masking"},
    "swap": {"corruption": "swap"},
    "nested": {"nested": True},
    "variational": {"variational": True},
    "textbook": {"linear_shortcut": False},
    "pretrained": {"linear_shortcut": False, "pretrain": "layerwise"},
    "whitened": {"whiten": True},
}


def as_the_loss_takes_them(X, params):
    """Give rows between 0 and 1, where a loss asks for that."""
    return 1 / (1 + np.exp(-X)) if params.get("loss", "huber") != "huber" else X


def assert_losses_are_numbers(autoencoder):
    assert autoencoder.history_.drop(columns="dur").notna().all(axis=None)


@pytest.mark.sampled(every=5)
@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("n_known", [3, 60])
def test_rows_without_a_known_cell_neither_judge_nor_warn(quick, X, params, n_known):
    X = as_the_loss_takes_them(X, params)
    X[np.random.RandomState(0).permutation(120)[n_known:]] = np.nan
    autoencoder = quick(validation_fraction=0.2, **params).fit(X)
    assert_losses_are_numbers(autoencoder)
    unknown = np.full((2, 6), np.nan)
    for rows in (X, unknown):
        for method in ("transform", "reconstruct", "score_samples"):
            assert np.isfinite(getattr(autoencoder, method)(rows)).all()
        assert np.isfinite(autoencoder.score(rows))
    assert (autoencoder.reconstruction_error(unknown) == 0).all()
    assert np.isfinite(autoencoder.sample(3, random_state=0)).all()
    autoencoder.partial_fit(unknown).partial_fit(X)
    assert autoencoder.history_["train_loss"].notna().all()
    assert np.isfinite(autoencoder.transform(X)).all()


@pytest.mark.sampled(every=5)
@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("known", [0, 60])
def test_a_column_that_one_part_alone_knows_is_fitted(quick, X, params, known):
    X = as_the_loss_takes_them(X, params)
    X[np.arange(120) != known, 4] = np.nan
    for random_state in range(2):  # in one part or in the other
        params = params | {"random_state": random_state, "validation_fraction": 0.5}
        autoencoder = quick(**params).fit(X)
        assert_losses_are_numbers(autoencoder)
        assert np.isfinite(autoencoder.reconstruct(X)).all()


@pytest.mark.quick
@pytest.mark.parametrize("n_known", [1, 2, 30])
def test_validation_rows_are_rows_with_known_cells(quick, X, n_known):
    known = np.sort(np.random.RandomState(0).permutation(120)[:n_known])
    X[np.setdiff1d(np.arange(120), known)] = np.nan
    data = data_of(X, has_missing=True)
    np.testing.assert_array_equal(data.with_known_cells().rows, known)
    train, valid = split_rows(quick(1), data, np.random.RandomState(0))
    if n_known < 30:
        assert valid is None
        assert len(train) == 120  # all, where too few are known to set some of them aside
    else:
        np.testing.assert_array_equal(np.sort(np.r_[train, valid]), known)


@pytest.mark.quick
def test_classes_keep_their_shares_among_rows_with_known_cells(quick, X):
    y = np.arange(120) % 2
    X[::3] = np.nan
    autoencoder = quick(supervised_weight=1.0).fit(X, y)
    assert_losses_are_numbers(autoencoder)


@pytest.mark.quick
def test_only_two_rows_with_known_cells_are_fitted(quick, X):
    X[2:] = np.nan
    autoencoder = quick().fit(X)
    assert np.isfinite(autoencoder.transform(X)).all()
