"""Optimizers that do not load torch's compiler: they are torch's own else, and nothing loads it."""

import copy
import pickle
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from sk_autoencoder._nn.optimizers import BARE

KINDS = {
    torch.optim.Adam: {"fused": True},
    torch.optim.AdamW: {"weight_decay": 0.1, "betas": (0.9, 0.95)},
    torch.optim.RMSprop: {"momentum": 0.5},
    torch.optim.SGD: {"momentum": 0.9, "nesterov": True},
}
each_kind = pytest.mark.parametrize("kind", BARE, ids=lambda kind: kind.__name__)


def trained(optimizer_of, n_steps=5, go_on=lambda optimizer: None):
    """Return the weights that an optimizer leads to, and the optimizer."""
    torch.manual_seed(0)
    module, x = nn.Linear(3, 2), torch.randn(8, 3)
    optimizer = optimizer_of(module.parameters())
    for _ in range(n_steps):
        optimizer.zero_grad()
        assert all(p.grad is None for p in module.parameters())
        module(x).square().mean().backward()
        optimizer.step()
        go_on(optimizer)
    return [p.detach() for p in module.parameters()], optimizer


def assert_equal(parameters, others):
    assert all(torch.equal(*pair) for pair in zip(parameters, others, strict=True))


@pytest.mark.quick
@each_kind
def test_steps_are_those_of_torch(kind):
    expected, _ = trained(lambda p: kind(p, lr=0.01, **KINDS[kind]))
    found, optimizer = trained(lambda p: BARE[kind](p, lr=0.01, **KINDS[kind]))
    assert_equal(found, expected)
    assert isinstance(optimizer, kind)
    assert type(optimizer).__name__ == kind.__name__


@each_kind
def test_state_goes_from_one_to_the_other(kind):
    def load_from_torch(optimizer):
        other = kind(optimizer.param_groups[0]["params"], lr=1.0)
        other.load_state_dict(optimizer.state_dict())
        optimizer.state.clear()
        optimizer.load_state_dict(other.state_dict())

    expected, _ = trained(lambda p: kind(p, lr=0.01, **KINDS[kind]))
    found, _ = trained(lambda p: BARE[kind](p, lr=0.01, **KINDS[kind]), go_on=load_from_torch)
    assert_equal(found, expected)


@each_kind
def test_copies_and_pickles_keep_the_state(kind):
    _, optimizer = trained(lambda p: BARE[kind](p, lr=0.01, **KINDS[kind]))
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert type(other) is type(optimizer)
        states = [o.state_dict()["state"] for o in (optimizer, other)]
        for of_one, of_other in zip(*[state.values() for state in states], strict=True):
            assert of_one.keys() == of_other.keys()
            tensors = [name for name, value in of_one.items() if isinstance(value, torch.Tensor)]
            assert_equal([of_one[n] for n in tensors], [of_other[n] for n in tensors])


@each_kind
@pytest.mark.parametrize("torch_first", [False, True])
def test_hooks_are_called_once_a_step(kind, torch_first):
    if torch_first:
        trained(lambda p: kind(p, lr=0.01))
    called = []

    def with_hooks(parameters):
        optimizer = BARE[kind](parameters, lr=0.01)
        optimizer.register_step_pre_hook(lambda *args: called.append("before"))
        optimizer.register_step_post_hook(lambda *args: called.append("after"))
        return optimizer

    trained(with_hooks, n_steps=2)
    assert called == ["before", "after"] * 2


@each_kind
def test_a_closure_computes_with_gradients(kind):
    parameter = nn.Parameter(torch.ones(2))
    optimizer = BARE[kind]([parameter], lr=0.01)

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 2.0
    assert (parameter < 1).all()


@each_kind
def test_steps_have_gradients_where_these_are_asked_for(kind):
    parameter = torch.ones(2, requires_grad=True)
    moved = parameter.clone()
    optimizer = BARE[kind]([moved], lr=0.01, differentiable=True)
    moved.grad = torch.ones(2)
    optimizer.step()
    assert moved.grad_fn is not None
    assert torch.is_grad_enabled()


WAYS = """
    ways = [
        {}, {"optimizer": "adam"}, {"optimizer": "sgd"}, {"optimizer": "rmsprop"},
        {"optimizer": torch.optim.AdamW}, {"tied_weights": True}, {"nested": True},
        {"normalization": "batch", "dropout": 0.1}, {"corruption": "gaussian"}, {"loss": "huber"},
        {"linear_shortcut": False, "pretrain": "layerwise", "hidden_layer_sizes": (8, 4)},
        {"contractive_penalty": 0.1, "sparsity_penalty": 0.1, "orthogonality_penalty": 0.1},
        {"warm_start": True}, {"checkpoint": "checkpoint"}, {"callbacks": [EpochTimer()]},
    ]
    for params in ways:
        autoencoder = AutoencoderTransformer(2, max_epochs=2, **params).fit(X)
        if "warm_start" in params:
            autoencoder.fit(X)
        tell(params)
        autoencoder.save("model.safetensors")
        code = {name: value for name, value in params.items() if name == "callbacks"}
        load("model.safetensors", **code).inverse_transform(autoencoder.transform(X))
        tell(f"load {params}")
    VariationalAutoencoderTransformer(2, max_epochs=2).fit(X).sample(3)
    tell("variational")
    AutoencoderOutlierDetector(autoencoder).fit(X).predict(X)
    tell("detector")
"""


def test_nothing_waits_for_the_compiler_of_torch(tmp_path):
    script = """
        import sys, warnings
        import numpy as np
        import torch
        from skorch.callbacks import EpochTimer
        from sk_autoencoder import *
        warnings.simplefilter("ignore")
        X = np.random.RandomState(0).randn(100, 6)

        def tell(what):
            loaded = {"torch._dynamo", "sympy"} & sys.modules.keys()
            assert not loaded, f"{what} loads {loaded}"
    """
    script = textwrap.dedent(script) + textwrap.dedent(WAYS)
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=300)
