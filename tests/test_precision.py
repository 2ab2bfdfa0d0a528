"""Training in fewer digits, and compiled."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training._steps.precision import choose_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Watched(nn.Module):
    """A linear autoencoder that notes the dtypes of its codes, in training and outside of it."""

    def __init__(self, n_features=6):
        super().__init__()
        self.down, self.up = nn.Linear(n_features, 2), nn.Linear(2, n_features)
        self.seen = {True: set(), False: set()}

    def encode(self, x):
        z = self.down(x)
        self.seen[self.training].add(z.dtype)
        return z

    def decode(self, z):
        return self.up(z)


def test_bfloat16_is_what_the_module_computes_in_in_training_alone(X):
    model = AutoencoderTransformer(module=Watched(), precision="bfloat16", max_epochs=2)
    model.fit(X.astype(np.float32))
    assert model.net_.module_.seen[True] == {torch.bfloat16}
    assert model.net_.module_.seen[False] == {torch.float32}
    assert {weight.dtype for weight in model.net_.module_.parameters()} == {torch.float32}


@pytest.mark.sampled(only=["params0"])
@pytest.mark.parametrize("params", [{}, {"nested": True}, {"loss": "huber"}])
def test_bfloat16_learns_nearly_as_much(quick, X, X_new, params):
    exact = quick(max_epochs=30, **params).fit(X)
    rough = quick(max_epochs=30, precision="bfloat16", **params).fit(X)
    assert rough.best_epoch_ > 0
    assert rough.score(X_new) == pytest.approx(exact.score(X_new), abs=0.03)
    assert not np.array_equal(rough.transform(X_new), exact.transform(X_new))


def test_auto_leaves_a_small_net_as_it_is(quick, X):
    codes = [quick(precision=name).fit(X).transform(X) for name in ("auto", "float32")]
    np.testing.assert_array_equal(*codes)


def test_auto_takes_bfloat16_for_large_nets_on_processors_that_have_it(monkeypatch):
    for has_it, expected in [(True, "bfloat16"), (False, "float32")]:
        monkeypatch.setattr(
            "sk_autoencoder._training._steps.precision._multiplies_bfloat16", lambda has=has_it: has
        )
        assert choose_precision("auto", CPU, left=0.1, n_products=2**26) == expected
    assert choose_precision("auto", torch.device("meta"), 0.1, 2**26) == "float32"


def test_auto_takes_tf32_on_gpus_without_bfloat16(monkeypatch):
    for has_it, expected in [(True, "bfloat16"), (False, "tf32")]:
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has_it, **_: has)
        assert choose_precision("auto", CUDA, left=0.1, n_products=2**26) == expected


def test_auto_keeps_all_digits_where_pca_leaves_little_or_the_net_is_small(monkeypatch):
    monkeypatch.setattr(
        "sk_autoencoder._training._steps.precision._multiplies_bfloat16", lambda: True
    )
    assert choose_precision("auto", CPU, left=0.001, n_products=2**26) == "float32"
    assert choose_precision("auto", CPU, left=0.1, n_products=2**20) == "float32"


def test_tf32_without_a_gpu_is_refused_and_leaves_a_fit_as_it_was(quick, X):
    model = quick(device="cpu").fit(X)
    before = model.transform(X)
    with pytest.raises(ValueError, match=r"precision='tf32' is for CUDA GPUs, but.*'cpu'"):
        model.set_params(precision="tf32").fit(X)
    np.testing.assert_array_equal(model.transform(X), before)


# Torch asks tensors for their gradient while it compiles, and warns itself of that.
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_a_compiled_module_learns_the_same(smooth, X, monkeypatch):
    compiled, torch_compile = [], torch.compile

    def eagerly(function, **options):
        compiled.append(function.__name__)
        return torch_compile(function, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", eagerly)
    plain = smooth(max_epochs=2, refit=False).fit(X)
    model = smooth(max_epochs=2, refit=False, compile=True).fit(X)
    assert model.best_epoch_ > 0
    assert compiled == ["encode", "decode"]
    np.testing.assert_allclose(model.transform(X), plain.transform(X), atol=1e-5)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model)).transform(X), model.transform(X)
    )
