"""Gradients written out, and steps of Adam, against torch's own."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.batch import Target
from sk_autoencoder._nn.frames import Frame
from sk_autoencoder._nn.layers import ACTIVATIONS
from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._training._steps.adam import begin_moments, quick_step
from sk_autoencoder._training._steps.backprop import Backprop, is_plain
from sk_autoencoder._training.errors import FrameError

pytestmark = pytest.mark.quick


def stack(**params):
    """A module whose layers are all away from where they start."""
    generator = torch.Generator().manual_seed(0)
    module = StackedAutoencoder(6, 2, (8, 4), generator=generator, **params)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.5)
    return module


def autograd(module, x, target, mask=1):
    """The loss, and the gradients of a copy of a module whose codes are multiplied by a mask."""
    module = copy.deepcopy(module)
    module.zero_grad()
    reconstruction = module.decode(module.encode(x) * mask)
    loss = FrameError(Frame(np.zeros(6), 1.0))(reconstruction, target)
    loss.backward()
    return loss.detach(), [parameter.grad for parameter in module.parameters()]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_gradients_are_those_of_autograd(activation, shortcut, weighted):
    module = stack(activation=activation, linear_shortcut=shortcut)
    assert is_plain(module)
    generator = torch.Generator().manual_seed(1)
    x, rows = 3 * torch.randn(2, 10, 6, generator=generator)
    target = Target(rows, torch.rand(10, generator=generator) if weighted else None)
    expected, gradients = autograd(module, x, target)
    loss = Backprop(module)(x, target)
    torch.testing.assert_close(loss, expected)
    for parameter, gradient in zip(module.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_a_batch_is_left_as_it_was():
    x = torch.randn(10, 6)
    before = x.clone()
    Backprop(stack())(x, Target(x, None))
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ["silu", "tanh", "identity", "mish"])
@pytest.mark.parametrize("sizes", [(10, 10), (10, 9, 10), (3, 10, 4, 3), (1, 2, 1)])
def test_batches_of_other_sizes_leave_nothing_behind(sizes, activation, weighted):
    module = stack(activation=activation)
    backprop = Backprop(module)
    for seed, size in enumerate(sizes):
        generator = torch.Generator().manual_seed(seed)
        x, rows = torch.randn(2, size, 6, generator=generator)
        target = Target(rows, torch.rand(size, generator=generator) if weighted else None)
        loss, gradients = autograd(module, x, target)
        torch.testing.assert_close(backprop(x, target), loss)
        for parameter, gradient in zip(module.parameters(), gradients, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
        with torch.no_grad():  # a step, as an optimizer takes it
            for parameter in module.parameters():
                parameter.sub_(parameter.grad, alpha=0.001)


@pytest.mark.parametrize("shortcut", [False, True])
def test_codes_may_be_multiplied_by_a_mask(shortcut):
    module = stack(linear_shortcut=shortcut)
    masks = []

    def mask(z):
        masks.append(torch.rand(z.shape, generator=generator) < 0.5)
        return masks[-1]

    backprop = Backprop(module, mask=mask)
    generator = torch.Generator().manual_seed(0)
    for size in (10, 9, 10, 3):
        x = torch.randn(size, 6, generator=generator)
        found = backprop(x, Target(x, None))
        loss, gradients = autograd(module, x, Target(x, None), masks[-1])
        torch.testing.assert_close(found, loss)
        for parameter, gradient in zip(module.parameters(), gradients, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == len(masks) == 4


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_a_row_less_is_computed_in_the_same_memory_and_fewer_in_less(dtype):
    def memory(size):
        backprop(torch.ones(size, 6), Target(torch.ones(size, 6), None))
        tensors = backprop.calls[size].tensors
        assert len({tensor.data_ptr() for tensor in tensors}) == len(tensors)
        return [tensor.data_ptr() for tensor in tensors], sum(tensor.nbytes for tensor in tensors)

    backprop = Backprop(stack(), dtype)
    most = memory(10)
    assert memory(9) == memory(10) == most
    assert [*backprop.calls] == [10, 9]
    assert memory(5)[1] == most[1] / 2
    assert [*backprop.calls] == [5]
    assert memory(6)[1] == most[1] * 0.6


@pytest.mark.parametrize("shortcut", [False, True])
def test_products_in_half_precision_are_those_of_autocast(shortcut):
    module = stack(linear_shortcut=shortcut)
    backprop = Backprop(module, torch.bfloat16)
    for _ in range(2):  # weights are taken anew at each step
        x = torch.randn(10, 6)
        with torch.autocast("cpu", torch.bfloat16):
            expected, gradients = autograd(module, x, Target(x, None))
        loss = backprop(x, Target(x, None))
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected, rtol=0.05, atol=0.05)
        for parameter, gradient in zip(module.parameters(), gradients, strict=True):
            assert parameter.grad.dtype == torch.float32
            torch.testing.assert_close(parameter.grad, gradient, rtol=0.05, atol=0.05)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(-0.5)


def test_other_modules_are_not_plain():
    class Own(StackedAutoencoder):
        pass

    assert not is_plain(nn.Linear(2, 2))
    assert not is_plain(Own(6, 2, (4,)))
    module = stack()
    module.encoder[1] = nn.Dropout()
    assert not is_plain(module)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_steps_are_those_of_the_optimizer(name, begun):
    module = stack()
    modules = [module, copy.deepcopy(module)]
    optimizers = [
        getattr(torch.optim, name)(
            [{"params": module.encoder.parameters()}, {"params": module.decoder.parameters()}],
            lr=0.1,
            weight_decay=0.1,
            fused=True,
        )
        for module in modules
    ]
    steps = [quick_step(optimizers[0]), optimizers[1].step]
    assert steps[0] != optimizers[0].step
    if begun:
        begin_moments(optimizers[0], [*module.encoder.parameters(), *module.decoder.parameters()])
    for i in range(4):
        x = torch.randn(10, 6)
        for module, optimizer, step in zip(modules, optimizers, steps, strict=True):
            optimizer.zero_grad()
            module(x).square().mean().backward()
            optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
            step()
    states = [optimizer.state_dict() for optimizer in optimizers]
    torch.testing.assert_close(*states, rtol=0, atol=0)
    torch.testing.assert_close(*(dict(module.state_dict()) for module in modules), rtol=0, atol=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        lambda parameters: torch.optim.Adam(parameters),
        lambda parameters: torch.optim.Adam(parameters, fused=True, amsgrad=True),
    ],
)
def test_other_optimizers_take_their_own_steps(make):
    optimizer = make(stack().parameters())
    assert quick_step(optimizer) == optimizer.step


@pytest.mark.parametrize("nested", [False, True])
def test_a_fit_learns_what_autograd_would_let_it_learn(monkeypatch, X, nested):
    def fit():
        params = {"net_params": {"optimizer__eps": 0.01}}  # as the fixture `smooth` has it
        model = AutoencoderTransformer(
            batch_size=16, max_epochs=3, nested=nested, random_state=0, **params
        )
        return model.fit(X)

    made = []
    monkeypatch.setattr(
        "sk_autoencoder._training._steps.plain.Backprop",
        lambda *args: made.append(Backprop(*args)) or made[-1],
    )
    plain = fit()
    assert made
    made.clear()
    monkeypatch.setattr("sk_autoencoder._training.net.is_plain", lambda module: False)
    monkeypatch.setattr("sk_autoencoder._training.net.quick_step", lambda optimizer: optimizer.step)
    slow = fit()
    assert not made
    assert plain.best_epoch_ == slow.best_epoch_ > 0
    np.testing.assert_allclose(plain.transform(X), slow.transform(X), atol=1e-5)
