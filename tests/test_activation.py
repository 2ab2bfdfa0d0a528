"""Which activation "auto" takes: one for few rows that have to beat PCA, one for all others."""

import numpy as np
import pytest
from scipy import sparse

from sk_autoencoder._training.few_rows import FEW
from sk_autoencoder._training.plan import LR

N_FEATURES = 3


def of_fit(fit):
    return fit.net_.module_.architecture["activation"]


def rows(n_distinct, n_copies=0):
    X = np.random.RandomState(0).standard_normal((n_distinct, N_FEATURES))
    return np.append(X, X[:n_copies], axis=0)


@pytest.mark.quick
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize(
    ("n_distinct", "expected"), [(20, "elu"), (FEW - 1, "elu"), (FEW, "silu")], ids=str
)
def test_distinct_rows_are_counted_and_not_those_that_train(quick, make, n_distinct, expected):
    few = quick(1, batch_size=512, max_epochs=1).fit(make(rows(n_distinct, n_copies=15)))
    assert of_fit(few) == expected


@pytest.mark.quick
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"refit": False}, "elu"),
        ({"early_stopping": False}, "elu"),
        ({"corruption": "gaussian"}, "silu"),
        ({"dropout": 0.1}, "silu"),
        ({"normalization": "batch"}, "silu"),
        ({"normalization": "layer"}, "elu"),
        ({"loss": "absolute_error"}, "silu"),
        ({"loss": "huber"}, "elu"),
        ({"nested": True}, "elu"),
        ({"sparsity_penalty": 0.1}, "silu"),
        ({"contractive_penalty": 0.1}, "silu"),
        ({"linear_shortcut": False}, "silu"),
        ({"activation": "tanh"}, "tanh"),
        ({"activation": "tanh", "sparsity_penalty": 0.1}, "tanh"),
    ],
    ids=str,
)
def test_fits_whose_gradients_are_noisy_or_jump_take_that_of_many_rows(quick, X, params, expected):
    assert of_fit(quick(**params).fit(X)) == expected


@pytest.mark.quick
def test_supervised_codes_take_that_of_many_rows(quick, X):
    assert of_fit(quick(supervised_weight=1.0).fit(X, X[:, 0])) == "silu"


@pytest.mark.quick
def test_a_fit_that_goes_on_keeps_its_activation(quick, X):
    autoencoder = quick(1, warm_start=True, batch_size=512, max_epochs=1).fit(rows(20))
    assert of_fit(autoencoder.fit(rows(FEW))) == "elu"
    assert of_fit(autoencoder.partial_fit(rows(FEW))) == "elu"


@pytest.mark.quick
def test_partial_fit_takes_that_of_many_rows_since_more_may_come(quick, X):
    autoencoder = quick().partial_fit(X[:20])
    assert of_fit(autoencoder) == "silu"
    assert of_fit(autoencoder.fit(X)) == "elu"
    assert of_fit(autoencoder.partial_fit(X)) == "elu"


@pytest.mark.quick
def test_a_network_with_missing_cells_takes_that_of_many_rows(quick, X):
    X[::3, 1] = np.nan
    assert of_fit(quick().fit(X)) == "silu"


@pytest.mark.quick
@pytest.mark.parametrize("activation", ["celu", "elu", "silu"])
def test_steps_of_partial_fit_are_half_as_long_where_the_activation_is_steep(quick, X, activation):
    once = quick(activation=activation, lr="auto", lr_schedule="constant").partial_fit(X)
    expected = LR if activation == "silu" else LR / 2
    assert once.partial_fit(X).net_.optimizer_.param_groups[0]["lr"] == expected


@pytest.mark.quick
def test_the_parameter_stays_as_it_was_given(quick, X):
    autoencoder = quick().fit(X)
    assert autoencoder.activation == "auto"
    named = quick(activation="elu").fit(X)
    np.testing.assert_array_equal(named.transform(X), autoencoder.transform(X))
