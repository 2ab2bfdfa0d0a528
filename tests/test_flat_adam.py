"""Weights that are stepped as one tensor end as those that are stepped one by one."""

import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._training._steps import plain
from sk_autoencoder._training._steps.adam import quick_step
from sk_autoencoder._training._steps.averaging import HORIZON, WeightAverage
from sk_autoencoder._training._steps.flat import joined
from sk_autoencoder._training._steps.flat_adam import FlatAdam, is_flat

pytestmark = pytest.mark.quick

SIZES = ((5, 4), (5,), (3, 5), (3,))


class Net:
    """What steps ask of a net."""

    def __init__(self, optimizer=torch.optim.AdamW, **params):
        torch.manual_seed(0)
        self.module_ = nn.ParameterList([nn.Parameter(torch.randn(size)) for size in SIZES])
        self.optimizer_ = optimizer(self.module_.parameters(), **({"fused": True} | params))
        self.average_ = WeightAverage(self.module_.parameters())


def gradients_of(step):
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(size, generator=generator) for size in SIZES]


def stepped_by_torch(net, steps):
    for step in steps:
        for parameter, gradient in zip(net.module_, gradients_of(step), strict=True):
            parameter.grad = gradient
        net.optimizer_.step()
        net.average_.update()


def stepped_flat(net, steps):
    flat = FlatAdam(net)
    for step in steps:
        flat.gradient.copy_(joined(gradients_of(step)))
        flat.step()
        net.average_.update()
    return flat


def held(net):
    """All that a training has changed."""
    states = [net.optimizer_.state[parameter] for parameter in net.module_]
    moments = [state[name] for state in states for name in ("exp_avg", "exp_avg_sq", "step")]
    return [*net.module_, *moments, *net.average_.others]


def are_close(one, other):
    pairs = zip(held(one), held(other), strict=True)
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs)


OPTIMIZERS = [
    (torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.3, "betas": (0.8, 0.9), "eps": 1e-3}),
    (torch.optim.Adam, {"lr": 0.1, "weight_decay": 0.3, "maximize": True}),
]


@pytest.mark.parametrize(("optimizer", "params"), OPTIMIZERS)
def test_steps_are_those_of_torch(optimizer, params):
    one, other = Net(optimizer, **params), Net(optimizer, **params)
    assert is_flat(one)
    stepped_flat(one, range(HORIZON + 9))
    stepped_by_torch(other, range(HORIZON + 9))
    assert are_close(one, other)


def test_they_go_on_from_steps_of_torch_and_back():
    one, other = Net(), Net()
    stepped_by_torch(one, range(3))
    stepped_flat(one, range(3, 6)).release()
    stepped_by_torch(one, range(6, 9))
    stepped_by_torch(other, range(9))
    assert is_flat(one)
    for net in (one, other):
        # Views of what was let go stand for nothing any more.
        net.average_ = WeightAverage(net.module_)
    assert are_close(one, other)


def test_the_rate_of_a_step_is_that_of_the_group():
    net = Net(lr=0.1)
    flat = stepped_flat(net, range(2))
    net.optimizer_.param_groups[0]["lr"] = 0.0
    before = [p.detach().clone() for p in net.module_]
    flat.step()
    assert all(torch.equal(p, b) for p, b in zip(net.module_, before, strict=True))


def test_an_average_that_is_shown_is_in_the_parameters():
    net = Net()
    stepped_flat(net, range(5))
    weights = [p.detach().clone() for p in net.module_]
    others = [other.clone() for other in net.average_.others]
    net.average_.show(True)
    assert all(torch.equal(p, o) for p, o in zip(net.module_, others, strict=True))
    net.average_.show(False)
    assert all(torch.equal(p, w) for p, w in zip(net.module_, weights, strict=True))


def test_what_is_released_shares_no_memory():
    net = Net()
    stepped_flat(net, range(2)).release()
    kept = [*net.module_, *(v for s in net.optimizer_.state.values() for v in s.values())]
    pointers = [tensor.untyped_storage().data_ptr() for tensor in kept]
    assert len(set(pointers)) == len(kept)
    assert all(t.untyped_storage().nbytes() == 4 * t.numel() for t in kept)


def with_groups(net):
    net.optimizer_ = torch.optim.AdamW(
        [{"params": list(net.module_)[:2]}, {"params": list(net.module_)[2:]}], fused=True
    )


def with_one_stepped(net):
    net.module_[0].grad = torch.ones(SIZES[0])
    net.optimizer_.step()


def with_one_stepped_more(net):
    stepped_by_torch(net, [0])
    for parameter in [*net.module_][1:]:
        parameter.grad = None
    net.optimizer_.step()


def with_fewer(net):
    net.optimizer_ = torch.optim.AdamW(list(net.module_)[1:], fused=True)


def with_another_kind(net):
    net.optimizer_ = torch.optim.SGD(net.module_.parameters())


def with_amsgrad(net):
    net.optimizer_ = torch.optim.AdamW(net.module_.parameters(), amsgrad=True, fused=True)


@pytest.mark.parametrize(
    "change",
    [
        with_groups,
        with_one_stepped,
        with_one_stepped_more,
        with_fewer,
        with_another_kind,
        with_amsgrad,
    ],
)
def test_parameters_that_are_not_stepped_alike_are_stepped_one_by_one(change):
    net = Net()
    change(net)
    assert not is_flat(net)


def test_a_group_of_frozen_parameters_is_left():
    net = Net()
    with_groups(net)
    net.module_[0].requires_grad_(False)
    net.module_[1].requires_grad_(False)
    step = quick_step(net.optimizer_)
    before = [p.detach().clone() for p in net.module_]
    for _ in range(2):
        for parameter, gradient in zip([*net.module_][2:], gradients_of(0)[2:], strict=True):
            parameter.grad = gradient
        step()
    are_same = [torch.equal(p, b) for p, b in zip(net.module_, before, strict=True)]
    assert are_same == [True, True, False, False]


class Keep(Callback):
    """Keep a copy of the weights of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.weights = []

    def on_epoch_end(self, net, **kwargs):
        self.weights.append([p.detach().clone() for p in net.module_.parameters()])


PARAMS = {"n_components": 2, "max_epochs": 6, "random_state": 0}


@pytest.fixture
def one_by_one(monkeypatch):
    """Let no weights be stepped as one tensor."""
    monkeypatch.setattr(plain, "is_flat", lambda net: False)


@pytest.mark.parametrize(
    ("params", "are_flat"),
    [({}, True), ({"precision": "bfloat16"}, True), ({"loss": "huber"}, False)],
)
def test_weights_of_a_plain_stack_are_stepped_as_one(X, monkeypatch, params, are_flat):
    made = []

    class Spied(FlatAdam):
        def step(self):
            made.append(self)
            super().step()

    monkeypatch.setattr(plain, "FlatAdam", Spied)
    AutoencoderTransformer(**PARAMS, **params).fit(X)
    assert bool(made) is are_flat


@pytest.mark.parametrize(
    "params", [{}, {"warm_start": True}, {"average": False}, {"early_stopping": False}]
)
def test_a_fit_is_that_of_steps_one_by_one(X, params, request):
    flat = AutoencoderTransformer(**PARAMS, **params).fit(X)
    request.getfixturevalue("one_by_one")
    other = AutoencoderTransformer(**PARAMS, **params).fit(X)
    np.testing.assert_allclose(
        flat.history_["train_loss"], other.history_["train_loss"], rtol=1e-4, atol=1e-7
    )
    np.testing.assert_allclose(flat.transform(X), other.transform(X), rtol=1e-3, atol=1e-3)


def test_a_fit_that_goes_on_is_that_of_steps_one_by_one(X, request):
    def fitted():
        model = AutoencoderTransformer(**PARAMS, warm_start=True)
        return model.fit(X).partial_fit(X).fit(X).partial_fit(X)

    flat = fitted()
    request.getfixturevalue("one_by_one")
    np.testing.assert_allclose(flat.transform(X), fitted().transform(X), rtol=1e-3, atol=1e-3)


def test_a_fitted_network_holds_no_more_than_its_weights(X):
    model = AutoencoderTransformer(**PARAMS, warm_start=True).fit(X)
    tensors = [*model.net_.module_.parameters()]
    tensors += [v for s in model.net_.optimizer_.state.values() for v in s.values()]
    assert all(t.untyped_storage().nbytes() == t.element_size() * t.numel() for t in tensors)
    assert isinstance(model.net_.module_, StackedAutoencoder)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.transform(X), model.transform(X))


def test_callbacks_see_the_weights_of_each_epoch(X):
    keep = Keep()
    AutoencoderTransformer(**PARAMS, average=False, callbacks=[keep], early_stopping=False).fit(X)
    assert len(keep.weights) == PARAMS["max_epochs"]
    assert not torch.equal(keep.weights[0][0], keep.weights[1][0])


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("params", [{}, {"loss": "huber"}, {"corruption": "swap"}])
def test_what_a_fit_keeps_can_be_trained_by_autograd(X, optimizer, params):
    model = AutoencoderTransformer(**PARAMS, optimizer=optimizer, lr=1e-3, **params)
    model.set_params(warm_start=True).fit(X)
    states = model.net_.optimizer_.state.values()
    kept = [*model.net_.module_.parameters(), *(v for s in states for v in s.values())]
    assert not any(v.is_inference() for v in kept if isinstance(v, torch.Tensor))
    # Steps that callbacks watch are those of autograd, in place of what was kept.
    model.set_params(callbacks=[Keep()]).partial_fit(X)
    assert np.isfinite(model.transform(X)).all()


def test_a_corruption_may_ask_for_gradients(X):
    def away(x, generator):
        with torch.enable_grad():
            x = x.clone().requires_grad_()
            x.square().sum().backward()
        return x.detach() + 0.1 * x.grad

    model = AutoencoderTransformer(**PARAMS, corruption=away, early_stopping=False).fit(X)
    assert len(model.history_) == PARAMS["max_epochs"] + 1
