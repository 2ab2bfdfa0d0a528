"""Faults from outside a fit: memory, killed workers, other threads, bad parts of a stream."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch
from conftest import curved
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from test_atomic import WAYS, EndedError, check_unchanged, state_of
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training._steps import pieces
from sk_autoencoder._training._steps.backprop import Backprop
from sk_autoencoder._training.net import AutoencoderNet

pytestmark = pytest.mark.filterwarnings("ignore:The last fit trained on all rows")

HOOKS = [
    *("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_batch_begin"),
    *("on_batch_end", "on_grad_computed", "initialize"),
]
ERRORS = {
    "GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "CPU": RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate"
                        " memory: you tried to allocate 80 bytes."),
    "NumPy": MemoryError("Unable to allocate 3.00 GiB for an array"),
}  # fmt: skip


class RaisesIn(Callback):
    """Raises in a hook of skorch."""

    def __init__(self, hook):
        self.hook = hook

    def __getattribute__(self, name):
        if name != "hook" and name == self.hook:
            raise EndedError
        return super().__getattribute__(name)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_callback_that_raises(quick, X, hook, way):
    autoencoder = quick(whiten=True, callbacks=[]).fit(X)
    autoencoder.set_params(callbacks=[("raises", RaisesIn(hook))])
    check_unchanged(autoencoder, X, way, EndedError)


@pytest.fixture
def limited(monkeypatch):
    """Give a function that lets memory run out in steps of more than so many rows."""

    def limit(most, error):
        sizes = []

        def checked(compute):
            def computed(self, t, *args):
                if len(t) > most:
                    raise error
                sizes.append(len(t))
                return compute(self, t, *args)

            return computed

        for cls, name in ((Backprop, "__call__"), (AutoencoderNet, "_gradients_told")):
            monkeypatch.setattr(cls, name, checked(getattr(cls, name)))
        return sizes

    return limit


KINDS = {
    "plain": {},
    "weights": {"sample_weight": np.linspace(0.5, 2, 120)},
    "with a graph": {"activation": "tanh", "sparsity_penalty": 1e-3, "sparsity": "l1"},
    "watched": {"callbacks": [("nothing", Callback())]},
    "missing values": {"X": np.where(curved(120) > 1.5, np.nan, curved(120))},
    "supervised": {"supervised_weight": 0.1, "y": np.arange(120) % 2},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", ERRORS.values(), ids=list(ERRORS))
def test_memory_that_runs_out_at_a_batch(smooth, limited, kind, error):
    params = {"batch_size": 32, "max_epochs": 2, "early_stopping": False} | KINDS[kind]
    X = params.pop("X", curved(120))
    passed = {k: params.pop(k) for k in ("y", "sample_weight") if k in params}
    expected = smooth(**params).fit(X, **passed)
    sizes = limited(10, error)
    with pytest.warns(UserWarning, match="memory does not suffice for a batch of 30 rows") as told:
        fitted = smooth(**params).fit(X, **passed)
    assert len([each for each in told if "memory" in str(each.message)]) == 2  # 15 rows, then 8
    assert max(sizes) <= 10
    if kind != "supervised":  # whose labels are mixed at random among the rows of a batch
        np.testing.assert_allclose(fitted.transform(X), expected.transform(X), rtol=0.02, atol=0.02)


def test_memory_that_does_not_suffice_for_a_row(quick, X, limited):
    autoencoder = quick(batch_size=4).fit(X)
    before = state_of(autoencoder)
    limited(0, ERRORS["GPU"])
    with pytest.raises(torch.OutOfMemoryError), pytest.warns(UserWarning, match="memory does not"):
        autoencoder.fit(X)
    assert state_of(autoencoder) == before


def test_other_errors_are_not_taken_for_that(quick, X, monkeypatch):
    monkeypatch.setattr(Backprop, "__call__", lambda *_: (_ for _ in ()).throw(RuntimeError("x")))
    with pytest.raises(RuntimeError, match="x"):
        quick().fit(X)


def test_gradients_of_pieces_are_those_of_the_whole():
    layer = nn.Linear(5, 3)
    rows = torch.randn(11, 5)
    target = pieces.Target(torch.randn(11, 3), torch.rand(11))

    def compute(t, target):
        layer.zero_grad()
        loss = ((layer(t) - target.rows).square().mean(1) * target.weight).mean()
        loss.backward()
        return loss.detach()

    whole = pieces.InPieces(compute, layer.parameters())
    loss, gradient = whole(rows, target), layer.weight.grad.clone()
    for n_pieces in (2, 4, 8, 16):
        whole.n_pieces = n_pieces
        torch.testing.assert_close(whole(rows, target), loss)
        torch.testing.assert_close(layer.weight.grad, gradient)


@pytest.mark.parametrize(
    "bad",
    [
        lambda X: np.where(X.max() - 1e-9 < X, np.inf, X),
        lambda X: X * 1e200,
        lambda X: X[:, 1:],
        lambda X: X[:0],
        lambda X: np.full(X.shape, "x"),
    ],
)
def test_a_bad_part_of_a_stream_leaves_no_trace(quick, bad):
    parts = np.array_split(curved(200), 5)
    expected = quick().fit(parts[0])
    streamed = quick().fit(parts[0])
    for part in parts[1:]:
        expected.partial_fit(part)
        before = state_of(streamed)
        with pytest.raises(ValueError, match=r"."):
            streamed.partial_fit(bad(part))
        assert state_of(streamed) == before
        streamed.partial_fit(part)
    for one, other in zip(streamed.net_.arrays(), expected.net_.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(streamed.transform(parts[0]), expected.transform(parts[0]))


def test_missing_values_in_the_middle_of_a_stream(quick):
    parts = np.array_split(curved(200), 5)
    streamed = quick().fit(parts[0])
    parts[2][3:9, 1:4] = np.nan
    parts[3][:] = np.nan
    for part in parts[1:3]:
        streamed.partial_fit(part)
    assert np.isfinite(streamed.reconstruct(parts[2])).all()
    before = state_of(streamed)
    try:
        streamed.partial_fit(parts[3])  # nothing to learn from
    except ValueError:
        assert state_of(streamed) == before
    streamed.partial_fit(parts[4])
    assert np.isfinite(streamed.transform(parts[4])).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_loss_that_explodes(quick, X, way):
    autoencoder = quick(early_stopping=False).fit(X)
    autoencoder.set_params(lr=1e30, optimizer="adamw")
    check_unchanged(autoencoder, X, way, ValueError)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_of_ones_own_that_is_not_finite_later_on(quick, X, value):
    calls = []

    def loss(reconstruction, target):
        calls.append(1)
        error = (reconstruction - target).square()
        return error * value if len(calls) > 20 else error

    fitted = quick(loss=loss, early_stopping=False).fit(X[:8])
    calls.clear()
    before, codes = vars(fitted).copy(), fitted.transform(X)
    with pytest.raises(ValueError, match=r"diverged|not finite|nan|inf"):
        fitted.fit(X)
    assert vars(fitted) == before
    np.testing.assert_array_equal(fitted.transform(X), codes)


class Killed(AutoencoderTransformer):
    """Kills the process that fits it, but for the test's own."""

    def fit(self, X, y=None, **params):
        if multiprocessing.current_process().name != "MainProcess":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y, **params)


@pytest.mark.slow
def test_a_worker_killed_in_a_search(quick, X):
    base = quick(max_epochs=1).get_params()
    search = GridSearchCV(Killed(**base), {"n_components": [1, 2]}, cv=2, n_jobs=2)
    with pytest.raises(TerminatedWorkerError):
        search.fit(X)
    # The next one has new workers.
    search = GridSearchCV(quick(max_epochs=1), {"n_components": [1, 2]}, cv=2, n_jobs=2).fit(X)
    assert np.isfinite(search.best_score_)


@pytest.mark.slow
def test_an_array_that_another_thread_changes(quick):
    X = curved(400)
    ended = threading.Event()

    def change():
        rng = np.random.RandomState(0)
        while not ended.is_set():
            X[rng.randint(len(X))] = rng.standard_normal(6)

    fitted = quick(max_epochs=8).fit(curved(100))
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(3):
            fitted.fit(X)
            assert np.isfinite(fitted.transform(curved(50))).all()
    finally:
        ended.set()
        thread.join()


def test_threads_that_transform_sample_and_fit_at_once(quick):
    X, X_new = curved(150), curved(60, seed=1)
    shared, other = quick().fit(X), quick(random_state=1).fit(X)
    codes, rows = shared.transform(X_new), shared.sample(20, random_state=0)
    expected = other.transform(X_new)
    shared_codes = [codes, shared.model_.encode(X_new)]

    def ask(i):
        if i % 4 == 0:
            found = quick(random_state=1).fit(X).transform(X_new)
            return np.array_equal(found, expected)
        if i % 4 == 1:
            return np.array_equal(shared.sample(20, random_state=0), rows)
        if i % 4 == 2:
            return np.array_equal(shared.inverse_transform(codes), shared.model_.decode(codes))
        return np.array_equal(shared.transform(X_new), shared_codes[1])

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(ask, range(48)))


def test_readers_see_an_old_or_a_new_fit_and_nothing_between(quick):
    X, X_new = curved(150), curved(60, seed=1)
    fitted = quick(max_epochs=1).fit(X)
    models = [fitted.transform(X_new)]
    models.append(quick(max_epochs=1).fit(2 * X).transform(X_new))
    ended, wrong = threading.Event(), []

    def read():
        while not ended.is_set():
            codes = fitted.transform(X_new)
            if not any(np.array_equal(codes, known) for known in models):
                wrong.append(codes)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(6):
        fitted.fit(X if i % 2 else 2 * X)
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def work(fitted, X):
    """Transform, sample and fit in another process."""
    again = AutoencoderTransformer(**fitted.get_params()).fit(X)
    return fitted.transform(X), fitted.sample(5, random_state=0), again.transform(X)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_after_a_fit(quick, X, method):
    fitted = quick().fit(X)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = [pool.submit(work, fitted, X).result(timeout=120) for _ in range(2)]
    expected = work(fitted, X)
    for results in found:
        for one, other in zip(results, expected, strict=True):
            np.testing.assert_array_equal(one, other)
