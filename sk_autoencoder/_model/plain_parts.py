"""The parts of a fitted autoencoder beside its module, as arrays and facts, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sk_autoencoder._model.sampling import DTYPE as DTYPE_OF_CODES
from sk_autoencoder._model.sampling import CodeMixture, Prior
from sk_autoencoder._nn.bottlenecks import GaussianPosterior, Identity, NestedDropout
from sk_autoencoder._nn.frames import Frame
from sk_autoencoder._nn.whitening import Unwhitened, Whitening
from sk_autoencoder._pca.imputation import Imputation, Imputer
from sk_autoencoder._utils.facts import FactError, array, choice, count, number, number_or_none
from sk_autoencoder._utils.plain import Plain

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
BOTTLENECKS = {"identity": Identity, "nested": NestedDropout, "gaussian": GaussianPosterior}


def plain_frame(frame: Frame) -> Plain:
    """Return a frame with its imputation."""
    plain = Plain(
        {
            "scale": float(frame.scale),
            "mean_square": float(frame.mean_square),
            "ceiling": None if frame.ceiling is None else float(frame.ceiling),
        },
        {"mean": frame.mean},
    )
    if frame.components is not None:
        plain.arrays["components"] = frame.components.cpu().numpy()
    if frame.imputer is not None:
        plain.put("imputer", _plain_imputer(frame.imputer))
    return plain


def frame_of(plain: Plain, dtype: torch.dtype) -> Frame:
    """Return the frame of a description, for rows of a dtype."""
    facts, arrays, components = plain.facts, plain.arrays, None
    mean = array(arrays, "mean", (None,), np.float64)
    if "components" in arrays:
        of_dtype = np.float32 if dtype == torch.float32 else np.float64
        components = array(arrays, "components", (None, len(mean)), of_dtype)
        if not 1 <= len(components) <= len(mean):
            raise FactError(f"the array 'components' has {len(components)} rows")
    frame = Frame(
        mean,
        number(facts, "scale", positive=True),
        components,
        mean_square=number(facts, "mean_square", positive=True),
        dtype=dtype,
        ceiling=number_or_none(facts, "ceiling"),
    )
    if "imputer" in facts:
        frame.imputer = _imputer_of(plain.part("imputer"), len(mean), components)
    return frame


def _plain_imputer(imputer: Any) -> Plain:
    """Return an imputer, with the axes that are not those of its frame."""
    imputation = imputer.imputation
    arrays = {"mean": imputation.mean, "deviation": imputation.deviation}
    facts = {"noise": float(imputation.noise), "n_components": imputer.n_components}
    optional = {
        "scale": None if np.all(imputation.scale == 1.0) else imputation.scale,
        "loadings": imputation.loadings,
        "strength": imputation.strength,
        "axes": None if imputer.axes is None else as_narrow(imputer.axes),
    }
    if np.isfinite(imputation.lowest).any() or np.isfinite(imputation.highest).any():
        arrays |= {"lowest": imputation.lowest, "highest": imputation.highest}
    arrays |= {name: value for name, value in optional.items() if value is not None}
    return Plain(facts, arrays)


def as_narrow(values: np.ndarray) -> np.ndarray:
    """Return values in float32 where that loses nothing, else as they are."""
    if values.dtype != np.float64:
        return values
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values, equal_nan=True) else values


def _imputer_of(plain: Plain, n_features: int, axes: np.ndarray | None) -> Imputer:
    """Return the imputer of a description, beside the axes of its frame."""
    facts, arrays, each = plain.facts, plain.arrays, (n_features,)
    own = None
    if axes is None:
        own = axes = array(arrays, "axes", (None, n_features), *FLOATS)
    n_axes = len(axes)
    n_components = count(facts, "n_components")
    loadings = strength = None
    if "strength" in arrays:
        strength = array(arrays, "strength", (None,), np.float64)
    else:
        loadings = array(arrays, "loadings", (None, n_features), np.float64)
    if max(n_components, 0 if strength is None else len(strength)) > n_axes:
        raise FactError(f"there are {n_axes} axes, fewer than 'n_components' or 'strength'")
    infinite, has_range = np.full(n_features, np.inf), "lowest" in arrays
    imputation = Imputation(
        array(arrays, "mean", each, np.float64),
        array(arrays, "scale", each, np.float64) if "scale" in arrays else np.ones(n_features),
        loadings,
        number(facts, "noise", positive=True),
        array(arrays, "deviation", each, np.float64),
        array(arrays, "lowest", each, np.float64) if has_range else -infinite,
        array(arrays, "highest", each, np.float64) if has_range else infinite,
        strength,
    )
    return Imputer(imputation, n_components, own)


def plain_bottleneck(bottleneck: Identity) -> Plain:
    """Return a bottleneck."""
    kinds = [kind for kind, cls in BOTTLENECKS.items() if type(bottleneck) is cls]
    if not kinds:
        raise TypeError(f"The bottleneck {type(bottleneck).__qualname__} is none that is saved.")
    arrays = {name: value.cpu().numpy() for name, value in bottleneck.state_dict().items()}
    return Plain({"kind": kinds[0], "width": bottleneck.width}, arrays)


def bottleneck_of(plain: Plain, n_inputs: int, dtype: torch.dtype) -> Identity:
    """Return the bottleneck of a description, in inference mode."""
    facts = plain.facts
    kind, width = choice(facts, "kind", BOTTLENECKS), count(facts, "width")
    generator = torch.Generator().manual_seed(0)
    if kind == "identity":
        return Identity(width).eval()
    if kind == "nested":
        return NestedDropout(width, generator).eval()
    share = array(plain.arrays, "log_share", (width,), *FLOATS)
    scale = array(plain.arrays, "prior_scale", (width,), *FLOATS)
    if not (scale > 0).all():
        raise FactError("the array 'prior_scale' has numbers that are not positive")
    posterior = GaussianPosterior(
        n_inputs, torch.from_numpy(scale), torch.from_numpy(share).exp(), generator
    )
    state = {
        name: torch.from_numpy(array(plain.arrays, name, tuple(value.shape), *FLOATS))
        for name, value in posterior.state_dict().items()
    }
    posterior.to(dtype).load_state_dict(state)
    return posterior.eval()


def plain_whitening(whitening: Whitening | Unwhitened) -> Plain:
    """Return a whitening."""
    arrays = {name: value.cpu().numpy() for name, value in whitening.state_dict().items()}
    return Plain({"kind": "cholesky" if arrays else None}, arrays)


def whitening_of(plain: Plain, width: int) -> Whitening | Unwhitened:
    """Return the whitening of a description, of codes of a width."""
    if choice(plain.facts, "kind", (None, "cholesky")) is None:
        return Unwhitened()
    factor = array(plain.arrays, "factor", (width, width), np.float64)
    if not (np.diag(factor) > 0).all():
        raise FactError("the array 'factor' has no inverse")
    return Whitening(array(plain.arrays, "mean", (width,), np.float64), factor)


def plain_sampler(sampler: CodeMixture | Prior) -> Plain:
    """Return what new codes are drawn from."""
    if isinstance(sampler, Prior):
        return Plain({"kind": "prior"}, {"scale": sampler.scale})
    arrays = {"codes": sampler.codes, "mean": sampler.mean, "scale": sampler.scale}
    return Plain({"kind": "mixture"}, arrays)


def sampler_of(plain: Plain, width: int) -> CodeMixture | Prior:
    """Return what new codes are drawn from, of a width."""
    kind = choice(plain.facts, "kind", ("prior", "mixture"))
    scale = array(plain.arrays, "scale", (width,), np.float64)
    if not (scale > 0).all():
        raise FactError("the array 'scale' has numbers that are not positive")
    if kind == "prior":
        return Prior(scale)
    codes = array(plain.arrays, "codes", (None, width), DTYPE_OF_CODES)
    if len(codes) == 0:
        raise FactError("the array 'codes' is empty")
    return CodeMixture(codes, array(plain.arrays, "mean", (width,), np.float64), scale)
