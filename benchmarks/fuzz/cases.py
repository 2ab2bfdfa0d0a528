"""Cases: an estimator, a table and an order of calls, as hypothesis draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from benchmarks.fuzz import tables
from benchmarks.fuzz.tables import Table
from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)

QUICK = {"hidden_layer_sizes": (6, 4), "batch_size": 8, "max_epochs": 2}


class SmallModule(nn.Module):
    """A network of one's own, with layers that draw numbers."""

    def __init__(self, n_features: int, n_components: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_features, 4), nn.Dropout(0.2), nn.Tanh())
        self.code = nn.Linear(4, n_components)
        self.decoder = nn.Linear(n_components, n_features)

    def encode(self, x):
        """Codes of rows."""
        return self.code(self.encoder(x))

    def decode(self, z):
        """Rows with some codes."""
        return self.decoder(z)

    def forward(self, x):
        """There and back."""
        return self.decode(self.encode(x))


def log_cosh(x, target):
    """Loss of each cell, as a user would write it."""
    error = x - target
    return error + nn.functional.softplus(-2 * error) - 0.6931471805599453


def tenth_off(x, generator):
    """Corruption of rows, as a user would write it."""
    return x * (torch.rand(x.shape, generator=generator, dtype=x.dtype) > 0.1)


# What a case calls by name, so that its repr is a script.
PARTS = {"<log_cosh>": log_cosh, "<tenth_off>": tenth_off, "<RAdam>": torch.optim.RAdam}
AUTOENCODERS = {
    "<quick>": lambda: AutoencoderTransformer(1, **QUICK),
    "<pca>": lambda: PCA(1),
    "<rows>": FunctionTransformer,
    "<pipeline>": lambda: make_pipeline(StandardScaler(), AutoencoderTransformer(1, **QUICK)),
}

OPTIONS = {
    "activation": ("relu", "tanh", "identity", "selu"),
    "hidden_layer_sizes": ((), (4,), "auto", (3, 5)),
    "linear_shortcut": (False,),
    "nested": (True,),
    "whiten": (True,),
    "dropout": (0.3,),
    "normalization": ("layer", "batch"),
    "tied_weights": (True,),
    "pretrain": ("layerwise",),
    "module": ("<SmallModule>",),
    "loss": (
        "absolute_error",
        "huber",
        "binary_crossentropy",
        "poisson",
        "<log_cosh>",
    ),
    "variational": (True,),
    "kl_weight": (0.0, 4.0),
    "supervised_weight": (0.5, 1.0),
    "corruption": ("gaussian", "masking", "salt_and_pepper", "swap", "<tenth_off>"),
    "corruption_level": (0.0, 0.1, 1.0),
    "sparsity_penalty": (0.1,),
    "sparsity": ("kl",),
    "contractive_penalty": (0.1,),
    "orthogonality_penalty": (0.1,),
    "optimizer": ("adam", "rmsprop", "sgd", "<RAdam>"),
    "lr": (1e-3, 5e-2),
    "lr_schedule": ("constant",),
    "weight_decay": (0.0, 0.01),
    "average": (False,),
    "batch_size": ("auto", 1, 3, 100),
    "max_epochs": (0, 1, 3),
    "early_stopping": (False,),
    "validation_fraction": (0.2, 0.5),
    "refit": (False, True),
    "n_iter_no_change": (1,),
    "precision": ("bfloat16", "auto"),
    "warm_start": (True,),
}
MOST_OPTIONS = 6

TARGETS = ("classes", "words", "values", "two columns of values", "some labels")

# A rule for another way to call goes here, and what it does into `play.CALLS`.
TRAINING = (
    "fit",
    "fit_transform",
    "fit with weights",
    "fit with groups",
    "fit with validation rows",
    "partial_fit",
    "partial_fit with weights",
    "partial_fit a few rows",
    "fit again warmly",
)
BETWEEN = ("pickle", "save", "use", "fit another table")
FAILING = (
    "infinite cell",
    "another width",
    "no weight",
    "divergence",
    "an error in a callback",
    "a changed parameter",
)
DETECTOR_CALLS = ("fit", "fit_predict")
DETECTOR_BETWEEN = ("pickle", "save", "use", "infinite cell", "another width")


@dataclass(frozen=True)
class Case:
    """What is tried: its `repr` is all that is needed to try it again."""

    table: Table = field(default_factory=Table)
    params: dict[str, Any] = field(default_factory=dict)
    calls: tuple[str, ...] = ("fit",)
    target: str = "classes"
    detector: bool = False

    def __hash__(self) -> int:
        return hash(repr(self))

    def estimator(self) -> Any:
        """Give the unfitted estimator."""
        if self.detector:
            params = {"random_state": 0} | self.params
            if "autoencoder" in params:
                params["autoencoder"] = AUTOENCODERS[params["autoencoder"]]()
            return AutoencoderOutlierDetector(**params)
        params = {"n_components": 1, "random_state": 0} | QUICK | self.params
        if "module" in params:
            params["module"] = _module(self.table.n_features, params["n_components"])
        for name in ("loss", "corruption", "optimizer"):
            if name in params:
                params[name] = PARTS.get(params[name], params[name])
        if params.pop("variational", False):
            params.pop("nested", None)
            return VariationalAutoencoderTransformer(**params)
        params.pop("kl_weight", None)
        return AutoencoderTransformer(**params)

    def y(self) -> np.ndarray | None:
        """Give the target, which only supervised codes read."""
        if not self.params.get("supervised_weight"):
            return None
        rng = np.random.RandomState(self.table.seed)
        n = self.table.n_samples
        classes = np.arange(n) % 2
        if self.target == "words":
            return np.array(["no", "yes"])[classes]
        if self.target == "values":
            return rng.standard_normal(n)
        if self.target == "two columns of values":
            return rng.standard_normal((n, 2))
        if self.target == "some labels":
            return np.where((np.arange(n) < 2) | (rng.uniform(size=n) < 0.5), classes, -1)
        return classes


def _module(n_features: int, n_components: int) -> SmallModule:
    """Give a module with weights that do not hang on torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return SmallModule(n_features, n_components)


@st.composite
def cases(draw) -> Case:
    """Draw a case; what comes first in each of the lists is what a failing case shrinks to."""
    if draw(st.sampled_from((False, False, False, False, True))):
        return draw(detector_cases())
    params = draw(_options())
    table = draw(_tables(params))
    params["n_components"] = draw(_n_components(params, table))
    if params.get("corruption") == "gaussian":  # whose level is in the units of X
        params["corruption_level"] = params.get("corruption_level", 0.3) * 10.0**table.exponent
    training = st.sampled_from(TRAINING)
    others = st.sampled_from(TRAINING + BETWEEN + FAILING)
    calls = (draw(training), *draw(st.lists(others, max_size=3)))
    target = draw(st.sampled_from(TARGETS)) if params.get("supervised_weight") else TARGETS[0]
    return Case(table, params, calls, target)


@st.composite
def detector_cases(draw) -> Case:
    """Draw a case of the detector."""
    options = {
        "autoencoder": st.sampled_from(tuple(AUTOENCODERS)),
        "n_neighbors": st.sampled_from((1, 3, 0.2, 1.0)),
        "max_samples": st.sampled_from((3, 8)),
        "novelty": st.just(True),
        "contamination": st.sampled_from((0.1, 0.5)),
    }
    params = draw(st.fixed_dictionaries({}, optional=options))
    table = draw(_tables({}, containers=tables.DENSE + tables.FRAMES, missing=(0.0,)))
    others = st.sampled_from(DETECTOR_CALLS + DETECTOR_BETWEEN)
    calls = (draw(st.sampled_from(DETECTOR_CALLS)), *draw(st.lists(others, max_size=2)))
    return Case(table, params, calls, detector=True)


@st.composite
def _options(draw) -> dict[str, Any]:
    """Draw a few parameters that go together."""
    names = draw(st.lists(st.sampled_from(tuple(OPTIONS)), max_size=MOST_OPTIONS, unique=True))
    params = {name: draw(st.sampled_from(OPTIONS[name])) for name in names}
    if "pretrain" in params:
        # Some hundred steps a layer: not in each eighth case.
        if draw(st.integers(0, 5)) < 5:
            del params["pretrain"]
        params["linear_shortcut"] = False
    if "module" in params:
        for name in ("dropout", "normalization", "tied_weights", "pretrain"):
            params.pop(name, None)
    return params


@st.composite
def _tables(draw, params: dict, containers=tables.CONTAINERS, missing=(0.0, 0.1, 0.5)) -> Table:
    """Draw a table that suits the loss."""
    exponents, offsets = (0, -12, -6, -3, 3, 6, 12), (0.0, 0.0, 1.0, -100.0, 1e6)
    shapes = tables.SHAPES
    if params.get("loss") in ("binary_crossentropy", "poisson"):
        exponents, offsets = (0,), (0.0,)
        shapes = tables.COUNT_SHAPES
        if params["loss"] == "binary_crossentropy":
            shapes = tables.UNIT_SHAPES
    dtype = draw(st.sampled_from(tables.DTYPES))
    if dtype in ("float16", "uint8", "bool"):
        exponents, offsets = (0,), (0.0,)
    container = draw(st.sampled_from(containers))
    is_dense_float = container not in tables.SPARSE and np.dtype(dtype).kind == "f"
    return Table(
        draw(st.sampled_from(shapes)),
        draw(st.integers(tables.LEAST_ROWS, tables.MOST_ROWS)),
        draw(st.sampled_from((5, 1, 2, 3, 8, 30, 90))),
        draw(st.sampled_from(exponents)),
        draw(st.sampled_from(offsets)),
        dtype,
        container,
        draw(st.sampled_from(missing)) if is_dense_float else 0.0,
        draw(st.integers(0, 1000)),
    )


@st.composite
def _n_components(draw, params: dict, table: Table) -> int | float:
    """Draw a width, which may be a share of the variance, that the table allows."""
    if "module" not in params and draw(st.sampled_from((False, False, False, True))):
        return draw(st.sampled_from((0.5, 0.95)))
    return draw(st.integers(1, min(table.n_samples, table.n_features, 6)))
