"""A fit that was killed goes on from its checkpoint, and ends as if nothing had happened."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from conftest import OwnModule, curved
from scipy import sparse
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, Freezer, LRScheduler
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import budget, checkpoints
from sk_autoencoder._training.net import AutoencoderNet


class Killed(BaseException):
    """Ends a fit as a signal would that nothing can catch."""


def missing():
    rows = curved(120)
    rows[np.random.RandomState(1).uniform(size=rows.shape) < 0.1] = np.nan
    return rows


LONG = {"max_epochs": 9}
MADE_ANEW = ("callbacks", "random_state")  # given as functions that make them
CASES = {
    "default": {"max_epochs": "auto", "lr": "auto", "batch_size": "auto", "checkpoint_every": 50},
    "many rows": {"X": curved(2500), "batch_size": 256},
    "nested": {"nested": True, "lr": "auto"},
    "whitened": {"whiten": True},
    "variational": {"variational": True},
    "textbook": {"linear_shortcut": False},
    "dropout": {"dropout": 0.2, "normalization": "layer"},
    "batch normalization": {"normalization": "batch"},
    "noise": {"corruption": "gaussian"},
    "masking": {"corruption": "masking", "sparsity_penalty": 0.1},
    "contractive": {"contractive_penalty": 0.1, "activation": "tanh"},
    "supervised": {"supervised_weight": 0.5, "y": np.arange(120) % 3},
    "poisson": {"X": np.abs(curved(120)), "loss": "poisson"},
    "missing values": {"X": missing()},
    "sparse": {"X": sparse.csr_array(np.maximum(curved(120), 0))},
    "weights": {"sample_weight": np.linspace(0.5, 2, 120)},
    "groups": {"groups": np.repeat(np.arange(40), 3)},
    "float32": {"X": curved(120).astype(np.float32)},
    "own module": {"module": OwnModule},
    "SGD": {"optimizer": "sgd", "lr": 0.01, "average": False, "lr_schedule": "constant"},
    "all rows": {"early_stopping": False},
    "no refit": {"refit": False},
    "generator": {"random_state": lambda: np.random.RandomState(7)},
    "callbacks": {
        "max_epochs": 12,
        "lr_schedule": "constant",
        "callbacks": lambda: [
            ("scoring", EpochScoring("neg_mean_squared_error", name="score")),
            ("stopping", EarlyStopping("train_loss", patience=8, threshold=0.9)),
            ("rates", LRScheduler("StepLR", step_size=2, gamma=0.5)),
            ("freezer", Freezer("*shortcut*")),
        ],
    },
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


@pytest.fixture
def run(quick):
    """Give a function that fits a case, of which some parameters are those of `fit`."""

    def run(case, before=None, **others):
        params = LONG | {
            k: v() if k in ("callbacks", "random_state") else v for k, v in case.items()
        }
        X = params.pop("X", curved(120))
        passed = {k: params.pop(k) for k in ("y", "sample_weight", "groups") if k in params}
        resumed = {k: others.pop(k) for k in ("resume_from",) if k in others}
        made = quick(**(params | others)) if before is None else before.set_params(**others)
        return made.fit(X, **passed, **resumed)

    return run


def bits(fitted):
    """Return all weights, and what else a fit has found."""
    scores = (fitted.best_epoch_, fitted.validation_score_, fitted.mean_, fitted.n_iter_)
    history = fitted.history_.drop(columns=["dur"])
    return pickle.dumps([[a.tobytes() for a in fitted.net_.arrays()], scores, history.to_dict()])


def killed_after(monkeypatch, n_writes):
    """End the fits to come after so many checkpoints; give a list of those written."""
    write, written = checkpoints.Checkpoints.write, []

    def and_end(self):
        write(self)
        written.append(len(self.states))
        if len(written) == n_writes:
            raise Killed

    monkeypatch.setattr(checkpoints.Checkpoints, "write", and_end)
    return written


# The others differ little from these.
FEW = ("many rows", "nested", "variational", "missing values", "own module", "callbacks", "weights")


@pytest.mark.sampled(only=["weights", "variational", "own module"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FEW else [pytest.mark.slow]) for name in CASES]
)
def test_killed_fit_goes_on_bit_by_bit(run, path, name, monkeypatch):
    case = CASES[name]
    kept = {"checkpoint": path} | ({} if name == "default" else {"checkpoint_every": 4})
    expected = bits(run(case))
    with monkeypatch.context() as patched:
        written = killed_after(patched, 0)
        assert bits(run(case, **kept)) == expected
    for n_writes in {1, len(written) // 2, len(written) - 1} - {0}:
        path.unlink()
        with monkeypatch.context() as patched:
            killed_after(patched, n_writes)
            with pytest.raises(Killed):
                run(case, **kept)
        resumed = run(case, **kept, resume_from=str(path))
        assert bits(resumed) == expected


@pytest.mark.parametrize("n_rows", [300, 2200])
def test_a_fit_killed_in_a_training_in_larger_batches(run, path, n_rows, monkeypatch):
    monkeypatch.setattr(budget, "AUTO_EPOCHS", (2, 2))
    # Noise, of which nothing can be learned.
    X = np.random.RandomState(0).standard_normal((n_rows, 6))
    case = {"X": X, "max_epochs": "auto", "lr": "auto", "batch_size": "auto"}
    with monkeypatch.context() as patched:
        written = killed_after(patched, 0)
        expected = bits(run(case, checkpoint=path, checkpoint_every=1))
    assert written[:10] == [1] * 2 + [2] * 8
    for n_writes in (2, 5, 9):
        path.unlink()
        with monkeypatch.context() as patched:
            killed_after(patched, n_writes)
            with pytest.raises(Killed):
                run(case, checkpoint=path, checkpoint_every=1)
        resumed = run(case, checkpoint=path, checkpoint_every=1, resume_from=str(path))
        assert bits(resumed) == expected


@pytest.mark.parametrize("bits_of", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_each_kind_of_random_source(run, path, monkeypatch, bits_of):
    def source():
        return np.random.RandomState(getattr(np.random, bits_of)(3))

    expected = bits(run({}, random_state=source()))
    with monkeypatch.context() as patched:
        killed_after(patched, 1)
        with pytest.raises(Killed):
            run({}, random_state=source(), checkpoint=path, checkpoint_every=3)
    resumed = run({}, random_state=source(), checkpoint=path, resume_from=path)
    assert bits(resumed) == expected


def test_each_training_of_a_fit_is_kept(run, path, monkeypatch):
    written = killed_after(monkeypatch, 0)
    run(CASES["default"], checkpoint=path)
    assert max(written) >= 2  # the first training, and the refit at least


def test_killed_fit_that_goes_on_from_another(run, path, monkeypatch):
    case = {"warm_start": True, "refit": False}
    once = [run(case), run(case), run(case)]
    expected = bits(run(case, before=once[0]))
    with monkeypatch.context() as patched:
        killed_after(patched, 1)
        with pytest.raises(Killed):
            run(case, before=once[1], checkpoint=path, checkpoint_every=3)
    assert bits(run(case, before=once[2], checkpoint=path, resume_from=path)) == expected
    with pytest.raises(ValueError, match="another fit: the fit before was not the same"):
        run(case, resume_from=path)


def test_pipelines_hand_it_on(quick, X, path):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), quick(checkpoint=path))
    codes = pipeline.fit_transform(X)
    pipeline.fit(X, autoencodertransformer__resume_from=path)
    np.testing.assert_array_equal(pipeline.transform(X), codes)


def test_file_of_a_fit_that_ended_gives_its_result_at_once(quick, X, path, monkeypatch):
    fitted = quick(checkpoint=path).fit(X)
    monkeypatch.setattr(AutoencoderNet, "fit_epoch", None)
    assert bits(quick().fit(X, resume_from=path)) == bits(fitted)


@pytest.mark.parametrize(
    ("others", "named"),
    [
        ({"n_components": 3}, "n_components"),
        ({"max_epochs": 4}, "max_epochs"),
        ({"callbacks": [EarlyStopping("train_loss")]}, "callbacks"),
        ({"random_state": 1}, "random_state"),
        ({"sample_weight": np.linspace(1, 2, 120)}, "X, or what belongs to its rows,"),
        ({"X": curved(120, seed=3)}, "X, or what belongs to its rows,"),
        ({"X": curved(120).astype(np.float32)}, "X, or what belongs to its rows,"),
    ],
)
def test_other_fits_do_not_go_on_from_it(run, path, others, named):
    run({}, checkpoint=path)
    case = {
        k: (lambda v=v: v) if k in ("callbacks", "random_state") else v for k, v in others.items()
    }
    with pytest.raises(ValueError, match=f"another fit: {named} was not the same"):
        run(case, resume_from=path)


def test_what_only_tells_of_a_fit_may_be_another(run, path, capsys):
    fitted = run({}, checkpoint=path)
    again = run({"verbose": 1, "checkpoint_every": 2, "device": "cpu"}, resume_from=path)
    assert bits(again) == bits(fitted)


class Evil:
    def __reduce__(self):
        return os.system, ("touch was_run",)


def of_other_version(path):
    torch.save({"kind": checkpoints.KIND, "version": 2}, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), "is no checkpoint that can be read"),
        (lambda path: path.write_bytes(b"\x80\x04x" * 99), "is no checkpoint that can be read"),
        (lambda path: path.write_bytes(pickle.dumps(Evil())), "is no checkpoint that can be read"),
        (lambda path: torch.save({"evil": Evil()}, path), "is no checkpoint that can be read"),
        (lambda path: torch.save({"a": torch.ones(2)}, path), "but no checkpoint of a fit"),
        (lambda path: torch.save([1], path), "but no checkpoint of a fit"),
        (of_other_version, "of version 2, and this"),
        (lambda path: path.mkdir(), "is no file"),
        (lambda path: None, "is not there"),
    ],
)
def test_no_checkpoint(quick, X, path, write, message, monkeypatch):
    monkeypatch.chdir(path.parent)
    write(path)
    fitted = quick().fit(X)
    before = bits(fitted)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        fitted.fit(X, resume_from=path)
    assert bits(fitted) == before
    assert not (path.parent / "was_run").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_checkpoint(quick, X, path, share):
    quick(checkpoint=path).fit(X)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="is no checkpoint that can be read"):
        quick().fit(X, resume_from=path)


@pytest.mark.quick
def test_place_is_looked_at_before_the_fit(quick, X, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        quick(checkpoint=tmp_path).fit(X)
    with pytest.raises(FileNotFoundError, match="cannot be written"):
        quick(checkpoint=tmp_path / "none" / "fit").fit(X)
    with pytest.raises(ValueError, match="'checkpoint_every' parameter"):
        quick(checkpoint_every=0).fit(X)


def test_full_disk_does_not_end_a_fit(quick, X, path, monkeypatch):
    quick(checkpoint=path, max_epochs=2).fit(X)
    before, expected = path.read_bytes(), bits(quick().fit(X))

    def save(content, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", save)
    with pytest.warns(UserWarning, match="could not be written.*No space left on device"):
        fitted = quick(checkpoint=path).fit(X)
    assert bits(fitted) == expected
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


class Strange:
    """An object that no file of tensors holds."""


class Stubborn(OwnModule):
    """A module whose state is an object."""

    def get_extra_state(self):
        return Strange()

    def set_extra_state(self, state):
        pass


def test_state_that_is_no_value(quick, X, path):
    with pytest.raises(ValueError, match=r"cannot keep the state of a module: Strange is"):
        quick(module=Stubborn, checkpoint=path).fit(X)


class Dated(Callback):
    """Writes what is no number into the history."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("at", Strange())


def test_history_that_is_no_value(quick, X, path):
    with pytest.raises(ValueError, match=r"cannot keep the state of the history of skorch: Stran"):
        quick(callbacks=[Dated()], checkpoint=path, checkpoint_every=1).fit(X)


class Annealed(nn.Module):
    """A loss that counts its calls."""

    def __init__(self):
        super().__init__()
        self.register_buffer("n_calls", torch.zeros(()))

    def forward(self, reconstruction, target):
        self.n_calls += 1
        return (reconstruction - target).square() * (1 + 1 / self.n_calls)


def test_state_of_a_loss_is_kept(run, path, monkeypatch):
    expected = bits(run({}, loss=Annealed()))
    with monkeypatch.context() as patched:
        killed_after(patched, 2)
        with pytest.raises(Killed):
            run({}, loss=Annealed(), checkpoint=path, checkpoint_every=3)
    assert bits(run({}, loss=Annealed(), checkpoint=path, resume_from=path)) == expected


def huber(delta):
    def loss(reconstruction, target):
        error = (reconstruction - target).abs()
        return torch.where(error < delta, error.square(), delta * error)

    return loss


def seeded(seed):
    torch.manual_seed(seed)
    return OwnModule()


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        ({"loss": huber(0.1)}, {"loss": huber(10.0)}, "loss"),
        ({"module": seeded(0)}, {"module": seeded(1)}, "the weights of module"),
        (
            {"callbacks": [EarlyStopping("train_loss", patience=6)]},
            {"callbacks": [EarlyStopping("train_loss", patience=99)]},
            "callbacks",
        ),
    ],
)
def test_other_code_does_not_go_on_from_it(quick, X, path, before, now, named):
    quick(**before, checkpoint=path).fit(X)
    with pytest.raises(ValueError, match=f"another fit: {named} was not the same"):
        quick(**now).fit(X, resume_from=path)
    quick(**before).fit(X, resume_from=path)


@pytest.mark.slow
def test_a_function_is_the_same_in_another_process():
    code = (
        "from sk_autoencoder._config import as_text\n"
        "def loss(a, b, k='c'):\n"
        "    return a if k in {'a', 'b', 'c', 'd'} else (lambda x: x in {'p', 'q', 'r'})(b)\n"
        "print(as_text(loss), as_text({'x', 'y', 'z'}))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in range(3)
    }
    assert len(texts) == 1


def test_what_killed_processes_left_is_cleared(quick, X, path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = path.with_name(f".{path.name}.{ended.pid}.0123abcd")
    others = [f".{path.name}.{os.getpid()}.0123abcd", f".{path.name}.x", "fit.checkpoint.1"]
    for other in [left.name, *others]:
        path.with_name(other).touch()
    quick(checkpoint=path).fit(X)
    assert {file.name for file in path.parent.iterdir()} == {path.name, *others}


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from sk_autoencoder import AutoencoderTransformer

X, path, out = np.load(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
fit = AutoencoderTransformer(2, checkpoint=path, checkpoint_every=2, max_epochs=40, random_state=0)
fit.fit(X, resume_from=path if path.exists() else None)
np.savez(out, *fit.net_.arrays())
"""


@pytest.mark.slow
def test_sigkill(tmp_path):
    np.save(tmp_path / "X.npy", curved(400))
    path, out = tmp_path / "fit.checkpoint", tmp_path / "weights.npz"
    command = [sys.executable, "-c", SCRIPT, tmp_path / "X.npy", path, out]
    subprocess.run(command, check=True, timeout=120)
    expected = [array.tobytes() for array in np.load(out).values()]
    path.unlink()
    out.unlink()
    n_kills = 0
    for n_bytes in (1, 500_000):
        process = subprocess.Popen(command)
        while process.poll() is None and size_of(path) < n_bytes:
            time.sleep(0.01)
        n_kills += process.poll() is None
        process.kill()
        process.wait()
    subprocess.run(command, check=True, timeout=120)
    assert n_kills >= 1
    assert [array.tobytes() for array in np.load(out).values()] == expected


def size_of(path):
    return path.stat().st_size if path.exists() else 0


@pytest.fixture
def pressing(monkeypatch):
    """Give a function that lets Ctrl-C be pressed at the beginning of epochs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background
    fit_epoch = AutoencoderNet.fit_epoch

    def press_in(*epochs, times=1):
        begun = []

        def pressed(self, rows):
            begun.append(len(self.history))
            if len(begun) in epochs:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)
            return fit_epoch(self, rows)

        monkeypatch.setattr(AutoencoderNet, "fit_epoch", pressed)

    yield press_in
    signal.signal(signal.SIGINT, before)


def test_interrupt_raises_by_default(quick, X, pressing):
    fitted = quick().fit(X)
    before = bits(fitted)
    pressing(2)
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X)
    assert bits(fitted) == before


def test_interrupt_keeps_the_best_epoch(quick, X, pressing):
    params = {"refit": False, "max_epochs": 12, "lr_schedule": "constant"}
    longest = quick(**params).fit(X).history_
    pressing(5)
    with pytest.warns(UserWarning, match="Ctrl-C ended the fit"):
        fitted = quick(on_interrupt="stop", **params).fit(X)
    assert fitted.n_iter_ == 5
    losses = fitted.history_["valid_loss"]
    np.testing.assert_array_equal(losses, longest["valid_loss"][:6])
    assert fitted.best_epoch_ in (0, int(losses.idxmin()))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupt_without_rows_that_judge_keeps_the_last_epoch(quick, X, pressing):
    params = {"early_stopping": False, "lr_schedule": "constant", "average": False}
    expected = quick(max_epochs=4, **params).fit(X)
    pressing(4)
    with pytest.warns(UserWarning, match="Ctrl-C"):
        fitted = quick(on_interrupt="stop", max_epochs=9, **params).fit(X)
    np.testing.assert_array_equal(fitted.transform(X), expected.transform(X))


def test_interrupt_of_a_refit_keeps_the_training_before(quick, X, pressing):
    whole = quick(max_epochs=10, refit=True, n_iter_no_change=99)
    n_first = whole.fit(X).n_iter_
    expected = quick(max_epochs=10, refit=False, n_iter_no_change=99).fit(X)
    pressing(n_first + 1)
    with pytest.warns(UserWarning, match="Ctrl-C"):
        fitted = whole.set_params(on_interrupt="stop").fit(X)
    assert fitted.n_iter_ == n_first
    assert np.isfinite(fitted.transform(X)).all()
    assert fitted.history_["valid_loss"].equals(expected.history_["valid_loss"])


def test_second_interrupt_raises(quick, X, pressing):
    pressing(3, times=2)
    with pytest.raises(KeyboardInterrupt):
        quick(on_interrupt="stop").fit(X)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupts_are_for_the_main_thread(quick, X):
    fitted = []
    thread = threading.Thread(target=lambda: fitted.append(quick(on_interrupt="stop").fit(X)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(fitted[0].transform(X), quick().fit(X).transform(X))


def test_stopped_fit_goes_on_from_its_checkpoint_as_stopped(quick, X, path, pressing, monkeypatch):
    params = {"max_epochs": 12, "checkpoint": path, "on_interrupt": "stop"}
    pressing(5)
    with pytest.warns(UserWarning, match="Ctrl-C"):
        fitted = quick(**params).fit(X)
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = AutoencoderTransformer(**quick(**params).get_params()).fit(X, resume_from=path)
    assert bits(again) == bits(fitted)
