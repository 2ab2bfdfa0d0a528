"""`save` and `load`: what comes back is what was saved, without code and without training."""

import json
import os
import subprocess
import sys
import textwrap
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import sklearn
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sk_autoencoder
from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    TrainingCurveDisplay,
    VariationalAutoencoderTransformer,
    load,
)

pytestmark = pytest.mark.quick

CONFIGURATIONS = {
    "default": {},
    "float32": {"dtype": np.float32},
    "PCA": {"max_epochs": 0},
    "textbook": {"linear_shortcut": False},
    "textbook, float32": {"linear_shortcut": False, "dtype": np.float32},
    "nested, whitened": {"nested": True, "whiten": True},
    "a share of the variance": {"n_components": 0.9, "nested": True},
    "tied": {"tied_weights": True, "activation": "tanh"},
    "normalized, dropout": {"normalization": "batch", "dropout": 0.2},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "hidden layers in an array": {"hidden_layer_sizes": np.array([7, 5])},
    "counts": {"loss": "poisson", "counts": True},
    "counts, float32": {"loss": "poisson", "counts": True, "dtype": np.float32},
    "shares": {"loss": "binary_crossentropy", "shares": True},
    "huber": {"loss": "huber"},
    "variational": {"variational": True},
    "variational, whitened": {"variational": True, "whiten": True},
    "variational shares": {"variational": True, "loss": "binary_crossentropy", "shares": True},
    "missing values": {"missing": True},
    "missing values, textbook": {"missing": True, "linear_shortcut": False},
    "noise, penalties": {"corruption": "gaussian", "sparsity_penalty": 0.1, "nested": True},
    "supervised": {"supervised_weight": 1.0},
    "a generator": {"random_state": np.random.RandomState(3)},
    "classes of torch": {"optimizer": torch.optim.SGD, "device": torch.device("cpu")},
    "parameters of the net": {
        "net_params": {"optimizer__eps": 0.01, "optimizer__betas": (0.8, 0.9)}
    },
}


class Small(nn.Module):
    """A network of one's own."""

    def __init__(self, n_features=6, n_components=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_features, 4), nn.Tanh(), nn.BatchNorm1d(4))
        self.code = nn.Linear(4, n_components)
        self.decoder = nn.Linear(n_components, n_features)

    def encode(self, x):
        return self.code(self.encoder(x))

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


def fourth_power(x, target):
    return (x - target) ** 4


def noisy(x, generator):
    return x + 0.1 * torch.randn(x.shape, generator=generator, dtype=x.dtype)


def table(X, dtype=np.float64, counts=False, shares=False, missing=False):
    if counts:
        X = np.floor(np.exp(X))
    if shares:
        X = (X > 0).astype(float)
    if missing:
        X = np.where(np.random.RandomState(0).rand(*X.shape) < 0.1, np.nan, X)
    return X.astype(dtype)


def fitted(quick, X, params):
    of_table = {"dtype", "counts", "shares", "missing"}
    X = table(X, **{name: params[name] for name in of_table & set(params)})
    params = {name: value for name, value in params.items() if name not in of_table}
    y = (X[:, 0] > 0).astype(int) if "supervised_weight" in params else None
    return quick(**params).fit(X, y), X


def answers(estimator, X):
    """Give what an estimator answers to rows, in both dtypes, some of them with missing cells."""
    holed = np.where(np.arange(X.size).reshape(X.shape) % 7 == 0, np.nan, X)
    found = {"sample": estimator.sample(20, random_state=0), "score": estimator.score(X)}
    for name, rows in {"X": X, "holed": holed, "float32": X.astype(np.float32)}.items():
        codes = estimator.transform(rows)
        found[f"codes of {name}"] = codes
        found[f"rows of {name}"] = estimator.inverse_transform(codes)
        found[f"errors of {name}"] = estimator.reconstruction_error(rows, per_feature=True)
        found[f"scores of {name}"] = estimator.score_samples(rows)
    found["components"] = estimator.components_
    return found


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def params_of(estimator):
    """Give the parameters as texts that are equal where they are."""
    params = estimator.get_params()
    if isinstance(state := params["random_state"], np.random.RandomState):
        params["random_state"] = state.get_state(legacy=False)
    return repr(params)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_loaded_estimator_answers_bit_by_bit_as_the_saved_one(quick, X, path, params):
    estimator, X = fitted(quick, X, params)
    estimator.save(path)
    loaded = load(path)
    assert type(loaded) is type(estimator)
    assert_same(answers(loaded, X), answers(estimator, X))


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_loaded_estimator_has_the_parameters_and_attributes_of_the_saved_one(
    quick, X, path, params
):
    estimator, X = fitted(quick, X, params)
    estimator.save(path)
    loaded = type(estimator).load(path)
    assert params_of(loaded) == params_of(estimator)
    ours, theirs = (
        {n: v for n, v in vars(e).items() if n.endswith("_")} for e in (loaded, estimator)
    )
    assert set(theirs) - set(ours) == {"net_"}
    pd.testing.assert_frame_equal(ours.pop("history_"), theirs.pop("history_"))
    assert loaded.history_.attrs == estimator.history_.attrs
    for name in set(ours) - {"model_"}:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
        assert type(ours[name]) is type(theirs[name]), name


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_file_is_hardly_larger_than_the_weights(quick, X, path, params):
    estimator, X = fitted(quick, X, {"hidden_layer_sizes": "auto"} | params)
    estimator.save(path)
    model = estimator.model_
    weights = [*model.module.parameters(), *model.bottleneck.parameters(), model.frame.components]
    n_bytes = sum(w.numel() * w.element_size() for w in weights if w is not None)
    assert path.stat().st_size <= 1.1 * n_bytes + 20_000


def test_code_is_named_and_given_again(quick, X, path):
    params = {"loss": fourth_power, "corruption": noisy, "callbacks": [print_nothing()]}
    estimator = quick(**params, max_epochs=1).fit(X)
    estimator.save(path)
    with pytest.raises(ValueError, match=r"corruption \(.*noisy\), loss \(.*fourth_power\)"):
        load(path)
    with pytest.raises(ValueError, match=r"load\(path, callbacks=\.\.\., corruption=\.\.\., loss"):
        load(path, loss=fourth_power)
    loaded = load(path, **params)
    assert loaded.loss is fourth_power
    assert_same(answers(loaded, X), answers(estimator, X))


def print_nothing():
    from skorch.callbacks import Callback

    return Callback()


@pytest.mark.parametrize(
    "module", [Small(), Small, lambda: Small()], ids=["one", "class", "function"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_module_of_ones_own_is_given_again(quick, X, path, module, dtype):
    X = X.astype(dtype)
    estimator = quick(module=module).fit(X)
    estimator.save(path)
    with pytest.raises(ValueError, match=r"module \("):
        load(path)
    before = nn.utils.parameters_to_vector(module.parameters()) if type(module) is Small else None
    loaded = load(path, module=module)
    assert_same(answers(loaded, X), answers(estimator, X))
    if before is not None:
        assert torch.equal(nn.utils.parameters_to_vector(module.parameters()), before)


def test_a_module_gets_its_parameters(quick, X, path):
    params = {"module__n_features": 6, "module__n_components": 3}
    estimator = quick(3, module=Small, net_params=params).fit(X)
    estimator.save(path)
    assert_same(answers(load(path, module=Small), X), answers(estimator, X))


def test_another_module_than_that_of_the_fit_is_refused(quick, X, path):
    quick(module=Small()).fit(X).save(path)
    with pytest.raises(ValueError, match=r"the array '.*' is of shape"):
        load(path, module=Small(6, 3))
    with pytest.raises(ValueError, match=r"the module has no|is missing"):
        load(path, module=nn.Linear(6, 2))


def test_what_is_no_code_in_the_file_is_not_taken(quick, X, path):
    quick().fit(X).save(path)
    with pytest.raises(TypeError, match="'n_components', which is no code in this file"):
        load(path, n_components=3)


def test_parameters_set_after_the_fit_change_no_answer(quick, X, path):
    estimator = quick(loss=fourth_power, module=Small()).fit(X)
    expected = answers(estimator, X)
    estimator.set_params(loss="squared_error", module=None, n_components=5)
    estimator.save(path)
    loaded = load(path, loss=fourth_power, module=Small())
    assert (loaded.loss, loaded.module, loaded.n_components) == ("squared_error", None, 5)
    assert_same(answers(loaded, X), expected)


def test_an_estimator_that_is_not_fitted_is_saved_too(quick, X, X_new, path):
    quick(nested=True).save(path)
    loaded = load(path)
    assert not hasattr(loaded, "model_")
    expected = quick(nested=True).fit(X).transform(X_new)
    np.testing.assert_array_equal(loaded.fit(X).transform(X_new), expected)


def test_a_loaded_estimator_is_fitted_anew_but_does_not_go_on(quick, X, X_new, path):
    estimator = quick().fit(X)
    estimator.save(path)
    loaded = load(path)
    with pytest.raises(ValueError, match="was loaded from a file of its model alone"):
        loaded.partial_fit(X)
    with pytest.raises(ValueError, match="was loaded from a file of its model alone"):
        loaded.set_params(warm_start=True).fit(X)
    with pytest.raises(AttributeError, match="model_"):
        loaded.net_  # noqa: B018
    np.testing.assert_array_equal(loaded.transform(X_new), estimator.transform(X_new))
    loaded.set_params(warm_start=False).fit(X)
    np.testing.assert_array_equal(loaded.transform(X_new), estimator.transform(X_new))
    np.testing.assert_array_equal(
        loaded.partial_fit(X).transform(X_new), estimator.partial_fit(X).transform(X_new)
    )


def test_a_loaded_estimator_is_saved_again_to_the_same_file(quick, X, path):
    estimator = quick(whiten=True).fit(X)
    estimator.sample(3)
    estimator.save(path)
    content = path.read_bytes()
    load(path).save(path)
    assert path.read_bytes() == content


def test_a_clone_of_a_loaded_estimator_is_not_fitted(quick, X, path):
    quick().fit(X).save(path)
    assert not hasattr(clone(load(path)), "model_")


def test_names_containers_and_libraries_come_back(quick, X, path):
    frame = pd.DataFrame(X, columns=[f"f{i}" for i in range(6)])
    quick().set_output(transform="pandas").fit(frame).save(path)
    loaded = load(path)
    assert list(loaded.transform(frame)) == list(loaded.get_feature_names_out())
    assert list(loaded.inverse_transform(loaded.transform(frame))) == list(frame)
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.transform(frame.rename(columns={"f0": "other"}))


def test_arrays_of_torch_come_back_as_such(quick, X, path, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with sklearn.config_context(array_api_dispatch=True):
        tensor = torch.from_numpy(X)
        estimator = quick().fit(tensor)
        estimator.save(path)
        loaded = load(path)
        assert isinstance(loaded.mean_, torch.Tensor)
        assert torch.equal(loaded.transform(tensor), estimator.transform(tensor))


def test_what_callbacks_record_comes_back(quick, X, path):
    from skorch.callbacks import EpochScoring

    scoring = EpochScoring(lambda net, X, y: 0.5, name="half", on_train=True)
    estimator = quick(callbacks=[scoring]).fit(X)
    estimator.history_["text"] = [None, *["a"] * (len(estimator.history_) - 1)]
    estimator.save(path)
    pd.testing.assert_frame_equal(load(path, callbacks=None).history_, estimator.history_)
    estimator.history_["text"] = [object()] * len(estimator.history_)
    with pytest.raises(TypeError, match=r"The column 'text' of history_ holds builtins.object"):
        estimator.save(path)


def test_a_plot_of_the_training_needs_no_training(quick, X, path):
    estimator = quick(nested=True).fit(X)
    estimator.save(path)
    ours, theirs = (TrainingCurveDisplay.from_estimator(e) for e in (load(path), estimator))
    assert ours.loss_name == theirs.loss_name
    assert ours.row_0 == theirs.row_0


@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("n_features", [6, 30])  # with a tree, and without
def test_detectors(path, novelty, n_features):
    X = np.random.RandomState(0).standard_normal((200, n_features))
    frame = pd.DataFrame(X, columns=[f"f{i}" for i in range(n_features)])
    detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(frame)
    detector.save(path)
    loaded = load(path)
    for method in ("score_samples", "predict", "explain"):
        np.testing.assert_array_equal(
            getattr(loaded, method)(frame), getattr(detector, method)(frame)
        )
    np.testing.assert_array_equal(
        loaded.autoencoder_.transform(X), detector.autoencoder_.transform(X)
    )
    assert repr(loaded.get_params()) == repr(detector.get_params())
    assert loaded.offset_ == detector.offset_
    assert list(loaded.feature_names_in_) == list(frame)


def test_a_detector_around_code_asks_for_it(path, X):
    inside = AutoencoderTransformer(2, loss=fourth_power, max_epochs=1)
    detector = AutoencoderOutlierDetector(inside, random_state=0).fit(X)
    detector.save(path)
    with pytest.raises(ValueError, match=r"load\(path, autoencoder__loss=\.\.\.\)"):
        load(path)
    loaded = load(path, autoencoder__loss=fourth_power)
    np.testing.assert_array_equal(loaded.score_samples(X), detector.score_samples(X))
    assert loaded.autoencoder.loss is fourth_power


@pytest.mark.parametrize(
    "inside", [PCA(2), make_pipeline(StandardScaler(), AutoencoderTransformer(2, max_epochs=1))]
)
def test_what_is_of_another_package_is_left_to_skops(path, X, inside):
    detector = AutoencoderOutlierDetector(inside).fit(X)
    with pytest.raises(TypeError, match=r"skops\.io\.dump"):
        detector.save(path)
    assert not path.exists()


def test_a_file_is_of_one_class(quick, X, path):
    quick().fit(X).save(path)
    with pytest.raises(ValueError, match=r"it holds AutoencoderTransformer. Call the method load"):
        VariationalAutoencoderTransformer.load(path)
    with pytest.raises(ValueError, match=r"it holds AutoencoderTransformer. Call the method load"):
        AutoencoderOutlierDetector.load(path)


class Narrow(AutoencoderTransformer):
    """A subclass, as users have them."""


def test_a_subclass_is_loaded_by_its_own_method(X, path):
    estimator = Narrow(2, max_epochs=1).fit(X)
    estimator.save(path)
    with pytest.raises(ValueError, match="it holds Narrow, a subclass of AutoencoderTransformer"):
        load(path)
    loaded = Narrow.load(path)
    assert type(loaded) is Narrow
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))


def test_the_tensors_are_read_by_safetensors(quick, X, path):
    estimator = quick().fit(X)
    estimator.save(path)
    tensors = safetensors.torch.load_file(path)
    weight = estimator.model_.module.encoder_shortcut.weight
    assert torch.equal(tensors["fit.model.module.encoder_shortcut.weight"].double(), weight)


def test_paths_of_either_kind(quick, X, path):
    estimator = quick().fit(X)
    estimator.save(str(path))
    np.testing.assert_array_equal(load(str(path)).transform(X), estimator.transform(X))


def test_a_fresh_process_loads_without_anything_of_the_old_one(quick, X, path):
    estimator = quick().fit(X)
    estimator.save(path)
    np.save(path.with_suffix(".npy"), X)
    script = f"""
        import numpy as np, sk_autoencoder
        X = np.load({str(path.with_suffix(".npy"))!r})
        np.save({str(path.with_suffix(".npy"))!r}, sk_autoencoder.load({str(path)!r}).transform(X))
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(script)], check=True)
    np.testing.assert_array_equal(np.load(path.with_suffix(".npy")), estimator.transform(X))


def test_a_device_that_is_not_there_is_told_with_the_remedy(quick, X, path):
    estimator = quick().fit(X)
    estimator.set_params(device="cuda:7")
    estimator.save(path)
    if torch.cuda.device_count() <= 7:
        with pytest.raises(ValueError, match=r"device='cuda:7' is not there.*device='auto'"):
            load(path)
    np.testing.assert_array_equal(load(path, device="cpu").transform(X), estimator.transform(X))


def test_saving_holds_back_for_a_folder_that_is_not_there(quick, X, tmp_path):
    with pytest.raises(FileNotFoundError):
        quick().fit(X).save(tmp_path / "none" / "model.safetensors")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file_whole(quick, X, path):
    estimator = quick().fit(X)
    estimator.save(path)
    content = path.read_bytes()
    script = f"""
        import resource, signal, sk_autoencoder
        estimator = sk_autoencoder.load({str(path)!r})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            estimator.save({str(path)!r})
        except OSError as error:
            print(error)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True, text=True
    )
    assert "File too large" in told.stdout
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == [path.name]


def test_versions_are_in_the_file(quick, X, path):
    quick().fit(X).save(path)
    with safetensors.safe_open(path, "np") as file:
        description = json.loads(file.metadata()["sk-autoencoder"])
    assert (description["version"], description["readable_from"]) == (1, 1)
    assert description["versions"]["torch"] == metadata.version("torch")
    assert description["versions"]["sk-autoencoder"] == sk_autoencoder.__version__


def test_path_of_a_checkpoint_is_saved_as_text(quick, X, tmp_path):
    quick(checkpoint=tmp_path / "fit.checkpoint").fit(X).save(tmp_path / "a.safetensors")
    loaded = sk_autoencoder.load(tmp_path / "a.safetensors")
    assert loaded.checkpoint == str(tmp_path / "fit.checkpoint")
