"""Collections of dask: trained where their blocks lie, answered lazily."""

import logging
import os
import signal
import sys
import threading
import time

import dask
import numpy as np
import pandas as pd
import pytest
from dask import array as da
from dask import dataframe as dd
from distributed import Client, LocalCluster

from sk_autoencoder import AutoencoderTransformer, load
from sk_autoencoder._dask.training import train_on_workers
from sk_autoencoder.dask import DaskAutoencoderTransformer
from tests.launched import curved

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:Port")
PARAMS = {"n_components": 2, "max_epochs": 6, "random_state": 0}
NAMES = [f"c{i}" for i in range(7)]


@pytest.fixture(autouse=True, scope="module")
def _environment():
    """Take back what dask sets for its workers, and leaves to other tests: numbers of threads."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def _tasks():
    """Tell of no task of a killed worker that nobody waits for, as it is collected, be it later.

    To tell of it parses its lines, and Python 3.11 fails where that happens within a parse.
    """
    logging.getLogger("asyncio").addFilter(is_waited_for)


def is_waited_for(record):
    return "never retrieved" not in record.getMessage()


@pytest.fixture(scope="module")
def cluster():
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    # A worker that was killed comes back, be it late on a busy machine: it is not given up before.
    patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
    with patient, LocalCluster(**settings, processes=True) as started:
        yield started


@pytest.fixture
def client(cluster):
    with Client(cluster) as connected:
        connected.wait_for_workers(2, timeout=60)
        yield connected


@pytest.fixture(scope="module")
def X():
    return curved(8000)


def lazy(X, chunks=1000):
    return da.from_array(X[:6000], chunks=(chunks, 7))


def frame(X):
    return dd.from_pandas(pd.DataFrame(X[:6000], columns=NAMES), npartitions=5)


@pytest.fixture
def fitted(client, X):
    return DaskAutoencoderTransformer(**PARAMS).fit(lazy(X))


def test_workers_without_the_package_are_named(X):
    def hide():
        sys.modules["sk_autoencoder"] = None

    settings = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings, processes=True) as cluster, Client(cluster) as client:
        client.run(hide)
        with pytest.raises(ModuleNotFoundError, match=r"1 of the 1 workers .* such as tcp://"):
            DaskAutoencoderTransformer(**PARAMS).fit(lazy(X))


def test_errors_are_those_of_one_process(fitted, X):
    alone = AutoencoderTransformer(**PARAMS).fit(X[:6000])
    assert 1 - fitted.score(X[6000:]) < 1.2 * (1 - alone.score(X[6000:]))


def test_what_is_asked_of_arrays_stays_lazy(fitted, X):
    rows, local = lazy(X), fitted.to_local()
    codes = fitted.transform(rows)
    answers = {
        "transform": (codes, local.transform(X[:6000])),
        "reconstruct": (fitted.reconstruct(rows), local.reconstruct(X[:6000])),
        "inverse": (fitted.inverse_transform(codes), local.reconstruct(X[:6000])),
        "score_samples": (fitted.score_samples(rows), local.score_samples(X[:6000])),
    }
    for found, expected in answers.values():
        assert isinstance(found, da.Array)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert found.chunks[0] == rows.chunks[0]
        assert type(found._meta) is np.ndarray
        np.testing.assert_allclose(found.compute(), expected, rtol=1e-4, atol=1e-5)


def test_what_is_asked_of_frames_has_names_and_an_index(client, X):
    rows = frame(X)
    fitted = DaskAutoencoderTransformer(**PARAMS).fit(rows)
    assert list(fitted.feature_names_in_) == NAMES
    whole = rows.compute()
    for method, names in (
        ("transform", list(fitted.get_feature_names_out())),
        ("reconstruct", NAMES),
    ):
        found = getattr(fitted, method)(rows)
        assert list(found.columns) == names
        computed = found.compute()
        assert (computed.dtypes == found.dtypes).all()
        expected = getattr(fitted.to_local(), method)(whole)
        np.testing.assert_allclose(computed.to_numpy(), expected, rtol=1e-4, atol=1e-5)
        pd.testing.assert_index_equal(computed.index, whole.index)
    scores = fitted.score_samples(rows).compute()
    np.testing.assert_allclose(scores, fitted.to_local().score_samples(whole), rtol=1e-4)


def test_the_model_is_an_ordinary_one(fitted, X, tmp_path):
    local = fitted.to_local()
    assert type(local) is AutoencoderTransformer
    assert local.get_params() == fitted.get_params()
    local.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(X[:50]), fitted.transform(X[:50]))


@pytest.mark.slow
def test_few_rows_and_empty_blocks_are_fitted(client, X):
    few = DaskAutoencoderTransformer(**PARAMS).fit(lazy(X[:600], 200))
    assert few.validation_score_ > few.pca_validation_score_ - 0.1
    blocks = [lazy(X), da.from_array(X[:0], chunks=(1, 7)), lazy(X[:100], 10)]
    DaskAutoencoderTransformer(**PARAMS).fit(da.concatenate(blocks))


@pytest.mark.slow
def test_a_worker_with_few_rows_trains_beside_one_with_many(client, X):
    sizes = dict(zip(client.scheduler_info()["workers"], (5950, 50), strict=True))
    blocks, start = [], 0
    for worker, size in sizes.items():
        blocks.append(client.scatter(X[start : start + size], workers=[worker]))
        start += size
    fitted = train_on_workers(AutoencoderTransformer(**PARAMS), blocks, client)
    alone = AutoencoderTransformer(**PARAMS).fit(X[:6000])
    assert 1 - fitted.score(X[6000:]) < 1.2 * (1 - alone.score(X[6000:]))


@pytest.mark.slow
def test_columns_in_chunks_are_put_together(client, X):
    rows = da.from_array(X[:6000], chunks=(1000, 3))
    fitted = DaskAutoencoderTransformer(**PARAMS).fit(rows)
    assert fitted.transform(rows).compute().shape == (6000, 2)


@pytest.mark.slow
def test_a_single_block_is_fitted_by_one_worker(client, X):
    fitted = DaskAutoencoderTransformer(**PARAMS).fit(lazy(X, 6000))
    assert fitted.n_features_in_ == 7


def test_no_rows_of_memory_are_taken(client, X):
    with pytest.raises(TypeError, match="use AutoencoderTransformer"):
        DaskAutoencoderTransformer(**PARAMS).fit(X)
    with pytest.raises(ValueError, match="3 dimensions"):
        DaskAutoencoderTransformer(**PARAMS).fit(da.zeros((4, 4, 4)))


def with_missing(block, block_info=None):
    block = block.copy()
    if block_info[0]["chunk-location"][0] == 3:
        block[7, 2] = np.nan
    return block


def failing(block, block_info=None):
    if block_info and block_info[0]["chunk-location"][0] == 3:
        raise OSError("the disk is gone")
    return block


def test_a_missing_cell_is_named_with_its_worker(client, X):
    bad = lazy(X).map_blocks(with_missing, dtype=np.float32)
    with pytest.raises(ValueError, match=r"block \d+\) of X have missing cells") as caught:
        DaskAutoencoderTransformer(**PARAMS).fit(bad)
    assert any("the worker tcp://" in note for note in caught.value.__notes__)
    DaskAutoencoderTransformer(**PARAMS).fit(lazy(X))


def test_a_block_that_cannot_be_computed_says_why(client, X):
    bad = lazy(X).map_blocks(failing, dtype=np.float32, meta=np.empty((0, 0), np.float32))
    with pytest.raises(OSError, match="the disk is gone"):
        DaskAutoencoderTransformer(**PARAMS).fit(bad)


def in_float64(block, block_info=None):
    # The last block, which comes after all others of the worker that has it.
    return block.astype(float) if block_info[0]["chunk-location"][0] == 5 else block


def test_a_block_of_another_dtype_is_refused(client, X):
    mixed = lazy(X).map_blocks(in_float64, dtype=np.float32)
    with pytest.raises(ValueError, match="is of dtype float64, but those before are of float32"):
        DaskAutoencoderTransformer(**PARAMS).fit(mixed)


def kill_a_worker(client, X, seconds):
    """Kill a worker in the middle of a fit; return the seconds until the error."""
    pids = [*client.run(os.getpid).values()]
    threading.Timer(seconds, os.kill, (pids[-1], signal.SIGKILL)).start()
    began = time.monotonic()
    long = DaskAutoencoderTransformer(2, max_epochs=100_000, early_stopping=False)
    with pytest.raises((RuntimeError, ConnectionError)):
        long.fit(lazy(X))
    assert not hasattr(long, "model_")
    return time.monotonic() - began - seconds


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_fit_and_the_next_one_works(client, X):
    assert kill_a_worker(client, X, 3.0) < 60
    client.wait_for_workers(2, timeout=60)
    DaskAutoencoderTransformer(**PARAMS).fit(lazy(X))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_no_kill_leaves_a_fit_waiting(client, X, seed):
    client.wait_for_workers(2, timeout=60)
    assert kill_a_worker(client, X, np.random.default_rng(seed).uniform(0.1, 4)) < 60


@pytest.mark.slow
def test_a_search_runs_on_the_workers(client, X):
    import joblib
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(AutoencoderTransformer(**PARAMS), {"lr": [1e-3, 1e-2]}, cv=2)
    with joblib.parallel_config(backend="dask"):
        search.fit(X[:600])
    assert search.best_params_["lr"] in (1e-3, 1e-2)
