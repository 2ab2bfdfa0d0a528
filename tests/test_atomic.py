"""An error anywhere in a fit leaves a fitted estimator bit for bit as it was."""

import io
import pickle

import numpy as np
import pytest
import torch

from sk_autoencoder import AutoencoderOutlierDetector
from sk_autoencoder._training import finish, procedure, run, setup

# Of a warm fit, which here goes on from all rows.
pytestmark = pytest.mark.filterwarnings("ignore:The last fit trained on all rows")

# What is called in a fit, in the order of its calls: where it is looked up, and by which name.
STAGES = {
    "imputation and axes": (setup, "find_axes"),
    "corruptor": (setup, "make_corruptor"),
    "net": (setup, "build_net"),
    "split": (procedure, "split_rows"),
    "plan": (procedure, "make_plan"),
    "epochs": (run, "_run_epochs"),
    "choice of the epoch": (run, "_keep"),
    "shares and noise": (procedure, "measure"),
    "moments": (finish, "describe_codes"),
    "sampler": (finish, "sample_for_mixture"),
    "whitening": (finish, "rounding_variances"),
    "end": (procedure, "_complete"),
}
WAYS = {
    "fit": lambda autoencoder, X: autoencoder.fit(X),
    "warm fit": lambda autoencoder, X: autoencoder.set_params(warm_start=True).fit(X),
    "partial_fit": lambda autoencoder, X: autoencoder.partial_fit(X),
}


class EndedError(Exception):
    """What is raised in the middle of a fit."""


class Raising:
    """A callback of scikit-learn that raises at the end, or at the beginning, of a task."""

    def __init__(self, hook, task_name, error):
        self.hook, self.task_name, self.error = hook, task_name, error

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        self._raise("begin", context)

    def on_fit_task_end(self, estimator, context, **kwargs):
        self._raise("end", context)

    def _raise(self, hook, context):
        if hook == self.hook and context.task_name == self.task_name:
            raise self.error


class Digest(pickle.Pickler):
    """Pickles tensors and generators by what they hold, so that equal ones give equal bytes."""

    def reducer_override(self, obj):
        if isinstance(obj, torch.Tensor):
            return bytes, (obj.detach().numpy().tobytes(),)
        if isinstance(obj, torch.Generator):
            return bytes, (obj.get_state().numpy().tobytes(),)
        return NotImplemented


def state_of(estimator):
    """Give all that an estimator holds, but for its parameters and callbacks, as bytes."""
    params = {*estimator.get_params(deep=False), "_skl_callbacks"}
    found = {}
    for name in set(vars(estimator)) - params:
        file = io.BytesIO()
        Digest(file).dump(vars(estimator)[name])
        found[name] = file.getvalue()
    return found


def check_unchanged(autoencoder, X, way, error):
    before, codes = state_of(autoencoder), autoencoder.transform(X)
    with pytest.raises(error):
        WAYS[way](autoencoder, 2 * X + 1)
    assert state_of(autoencoder) == before
    np.testing.assert_array_equal(autoencoder.transform(X), codes)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("error", [EndedError, KeyboardInterrupt])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", WAYS)
def test_an_error_in_a_stage(quick, X, monkeypatch, way, stage, error):
    autoencoder = quick(3, whiten=True, nested=True, warm_start=True).fit(X)
    place, name = STAGES[stage]
    original, calls = getattr(place, name), []

    def fail(*args, **kwargs):
        calls.append(name)
        original(*args, **kwargs)
        raise error

    monkeypatch.setattr(place, name, fail)
    before = state_of(autoencoder)
    try:
        WAYS[way](autoencoder, 2 * X + 1)
    except error:
        pass
    else:
        assert not calls  # the way does not pass the stage
        return
    assert state_of(autoencoder) == before


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("error", [EndedError, KeyboardInterrupt])
@pytest.mark.parametrize("hook", ["begin", "end"])
@pytest.mark.parametrize(
    ("way", "task"),
    [
        ("fit", "fit"),
        ("fit", "epoch"),
        ("fit", "refit"),
        ("warm fit", "fit"),
        ("warm fit", "epoch"),
        ("partial_fit", "partial_fit"),
        ("partial_fit", "epoch"),
    ],
)
def test_an_error_in_a_callback_of_a_task(quick, X, way, task, hook, error):
    autoencoder = quick(whiten=True, refit=True, max_epochs=10).fit(X)
    autoencoder.set_callbacks(Raising(hook, task, error))
    check_unchanged(autoencoder, X, way, error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("params", [{"variational": True}, {"supervised_weight": 1.0}])
def test_rows_of_another_width_or_a_bad_y(quick, X, way, params):
    y = X[:, 0] > 0
    autoencoder = quick(**params).fit(X, y)
    before = state_of(autoencoder)
    bad = X[:, :4] if way != "fit" else np.full_like(X, np.inf)
    with pytest.raises(ValueError, match=r"X has 4 features|infinity"):
        WAYS[way](autoencoder, bad)
    assert state_of(autoencoder) == before


def test_an_error_in_a_first_fit_leaves_nothing(quick, X):
    autoencoder = quick().set_callbacks(Raising("end", "fit", EndedError))
    with pytest.raises(EndedError):
        autoencoder.fit(X)
    assert state_of(autoencoder) == {}


def test_an_interrupted_detector(X, monkeypatch):
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    before = state_of(detector)

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sk_autoencoder._outlier.threshold", fail)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:50, :4])
    assert state_of(detector) == before
