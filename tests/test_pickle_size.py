"""A pickle of a fitted estimator is hardly larger than its weights."""

import pickle

import numpy as np
import pytest

N = np.random.RandomState(0).standard_normal

TABLES = {
    "narrow": (lambda: N((150, 4)), {}),
    "float32": (lambda: N((1800, 64)).astype(np.float32), {"n_components": 8}),
    "many rows, float32": (lambda: N((10_000, 20)).astype(np.float32), {"n_components": 10}),
    "wide, float32": (lambda: N((2000, 500)).astype(np.float32), {"n_components": 32}),
    "wide": (lambda: N((2000, 500)), {"n_components": 16}),
    "missing values": (
        lambda: np.where(N((1000, 50)) < -1, np.nan, N((1000, 50))),
        {"n_components": 5},
    ),
    "whitened": (lambda: N((1000, 50)), {"n_components": 20, "whiten": True}),
    "variational": (lambda: N((1000, 50)), {"n_components": 5, "variational": True}),
}


def n_bytes(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize(("table", "params"), TABLES.values(), ids=TABLES)
def test_a_pickle_is_at_most_one_and_a_half_times_the_weights(quick, table, params):
    params = {"hidden_layer_sizes": "auto", "max_epochs": 1, "batch_size": "auto"} | params
    autoencoder = quick(**params).fit(table())
    model = autoencoder.model_
    rotation = [] if model.frame.components is None else [model.frame.components]
    weights = n_bytes([*model.module.parameters(), *model.bottleneck.parameters(), *rotation])
    assert len(pickle.dumps(autoencoder)) <= 1.5 * weights + 50_000


def test_what_only_a_fit_that_goes_on_needs_is_kept_where_one_may(quick, X):
    plain, warm, partial = quick().fit(X), quick(warm_start=True).fit(X), quick().partial_fit(X)
    assert plain.net_.optimizer_ is None
    sizes = [len(pickle.dumps(each)) for each in (plain, warm, partial)]
    assert min(sizes[1:]) > sizes[0]
    assert warm.net_.optimizer_.state
    assert partial.net_.optimizer_.state


def test_after_a_plain_fit_a_step_begins_with_a_new_optimizer(quick, X):
    autoencoder = quick().fit(X)
    copied = pickle.loads(pickle.dumps(autoencoder))
    np.testing.assert_array_equal(
        autoencoder.partial_fit(X).transform(X), copied.partial_fit(X).transform(X)
    )
    steps = [int(state["step"]) for state in autoencoder.net_.optimizer_.state.values()]
    assert set(steps) == {-(-len(X) // 8)}
