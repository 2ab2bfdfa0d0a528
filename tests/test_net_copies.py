"""The copy of a net that the next fit trains: all that is trained is its own, as by `deepcopy`."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sk_autoencoder import AutoencoderTransformer

pytestmark = pytest.mark.quick


class Marked(nn.Parameter):
    """A parameter of another kind."""


class Odd(nn.Module):
    """A module whose parameters are tied, frozen, of another kind, and hooked."""

    def __init__(self, n_features=6):
        super().__init__()
        self.there, self.back = (nn.Parameter(torch.randn(2, n_features)) for _ in range(2))
        self.tied = self.there
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.marked = Marked(torch.zeros(2))
        self.layer = nn.Linear(2, 2)
        self.layer.register_forward_hook(hooked)
        self.register_buffer("steps", torch.zeros(1))

    def encode(self, x):
        return self.layer(x @ self.tied.T * self.frozen + self.marked)

    def decode(self, z):
        return z @ self.back


class Told(Odd):
    """A module whose state holds more than tensors."""

    def get_extra_state(self):
        return {"told": [1]}

    def set_extra_state(self, state):
        assert state == {"told": [1]}


def hooked(*args):
    """Change nothing."""


def trained(module):
    X = np.random.default_rng(0).standard_normal((40, 6))
    return AutoencoderTransformer(2, module=module, random_state=0).partial_fit(X).net_


@pytest.fixture
def net():
    return trained(Odd())


def test_what_a_copy_holds_is_that_of_deepcopy(net):
    copied, expected = net.copy().module_, copy.deepcopy(net.module_)
    assert [*dict(copied.named_parameters())] == [*dict(expected.named_parameters())]
    for name, tensor in expected.state_dict(keep_vars=True).items():
        ours = copied.state_dict(keep_vars=True)[name]
        assert torch.equal(ours, tensor)
        assert (type(ours), ours.requires_grad) == (type(tensor), tensor.requires_grad)
    assert copied.tied is copied.there
    assert [*copied.layer._forward_hooks.values()] == [hooked]


def test_a_copy_shares_no_memory_and_no_hooks(net):
    twin = net.copy()
    ours, theirs = ({t.untyped_storage().data_ptr() for t in each.state()} for each in (twin, net))
    assert not ours & theirs
    twin.module_.layer.register_forward_pre_hook(hooked)
    assert not net.module_.layer._forward_pre_hooks


def test_weights_are_copies_of_all_that_a_state_holds():
    net = trained(Told())
    kept, *_ = net.weights()
    expected = copy.deepcopy(net.module_.state_dict())
    assert [*kept] == [*expected]
    assert kept._metadata == expected._metadata
    own = net.module_.state_dict()
    for name, value in expected.items():
        assert type(kept[name]) is type(value)
        if not torch.is_tensor(value):
            assert kept[name] == value
        else:
            assert torch.equal(kept[name], value)
            assert kept[name].data_ptr() != own[name].data_ptr()
    net.load_weights(net.weights())


def test_an_optimizer_goes_on_with_the_copy(net):
    twin = net.copy()
    groups = twin.optimizer_.param_groups
    trained = [p for group in groups for p in group["params"]]
    assert {id(p) for p in trained} == {id(p) for p in twin.parameters()}
    assert set(twin.optimizer_.state) <= set(trained)
    states = [[*each.optimizer_.state.values()] for each in (twin, net)]
    for ours, theirs in zip(*states, strict=True):
        for name in theirs:
            assert torch.equal(ours[name], theirs[name])
            assert ours[name].data_ptr() != theirs[name].data_ptr()


def test_what_an_optimizer_keeps_otherwise_is_copied_too(net):
    first = next(iter(net.optimizer_.state))
    whole = torch.arange(6.0)
    net.optimizer_.state[first] |= {"whole": whole, "part": whole[:3], "sparse": whole.to_sparse()}
    net.optimizer_.state["count"] = 3
    twin = net.copy()
    state = twin.optimizer_.state[next(iter(twin.optimizer_.state))]
    assert twin.optimizer_.state["count"] == 3
    assert torch.equal(state["sparse"].to_dense(), whole)
    state["whole"][0] = 9.0
    assert state["part"][0] == 9.0
    assert whole[0] == 0.0
