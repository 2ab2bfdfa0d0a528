"""Parts of the user's that cannot work: each is refused with what came and what to do."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from skorch.callbacks import EpochTimer, Freezer, PrintLog
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training.own_parts import FUNCTIONS

pytestmark = pytest.mark.quick


class Linear(nn.Module):
    def __init__(self, bias=True):
        super().__init__()
        self.encode, self.decode = nn.Linear(6, 2, bias), nn.Linear(2, 6, bias)


class Slices(nn.Module):
    """An autoencoder without anything to train."""

    def encode(self, x):
        return x[:, :2]

    def decode(self, z):
        return torch.cat([z, z, z], dim=1)


class NoOptimizer:
    def __init__(self, parameters, lr):
        pass


OPTIMIZERS = {
    "None": (lambda parameters, **params: None, TypeError, "gave NoneType, but a torch.optim.Opt"),
    "another class": (NoOptimizer, TypeError, "NoOptimizer gave NoOptimizer, but a torch.optim"),
    "no rate": (lambda parameters: None, TypeError, r"takes no 'lr'.*Let it take that"),
    "a builtin": (int, TypeError, r"optimizer=int cannot be made: .*It was called with lr, param"),
    "other parameters": (
        lambda parameters, lr: torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=lr),
        ValueError,
        "has none of the parameters of the network.*Give it those that it is called with",
    ),
    "closures": (torch.optim.LBFGS, ValueError, r"LBFGS needs a closure.*such as 'adamw'"),
}


@pytest.mark.parametrize(("optimizer", "error", "message"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_what_makes_no_optimizer_is_refused(quick, X, optimizer, error, message):
    with pytest.raises(error, match=message):
        quick(optimizer=optimizer).fit(X)


LOSSES = {
    "None": (lambda back, x: None, ValueError, "loss gave NoneType for a batch of shape"),
    "a number": (lambda back, x: 1.0, ValueError, "loss gave float for a batch"),
    "an array": (lambda back, x: (back - x).detach().numpy(), ValueError, "loss gave ndarray"),
    "whole numbers": (lambda back, x: (back - x).int(), ValueError, "a tensor of torch.int32"),
    "truth values": (lambda back, x: back > x, ValueError, "a tensor of torch.bool"),
    "complex": (lambda back, x: (back - x) * 1j, ValueError, "a tensor of torch.complex"),
    "a mean": (nn.MSELoss(), ValueError, r"shape \(\) for a batch.*reduction='none'"),
    "a class": (nn.MSELoss, TypeError, r"loss=MSELoss is a class.*Pass an instance"),
    "no gradient": (lambda back, x: (back - x).detach() ** 2, ValueError, "has no gradient. Comp"),
    "a constant": (lambda back, x: torch.zeros_like(x), ValueError, "has no gradient. Compute"),
    "NaN": (lambda back, x: (back - x) * torch.nan, ValueError, "loss gave a mean of nan before"),
    "infinity": (lambda back, x: (back - x).abs() / 0, ValueError, "a mean of (inf|nan) before"),
}


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(("loss", "error", "message"), LOSSES.values(), ids=LOSSES)
def test_what_gives_no_loss_is_refused(quick, X, loss, error, message, early_stopping):
    with pytest.raises(error, match=message):
        quick(loss=loss, early_stopping=early_stopping).fit(X)


def test_a_loss_that_pca_leaves_the_domain_of_serves_a_module_that_does_not(quick, X):
    class Positive(Linear):
        def __init__(self):
            super().__init__()
            self.encode = nn.Linear(6, 2)
            self.decode = nn.Sequential(nn.Linear(2, 6), nn.Softplus())

    def poisson(back, x):
        return back - x * back.log()

    X = np.where(X > 1, X, 0.0)
    fitted = quick(loss=poisson, module=Positive, early_stopping=False).fit(X)
    assert np.isfinite(fitted.history_["train_loss"][1:]).all()
    with pytest.raises(ValueError, match="loss gave a mean of nan before the first step"):
        quick(loss=poisson).fit(X)


def test_trying_a_loss_leaves_a_fit_as_it_is(quick, X):
    noisy = {"corruption": "swap", "module": Linear, "max_epochs": 2}
    by_name, by_function = (
        quick(loss=loss, **noisy).fit_transform(X)
        for loss in ("huber", nn.HuberLoss(reduction="none"))
    )
    np.testing.assert_allclose(by_function, by_name, rtol=1e-5)


def test_a_corruption_that_is_a_class_is_refused(quick, X):
    with pytest.raises(TypeError, match="corruption=Dropout is a class"):
        quick(corruption=nn.Dropout).fit(X)


@pytest.mark.parametrize(
    "name", ["callbacks__lok__sink", "callbacks__lok", "callbacks__best_epoch"]
)
def test_a_parameter_of_a_callback_that_is_not_there_is_refused(quick, X, name):
    callbacks = [("log", PrintLog(sink=lambda _: None)), EpochTimer(), EpochTimer()]
    message = "callbacks takes no '(lok|best_epoch)__'.*It takes EpochTimer__, epoch_timer__, log__"
    with pytest.raises(ValueError, match=message):
        quick(callbacks=callbacks, net_params={name: None}).fit(X)


def test_parameters_of_callbacks_reach_these(quick, X):
    lines = []
    callbacks = [("log", PrintLog()), EpochTimer(), EpochTimer]
    params = {"callbacks__log__sink": lines.append, "callbacks__EpochTimer_2": None}
    quick(callbacks=callbacks, net_params={"callbacks__epoch_timer": None, **params}).fit(X)
    assert lines


@pytest.mark.parametrize("function", [lambda rows: rows, nn.Dropout(0.5), lambda a, b, c: a])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("corruption", "rows and a torch.Generator"), ("loss", "the reconstruction and X")],
)
def test_a_function_of_other_arguments_is_refused(quick, X, function, name, arguments):
    message = f"{name}=.* is called with {arguments}, which it does not take: .*such as "
    with pytest.raises(TypeError, match=message):
        quick(**{name: function}).fit(X)


def test_functions_that_errors_name_can_be_passed(quick, X):
    for name, (_, example) in FUNCTIONS.items():
        autoencoder = quick(**{name: eval(example, {"torch": torch})})
        assert np.isfinite(autoencoder.fit(X).reconstruct(X)).all()


NET_PARAMS = {
    "optimizer__beta": r"AdamW takes no 'beta'. Did you mean 'betas'\? It takes amsgrad, betas",
    "optimizer__params": "AdamW takes no 'params'",
    "use_cache": r"skorch's NeuralNet takes no 'use_cache'. Did you mean 'use_caching'\?",
    "module__width": "module is None. Use the parameters that shape the stacked autoencoder",
    "criterion__reduction": "takes no 'criterion__'. .*It takes callbacks__, iterator_train__",
    "iterator_train__shuffle": "iterator_train takes no 'shuffle'. It takes batch_size",
    "iterator_valid__num_workers": "iterator_valid takes no 'num_workers'",
    "dataset__length": "takes no 'dataset__'",
    "optimiser__betas": r"Did you mean 'optimizer__'\?",
    "compile": r"net_params sets \['compile'\].*Use the parameter of that name",
}


@pytest.mark.parametrize(("name", "message"), NET_PARAMS.items(), ids=NET_PARAMS)
def test_a_net_param_that_nothing_takes_is_refused(quick, X, name, message):
    with pytest.raises(ValueError, match=message):
        quick(net_params={name: 1}).fit(X)


def test_a_net_param_that_the_module_does_not_take_is_refused(quick, X):
    with pytest.raises(ValueError, match=r"Linear takes no 'bais'. Did you mean 'bias'\?"):
        quick(module=Linear, net_params={"module__bais": False}).fit(X)
    quick(module=Linear, net_params={"module__bias": False}).fit(X)


def test_a_net_param_of_a_wrong_kind_is_named(quick, X):
    with pytest.raises(TypeError, match=r"optimizer=AdamW cannot be made: .*called with betas"):
        quick(net_params={"optimizer__betas": 7}).fit(X)
    with pytest.raises(TypeError, match="net_params has the key 1"):
        quick(net_params={1: 2}).fit(X)


MODULES = {
    "an estimator": (AutoencoderTransformer(), "AutoencoderTransformer, an estimator.*Pipeline"),
    "its class": (AutoencoderTransformer, "AutoencoderTransformer, an estimator, but a torch.nn"),
    "PCA": (PCA(), "module is PCA, an estimator"),
    "arguments missing": (nn.Linear, r"module=Linear cannot be made: .*called with nothing else"),
    "no module": (lambda: None, r"module=.*<lambda> gave NoneType, but a torch.nn.Module"),
    "no methods": (nn.Linear(6, 2), "module=Linear has no method 'encode'"),
    "nothing in it": (nn.Module(), "module=Module has no method 'encode'"),
}


@pytest.mark.parametrize(("module", "message"), MODULES.values(), ids=MODULES)
def test_what_is_no_module_is_refused(quick, X, module, message):
    with pytest.raises(TypeError, match=message):
        quick(module=module).fit(X)


def test_a_fitted_net_as_module_is_refused(quick, X):
    net = quick().fit(X).net_
    with pytest.raises(TypeError, match="module is AutoencoderNet, an estimator"):
        quick(module=net).fit(X)


@pytest.mark.parametrize("name", ["module", "optimizer", "loss", "hidden_layer_sizes"])
def test_an_estimator_as_a_parameter_of_itself_is_refused(quick, X, name):
    autoencoder = quick()
    autoencoder.set_params(**{name: autoencoder})
    with pytest.raises(TypeError, match=f"{name} is the AutoencoderTransformer itself"):
        autoencoder.fit(X)


def test_a_module_without_parameters_is_refused(quick, X):
    with pytest.raises(ValueError, match="module=Slices has no parameters"):
        quick(module=Slices).fit(X)


def test_a_module_of_frozen_parameters_is_refused(quick, X):
    with pytest.raises(ValueError, match=r"Linear has no parameters that require.*requires_grad_"):
        quick(module=Linear().requires_grad_(False)).fit(X)


def test_a_module_without_values_is_refused(quick, X):
    with pytest.raises(ValueError, match="module=Linear is on the device 'meta'"):
        quick(module=Linear().to("meta")).fit(X)


def test_callbacks_that_freeze_all_parameters_are_refused(quick, X):
    with pytest.raises(ValueError, match=r"frozen all parameters of the network in epoch 1"):
        quick(callbacks=[Freezer("*")]).fit(X)


DEVICES = ["mps", "meta", "cuda:99", "xpu", "hpu", "nonsense", "", "CPU"]


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_is_not_there_is_refused_before_anything_is_computed(
    quick, X, device, monkeypatch
):
    if device == "mps" and torch.backends.mps.is_available():
        device = "mps:9"
    monkeypatch.setattr("sk_autoencoder._training.setup.find_axes", None)
    expected = rf"device='{device}' is not there: [^\n]{{,300}}. Use 'auto', or .*: 'cpu'"
    with pytest.raises(ValueError, match=expected):
        quick(device=device).fit(X)


@pytest.mark.parametrize(
    "params",
    [{"net_params": {"optimizer__beta": 1}}, {"optimizer": lambda parameters: None}],
    ids=["net_params", "optimizer"],
)
def test_what_can_be_told_from_the_parameters_is_told_before_anything_is_computed(
    quick, X, params, monkeypatch
):
    monkeypatch.setattr("sk_autoencoder._training.setup.find_axes", None)
    with pytest.raises((TypeError, ValueError), match=next(iter(params))):
        quick(**params).fit(X)
