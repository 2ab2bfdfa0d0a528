"""Pickles: without a device or an address, with their version, the same for fits alike."""

import copy
import pickle
import pickletools

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sk_autoencoder
from sk_autoencoder import TRUSTED_TYPES, AutoencoderOutlierDetector, AutoencoderTransformer
from sk_autoencoder._saving import pickles
from sk_autoencoder._training.moving import move

pytestmark = pytest.mark.quick

CONFIGURATIONS = {
    "default": {},
    "goes on": {"warm_start": True},
    "nested, whitened": {"nested": True, "whiten": True},
    "variational": {"variational": True},
    "dropout, noise": {"dropout": 0.2, "corruption": "gaussian", "contractive_penalty": 0.1},
    "supervised": {"supervised_weight": 1.0},
    "counts": {"loss": "poisson"},
}
SEARCH = ["sklearn.metrics._scorer._PassthroughScorer", "sklearn.model_selection._split.KFold"]


class OfHalves(nn.Module):
    """A network of one's own, with numbers that NumPy has not, and ties."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 2)
        self.second = nn.Linear(2, 6)
        self.second.weight = nn.Parameter(self.first.weight.T.clone())
        self.same = self.second.weight
        self.table = torch.arange(4, dtype=torch.bfloat16)

    def encode(self, x):
        return self.first(x)

    def decode(self, z):
        return self.second(z)


def fitted(quick, X, params):
    X = np.floor(np.exp(X)) if params.get("loss") == "poisson" else X
    return quick(**params).fit(X, X[:, 0] > 0), X


def dumped(estimator):
    return pickle.loads(pickle.dumps(estimator))


def loaded_from_joblib(estimator, path):
    joblib.dump(estimator, path)
    return joblib.load(path, mmap_mode="r")


@pytest.mark.sampled(every=2)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_copy_answers_and_goes_on_as_the_original(quick, X, tmp_path, params):
    estimator, X = fitted(quick, X, params)
    copies = {
        "pickle": dumped(estimator),
        "joblib": loaded_from_joblib(estimator, tmp_path / "model.joblib"),
        "deepcopy": copy.deepcopy(estimator),
        "copy": copy.copy(estimator),
    }
    y = X[:, 0] > 0
    expected = estimator.transform(X), copy.copy(estimator).partial_fit(X, y).transform(X)
    for name, other in copies.items():
        pd.testing.assert_frame_equal(other.history_, estimator.history_)
        np.testing.assert_array_equal(other.transform(X), expected[0], err_msg=name)
        other.partial_fit(X, y)
        np.testing.assert_array_equal(other.transform(X), expected[1], err_msg=name)
    np.testing.assert_array_equal(estimator.transform(X), expected[0])


@pytest.mark.parametrize("what", ["estimator", "model"])
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_no_tensor_no_frame_and_no_device_is_in_a_pickle(quick, X, params, what):
    estimator, X = fitted(quick, X, params)
    content = pickle.dumps(estimator if what == "estimator" else estimator.model_)
    names = {str(arg) for _, arg, _ in pickletools.genops(content) if isinstance(arg, (str, bytes))}
    forbidden = ("_rebuild_tensor", "_load_from_bytes", "UntypedStorage", "BlockManager")
    assert not [name for name in names if any(part in name for part in forbidden)]


def test_a_model_of_ones_own_with_numbers_that_numpy_has_not(quick, X):
    estimator = quick(module=OfHalves()).fit(X)
    other = dumped(estimator)
    np.testing.assert_array_equal(other.transform(X), estimator.transform(X))
    module = other.model_.module
    assert module.same is module.second.weight
    assert torch.equal(module.table, estimator.model_.module.table)
    assert module.table.dtype is torch.bfloat16


def test_model_and_net_stay_one(quick, X):
    other = dumped(quick(warm_start=True).fit(X))
    assert other.net_.module_ is other.model_.module
    assert other.net_.frames.input is other.model_.frame
    trained = {id(p) for group in other.net_.optimizer_.param_groups for p in group["params"]}
    assert trained == {id(p) for p in other.net_.module_.parameters()}


def test_functions_without_a_name_are_left_to_cloudpickle(quick, X):
    cloudpickle = pytest.importorskip("cloudpickle")
    estimator = quick(loss=lambda x, target: (x - target) ** 2, module=lambda: OfHalves()).fit(X)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(estimator)
    other = cloudpickle.loads(cloudpickle.dumps(estimator))
    np.testing.assert_array_equal(other.transform(X), estimator.transform(X))


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_fits_alike_have_one_hash_and_others_another(quick, X, params):
    one, other = (fitted(quick, X, params)[0] for _ in range(2))
    X = fitted(quick, X, params)[1]
    assert one.history_["dur"].iloc[-1] != other.history_["dur"].iloc[-1]
    assert joblib.hash(one) == joblib.hash(other)
    one.transform(X.astype(np.float32))
    assert joblib.hash(one) == joblib.hash(other)
    third, _ = fitted(quick, X, params | {"random_state": 1})
    assert joblib.hash(third) != joblib.hash(other)
    assert joblib.hash(one.model_) == joblib.hash(other.model_)


def test_detectors_alike_have_one_hash(X):
    one, other = (AutoencoderOutlierDetector(random_state=0).fit(X) for _ in range(2))
    assert joblib.hash(one) == joblib.hash(other)


@pytest.mark.parametrize("made", [AutoencoderTransformer(2), AutoencoderOutlierDetector()])
@pytest.mark.parametrize("is_fitted", [False, True])
def test_another_version_is_warned_of(X, monkeypatch, made, is_fitted):
    content = pickle.dumps(made.fit(X) if is_fitted else made)
    pickle.loads(content)
    monkeypatch.setattr(sk_autoencoder, "__version__", "9.9")
    with pytest.warns(UserWarning, match=r"of sk-autoencoder 0\.1\.0 is unpickled by version 9\.9"):
        pickle.loads(content)


# The device "meta" stands for one that is not at hand: what is left elsewhere is seen.
META = torch.device("meta")


def tensors_of(training):
    net, model = training.net, training.model
    yield from (t for part in (*net.parts(), model.whitening) for t in part.state_dict().values())
    for frame in (model.frame, model.output):
        yield from frame.buffers()
    for state in net.optimizer_.state.values():
        yield from (value for name, value in state.items() if name != "step")


@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_all_of_a_training_moves_to_a_device(quick, X, params):
    estimator, X = fitted(quick, X, params | {"warm_start": True})
    training = dumped(estimator)._training
    move(training, META)
    assert all(tensor.is_meta for tensor in tensors_of(training))
    assert torch.device(training.net.device) == META
    assert not any(tensor.is_meta for tensor in tensors_of(estimator._training))


def test_a_pickle_finds_its_device_again(quick, X, monkeypatch):
    content = pickle.dumps(quick(warm_start=True).fit(X))
    monkeypatch.setattr(pickles, "resolve_device", lambda device: META)
    other = pickle.loads(content)
    assert all(tensor.is_meta for tensor in tensors_of(other._training))


def test_a_device_that_is_not_there_is_told_with_a_remedy(quick, X):
    content = pickle.dumps(quick().fit(X).set_params(device="cuda:7"))
    if torch.cuda.device_count() <= 7:
        with pytest.raises(ValueError, match=r"device='cuda:7' is not there.* Use 'auto'"):
            pickle.loads(content)


def skops_made():
    inside = AutoencoderTransformer(2, hidden_layer_sizes=(4,), max_epochs=1, random_state=0)
    detector = AutoencoderOutlierDetector(inside, random_state=0)
    grid = {"autoencodertransformer__n_components": [1, 2]}
    pipeline = make_pipeline(StandardScaler(), inside)
    return {
        "transformer": inside,
        "variational": sk_autoencoder.VariationalAutoencoderTransformer(
            2, max_epochs=1, random_state=np.random.RandomState(0)
        ),
        "missing values": AutoencoderTransformer(2, nested=True, whiten=True, max_epochs=1),
        "detector": detector,
        "detector around a pipeline": AutoencoderOutlierDetector(pipeline, random_state=0),
        "pipeline": pipeline,
        "pipeline of a detector": make_pipeline(StandardScaler(), detector),
        "search": GridSearchCV(pipeline, grid, cv=2),
    }


@pytest.mark.parametrize("kind", skops_made())
def test_skops_asks_to_trust_nothing_but_the_estimators(X, kind):
    estimator = skops_made()[kind]
    unfitted = skops.io.loads(skops.io.dumps(estimator), trusted=TRUSTED_TYPES + SEARCH)
    assert not hasattr(unfitted, "n_features_in_")
    X = np.where(X > 1.4, np.nan, X) if kind == "missing values" else X
    content = skops.io.dumps(estimator.fit(X))
    others = SEARCH if kind == "search" else []
    assert set(skops.io.get_untrusted_types(data=content)) <= {*TRUSTED_TYPES, *others}
    loaded = skops.io.loads(content, trusted=TRUSTED_TYPES + others)
    method = "transform" if hasattr(estimator, "transform") else "score_samples"
    np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(estimator, method)(X))


def test_the_types_to_trust_are_exactly_ours():
    classes = (
        AutoencoderOutlierDetector,
        AutoencoderTransformer,
        sk_autoencoder.VariationalAutoencoderTransformer,
    )
    assert [f"{c.__module__}.{c.__qualname__}" for c in classes] == TRUSTED_TYPES


def test_what_skops_loads_is_checked(X):
    estimator = AutoencoderTransformer(2, max_epochs=1).fit(X)
    state = estimator.__getstate__()
    state["_arrays"]["model.module.encoder_shortcut.weight"] = np.zeros((3, 3))
    fresh = AutoencoderTransformer.__new__(AutoencoderTransformer)
    with pytest.raises(ValueError, match="is of shape"):
        fresh.__setstate__(state)
