"""Modules of the user's own in files of skops: types that the user trusts, arrays, attributes."""

import numpy as np
import pytest
import skops.io
import torch
from torch import nn

from sk_autoencoder import TRUSTED_TYPES, AutoencoderOutlierDetector, AutoencoderTransformer
from sk_autoencoder._saving.modules import module_of, plain_module

pytestmark = pytest.mark.quick


class Odd(nn.Module):
    """A network with all that a module may hold."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 2, bias=False), nn.Linear(2, 6)
        self.tied = self.second.weight
        self.again = self.first
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.no_parameter, self.no_module = None, nn.Identity()
        self.register_parameter("no_parameter_either", None)
        self.register_module("no_module", None)
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)
        self.table = torch.arange(4, dtype=torch.bfloat16)
        self.drop = nn.Dropout(0.2).eval()
        self.name, self.sizes = "odd", {"code": 2}

    def encode(self, x):
        return self.drop(self.first(x)) * self.frozen

    def decode(self, z):
        return self.second(z)


class OwnLoss(nn.Module):
    """A loss with a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor(2.0))

    def forward(self, reconstruction, x):
        return self.weight * (reconstruction - x).square()


def test_a_module_comes_back_whole():
    module = Odd()
    back = module_of(plain_module(module))
    for ask in (nn.Module.named_parameters, nn.Module.named_buffers):
        ours, theirs = (dict(ask(m, remove_duplicate=False)) for m in (back, module))
        assert list(ours) == list(theirs)
        for name, tensor in theirs.items():
            assert torch.equal(ours[name], tensor)
            assert ours[name].requires_grad == tensor.requires_grad
            assert ours[name].data_ptr() != tensor.data_ptr()
    assert list(back.state_dict()) == list(module.state_dict())
    assert [m.training for m in back.modules()] == [m.training for m in module.modules()]
    assert repr(back) == repr(module)
    assert back.tied is back.second.weight
    assert back.again is back.first
    assert (back.no_parameter, back.no_parameter_either, back.no_module) == (None, None, None)
    assert torch.equal(back.table, module.table)
    assert (back.name, back.sizes) == ("odd", {"code": 2})


@pytest.mark.parametrize("value", [None, 2, "squared_error", Odd, {"a": 1}, np.ones(2)])
def test_what_is_no_module_stays_as_it_is(value):
    assert plain_module(value) is value
    assert module_of(value) is value


@pytest.mark.parametrize("params", [{"module": Odd()}, {"loss": OwnLoss()}], ids=["module", "loss"])
@pytest.mark.parametrize("inside", [False, True])
def test_skops_asks_to_trust_the_types_alone(X, params, inside):
    estimator = AutoencoderTransformer(2, max_epochs=1, random_state=0, **params)
    if inside:
        estimator = AutoencoderOutlierDetector(estimator, random_state=0)
    modules = [m for module in params.values() for m in module.modules()]
    types = {f"{type(m).__module__}.{type(m).__qualname__}" for m in modules}
    method = "score_samples" if inside else "transform"
    for content in (skops.io.dumps(estimator), skops.io.dumps(estimator.fit(X))):
        untrusted = set(skops.io.get_untrusted_types(data=content))
        assert untrusted - {*TRUSTED_TYPES} == types
        loaded = skops.io.loads(content, trusted=[*TRUSTED_TYPES, *types])
    expected = getattr(estimator, method)(X)
    np.testing.assert_array_equal(getattr(loaded, method)(X), expected)
    np.testing.assert_array_equal(getattr(loaded.fit(X), method)(X), expected)


class Delegating(nn.Module):
    """A module that asks a child for what it has not."""

    def __init__(self):
        super().__init__()
        self.inside = nn.Linear(2, 2)

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inside"), name)


def test_a_module_may_ask_its_child_for_attributes():
    module = Delegating()
    back = module_of(plain_module(module))
    assert back.in_features == 2
    assert torch.equal(back.inside.weight, module.inside.weight)


class Listed(nn.Module):
    """A module with a tensor in a list."""

    def __init__(self):
        super().__init__()
        self.sizes = {"of": [torch.ones(2)]}


class OwnState(nn.Module):
    """A module that says itself what is kept of it."""

    def __getstate__(self):
        return {}


def within():
    class Within(nn.Module):
        """A class that its module does not have."""

    return Within()


def hooked():
    module = nn.Linear(2, 2)
    module.register_forward_hook(lambda *args: None)
    return module


def subclassed():
    class Marked(nn.Parameter):
        """A parameter of another kind."""

    module = nn.Linear(2, 2)
    module.weight = Marked(torch.ones(2, 2))
    return module


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "class that torch.nn"),
        (lambda: nn.utils.spectral_norm(nn.Linear(2, 2)), "has hooks"),
        (within, "is of a class that"),
        (hooked, "has hooks"),
        (subclassed, "tensors of another kind"),
        (lambda: nn.LazyLinear(2), "has hooks"),
        (lambda: nn.Linear(2, 2, device="meta"), "tensors of another kind"),
        (lambda: nn.GRU(2, 2), "state of its own"),
        (Listed, "in a list"),
        (OwnState, "state of its own"),
    ],
)
def test_what_would_come_back_as_another_module_is_refused(make, why):
    with pytest.raises(TypeError, match=f"{why}.* Use joblib"):
        skops.io.dumps(AutoencoderTransformer(2, module=nn.Sequential(make())))


def test_a_type_that_is_not_trusted_is_not_loaded(X):
    content = skops.io.dumps(AutoencoderTransformer(2, module=Odd(), max_epochs=1).fit(X))
    with pytest.raises(TypeError, match="Odd"):
        skops.io.loads(content, trusted=TRUSTED_TYPES)
