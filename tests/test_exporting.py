"""A fitted estimator that leaves Python: for torch, for ONNX, in pipelines for skl2onnx."""

import os
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer
from sk_autoencoder._model.composed import Composed, compose_activations
from sk_autoencoder._nn.layers import ACTIVATIONS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skl2onnx import to_onnx

METHODS = {"transform": "encode", "inverse_transform": "decode", "reconstruct": "forward"}
CONFIGURATIONS = {
    "default": {},
    "textbook": {"linear_shortcut": False},
    "nested, whitened": {"nested": True, "whiten": True, "n_components": 3},
    "variational": {"variational": True},
    "counts": {"loss": "poisson"},
    "shares": {"loss": "binary_crossentropy"},
    "tied, normalized": {"tied_weights": True, "normalization": "batch", "dropout": 0.2},
}


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[:300] / 16


def answer(estimator, method, X):
    """Give what a method answers, and what it is asked."""
    asked = estimator.transform(X) if method == "inverse_transform" else X
    return getattr(estimator, method)(asked), asked


def run(model, asked):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (name,) = (value.name for value in session.get_inputs())
    return session.run(None, {name: asked})


def assert_near(ours, theirs, allowed):
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert np.abs(ours - theirs).max() <= allowed * np.abs(theirs).max()


ROUNDING = {np.float32: 2e-5, np.float64: 1e-12}


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_module_of_torch_does_what_the_estimator_does(quick, digits, params, dtype):
    X = digits.astype(dtype)
    estimator = quick(**params).fit(X)
    module = estimator.to_torch()
    assert not module.training
    for method, name in METHODS.items():
        expected, asked = answer(estimator, method, X)
        with torch.no_grad():
            found = getattr(module, name)(torch.from_numpy(asked)).numpy()
        assert_near(found, expected, ROUNDING[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, np.float32, "float32"])
def test_a_module_for_rows_of_another_dtype(quick, digits, dtype):
    estimator = quick().fit(digits)
    X = torch.from_numpy(digits).float()
    with torch.no_grad():
        codes = estimator.to_torch(dtype=dtype).encode(X)
    assert codes.dtype is X.dtype
    assert_near(codes.numpy(), estimator.transform(X.numpy()), 2e-5)


@pytest.mark.parametrize("dtype", [torch.float16, np.int64, "int", "none", object()])
def test_other_dtypes_are_refused(quick, digits, dtype):
    with pytest.raises(ValueError, match="is neither float32 nor float64"):
        quick().fit(digits).to_torch(dtype=dtype)


def test_a_module_shares_nothing_with_the_estimator(quick, digits):
    estimator = quick().fit(digits)
    expected = estimator.transform(digits)
    module = estimator.to_torch()
    with torch.no_grad():
        for value in module.state_dict().values():
            value.fill_(7)
    np.testing.assert_array_equal(estimator.transform(digits), expected)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_torch_exports_the_module_for_batches_of_any_size(quick, digits, params):
    X = torch.from_numpy(digits.astype(np.float32))
    module = quick(**params).fit(X.numpy()).to_torch()
    rows = ({0: torch.export.Dim("n_samples")},)
    program = torch.export.export(module, (X[:2],), dynamic_shapes=rows)
    for n in (1, 2, 300):
        torch.testing.assert_close(program.module()(X[:n]), module(X[:n]), rtol=1e-4, atol=1e-5)


def test_beginnings_of_nested_codes_are_decoded(quick, digits):
    estimator = quick(4, nested=True, whiten=True).fit(digits)
    codes = estimator.transform(digits)[:, :2]
    with torch.no_grad():
        found = estimator.to_torch().decode(torch.from_numpy(codes)).numpy()
    assert_near(found, estimator.inverse_transform(codes), 1e-12)


def holed(X):
    return np.where(np.random.RandomState(0).rand(*X.shape) < 0.2, np.nan, X)


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"linear_shortcut": False}, {"whiten": True}])
def test_missing_values_are_imputed_where_the_fit_missed_some(quick, X, params):
    estimator = quick(**params).fit(holed(X))
    rows = holed(X)
    for method in ("transform", "reconstruct"):
        with torch.no_grad():
            found = getattr(estimator.to_torch(), METHODS[method])(torch.from_numpy(rows)).numpy()
        assert_near(found, getattr(estimator, method)(rows), 1e-10)
        (found,) = run(estimator.to_onnx(method=method), rows)
        assert_near(found, getattr(estimator, method)(rows), 1e-6)


def test_missing_values_are_imputed_where_that_is_asked_for(quick, X):
    estimator = quick().fit(X)
    rows = torch.from_numpy(holed(X))
    with torch.no_grad():
        assert estimator.to_torch().encode(rows)[rows.isnan().any(dim=1)].isnan().all()
        found = estimator.to_torch(allow_nan=True).encode(rows).numpy()
    assert_near(found, estimator.transform(rows.numpy()), 1e-10)
    (found,) = run(estimator.to_onnx(allow_nan=True), rows.numpy())
    assert_near(found, estimator.transform(rows.numpy()), 1e-6)


@pytest.mark.sampled(only=["default-reconstruct", "nested, whitened-transform"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_onnxruntime_answers_as_the_estimator_does(quick, digits, params, method):
    X = digits.astype(np.float32)
    estimator = quick(**params).fit(X)
    model = estimator.to_onnx(method=method)
    onnx.checker.check_model(model, full_check=True)
    for n in (1, 300):
        expected, asked = answer(estimator, method, X[:n])
        (found,) = run(model, asked)
        assert_near(found, expected, 1e-4)


def test_a_graph_of_double_numbers(quick, digits):
    estimator = quick().fit(digits)
    assert_near(run(estimator.to_onnx(), digits)[0], estimator.transform(digits), 1e-6)
    X = digits.astype(np.float32)
    (found,) = run(estimator.to_onnx(dtype="float32"), X)
    assert_near(found, estimator.transform(X), 1e-4)


@pytest.mark.parametrize("activation", sorted({*ACTIVATIONS} - {"gelu"}))
def test_a_graph_of_double_numbers_runs_with_each_activation(quick, digits, activation):
    estimator = quick(activation=activation, max_epochs=1, early_stopping=False).fit(digits)
    X = 30 * digits  # beyond the thresholds of activations
    assert_near(run(estimator.to_onnx(), X)[0], estimator.transform(X), 1e-8)
    assert not any(isinstance(part, Composed) for part in estimator.net_.module_.modules())


def test_activations_of_a_module_of_ones_own_are_not_composed():
    own = nn.Sequential(nn.Linear(3, 2), nn.ELU(2.0))
    compose_activations(nn.ModuleList([own]))
    assert isinstance(own[1], nn.ELU)


def test_a_graph_is_written_whole_and_tells_nothing_of_this_machine(quick, digits, tmp_path):
    estimator = quick().fit(digits)
    model = estimator.to_onnx(tmp_path / "codes.onnx")
    assert os.listdir(tmp_path) == ["codes.onnx"]
    content = (tmp_path / "codes.onnx").read_bytes()
    assert content == model.SerializeToString()
    assert b"/sk_autoencoder/" not in content
    session = onnxruntime.InferenceSession(tmp_path / "codes.onnx")
    assert [value.name for value in session.get_inputs()] == ["X"]
    assert [value.name for value in session.get_outputs()] == ["codes"]


def test_a_method_that_is_none_is_refused(quick, digits):
    with pytest.raises(ValueError, match="method='encode' is none of 'transform'"):
        quick().fit(digits).to_onnx(method="encode")


def test_without_onnx_the_error_says_what_to_install(quick, digits, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"to_onnx needs onnx and onnxscript.*\[onnx\]"):
        quick().fit(digits).to_onnx()


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv1d(1, 2, 4, stride=4)
        self.code = nn.Linear(32, 2)
        self.up = nn.Linear(2, 64)

    def encode(self, x):
        return self.code(self.down(x[:, None]).flatten(1))

    def decode(self, z):
        return self.up(z)


def test_a_module_of_ones_own(quick, digits):
    X = digits.astype(np.float32)
    estimator = quick(module=Convolution()).fit(X)
    assert_near(run(estimator.to_onnx(), X)[0], estimator.transform(X), 1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pipeline_becomes_one_graph(quick, digits, dtype):
    X, y = digits.astype(dtype), load_digits().target[:300]
    pipeline = make_pipeline(StandardScaler(), quick(8), LogisticRegression(max_iter=2000)).fit(
        X, y
    )
    model = to_onnx(pipeline, X[:1], options={"zipmap": False})
    onnx.checker.check_model(model)
    labels, shares = run(model, X)
    np.testing.assert_array_equal(labels, pipeline.predict(X))
    assert_near(shares, pipeline.predict_proba(X).astype(dtype), 1e-4)


@pytest.mark.slow
def test_two_autoencoders_in_one_graph(quick, digits):
    X = digits.astype(np.float32)
    pipeline = make_pipeline(quick(8), StandardScaler(), quick(3)).fit(X)
    assert_near(run(to_onnx(pipeline, X[:1]), X)[0], pipeline.transform(X), 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("n_features", [5, 30])
@pytest.mark.parametrize("novelty", [False, True])
def test_labels_and_scores_of_a_detector(novelty, n_features):
    X = np.random.RandomState(0).standard_normal((200, n_features))
    detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(X)
    new = np.random.RandomState(1).standard_normal((50, n_features)) * 2 + 1e4 * (n_features > 5)
    for rows in (X, new):
        labels, scores = run(detector.to_onnx(), rows)
        np.testing.assert_array_equal(labels, detector.predict(rows))
        np.testing.assert_allclose(scores, detector.score_samples(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pipeline_that_ends_in_a_detector(digits, dtype):
    X = digits.astype(dtype)
    inside = AutoencoderTransformer(8, max_epochs=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), AutoencoderOutlierDetector(inside)).fit(X)
    labels, scores = run(to_onnx(pipeline, X[:1]), X)
    expected = pipeline.score_samples(X)
    assert_near(scores, expected.astype(dtype), 1e-4)
    sure = np.abs(expected - pipeline[-1].offset_) > 1e-4 * np.abs(expected)
    np.testing.assert_array_equal(labels[sure], pipeline.predict(X)[sure])
