"""The parameters of an autoencoder as a value: what a training is told, in groups.

Each parameter is declared here once: in its group, with what it may be, and with whether a fit that
goes on has to leave it as it was. Below the estimators nobody sees an estimator.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Collection
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import nn

from sk_autoencoder._nn.corruptions import CORRUPTIONS
from sk_autoencoder._nn.layers import ACTIVATIONS, NORMALIZATIONS
from sk_autoencoder._nn.losses import LOSSES, Loss, find_loss
from sk_autoencoder._nn.penalties import SPARSITIES
from sk_autoencoder._sklearn_compat import Interval, RealNotInt, StrOptions

# Whose gradients do not jump.
SMOOTH_LOSSES = ("squared_error", "huber")

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
LR_SCHEDULES = ("one_cycle", "constant")
PRECISIONS = ("auto", "bfloat16", "float32", "tf32")
SHRINKAGES = (0.0, 0.25, 0.5, 0.75)

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

FROM_ZERO = Interval(Real, 0, None, closed="left")
SHARE = Interval(Real, 0, 1, closed="neither")


def _parameter(*constraints, fixed: bool = False, default: Any = MISSING):
    """Declare a parameter, by what it may be.

    A fit that goes on from another has to leave a `fixed` one as it was. A parameter that not all
    estimators have has a default.
    """
    return field(default=default, metadata={"constraints": list(constraints), "fixed": fixed})


@dataclass(frozen=True)
class CodeConfig:
    """The code: its width, and the bottleneck that it goes through."""

    n_components: Any = _parameter(
        Interval(Integral, 1, None, closed="left"),
        Interval(RealNotInt, 0, 1, closed="neither"),
        StrOptions({"auto"}),
        None,
        fixed=True,
    )
    whiten: bool = _parameter("boolean")
    nested: bool = _parameter("boolean", fixed=True, default=False)
    kl_weight: float | None = _parameter(FROM_ZERO, fixed=True, default=None)

    @property
    def has_prior(self) -> bool:
        """Whether codes are drawn around those of the encoder, and held together by a prior."""
        return self.kl_weight is not None

    @property
    def is_chosen(self) -> bool:
        """Whether the variance decides how many components there are."""
        return not isinstance(self.n_components, Integral | None)

    def n_components_of(self, n_rows: int, n_features: int) -> int | None:
        """Return the number of components asked for, or None where the variance decides.

        All that X allows are as many as PCA has, of all rows, whether or not some are set aside.
        """
        if self.is_chosen:
            return None
        return int(min(n_rows, n_features) if self.n_components is None else self.n_components)


@dataclass(frozen=True)
class NetworkConfig:
    """The module: the stacked autoencoder, or one of the user's."""

    hidden_layer_sizes: Any = _parameter(StrOptions({"auto"}), "array-like", fixed=True)
    activation: str = _parameter(StrOptions({"auto", *ACTIVATIONS}), fixed=True)
    linear_shortcut: bool = _parameter("boolean", fixed=True)
    dropout: float = _parameter(Interval(Real, 0, 1, closed="left"), fixed=True)
    normalization: str | None = _parameter(StrOptions(set(NORMALIZATIONS)), None, fixed=True)
    tied_weights: bool = _parameter("boolean", fixed=True)
    pretrain: str | None = _parameter(StrOptions({"layerwise"}), None, fixed=True)
    module: Any = _parameter(nn.Module, callable, None, fixed=True)

    @property
    def has_own_module(self) -> bool:
        """Whether the module is the user's."""
        return self.module is not None

    @property
    def starts_at_projection(self) -> bool:
        """Whether the module starts as the projection onto its first inputs."""
        return self.linear_shortcut and not self.has_own_module

    @property
    def has_no_hidden_layer(self) -> bool:
        """Whether `hidden_layer_sizes` is an empty sequence."""
        return not isinstance(self.hidden_layer_sizes, str) and len(self.hidden_layer_sizes) == 0


@dataclass(frozen=True)
class ObjectiveConfig:
    """What training makes small."""

    loss: Any = _parameter(StrOptions(set(LOSSES)), callable, fixed=True)

    @property
    def found(self) -> Loss:
        """The loss of a cell."""
        return find_loss(self.loss)


@dataclass(frozen=True)
class CorruptionConfig:
    """What is done to rows before they are encoded."""

    corruption: Any = _parameter(StrOptions(set(CORRUPTIONS)), callable, None, fixed=True)
    corruption_level: float = _parameter(FROM_ZERO, fixed=True)

    @property
    def changes_rows(self) -> bool:
        """Whether rows are other ones when they are encoded."""
        return self.corruption is not None and (
            callable(self.corruption) or self.corruption_level > 0
        )


@dataclass(frozen=True)
class PenaltiesConfig:
    """What training makes small beside the loss."""

    supervised_weight: float = _parameter(FROM_ZERO, fixed=True)
    sparsity_penalty: float = _parameter(FROM_ZERO, fixed=True)
    sparsity: str = _parameter(StrOptions(set(SPARSITIES)), fixed=True)
    sparsity_target: float = _parameter(SHARE, fixed=True)
    contractive_penalty: float = _parameter(FROM_ZERO, fixed=True)
    orthogonality_penalty: float = _parameter(FROM_ZERO, fixed=True)

    @property
    def any(self) -> bool:
        """Whether there is one."""
        weights = (self.supervised_weight, self.sparsity_penalty, self.contractive_penalty)
        return any(weight > 0 for weight in (*weights, self.orthogonality_penalty))


@dataclass(frozen=True)
class OptimizerConfig:
    """How a step is taken."""

    optimizer: Any = _parameter(StrOptions(set(OPTIMIZERS)), callable, fixed=True)
    lr: Any = _parameter(StrOptions({"auto"}), Interval(Real, 0, None, closed="neither"))
    weight_decay: Any = _parameter(StrOptions({"auto"}), FROM_ZERO, fixed=True)
    net_params: dict | None = _parameter(dict, None, fixed=True)

    @property
    def made_by(self) -> Callable:
        """The class or function that makes the optimizer."""
        named = isinstance(self.optimizer, str)
        return OPTIMIZERS[self.optimizer] if named else self.optimizer

    @property
    def params_of_net(self) -> dict:
        """Further parameters of the skorch net."""
        return self.net_params or {}


@dataclass(frozen=True)
class ScheduleConfig:
    """How long to train, on which rows, and which epoch to keep."""

    lr_schedule: str = _parameter(StrOptions(set(LR_SCHEDULES)))
    average: bool = _parameter("boolean")
    batch_size: Any = _parameter(StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"))
    max_epochs: Any = _parameter(StrOptions({"auto"}), Interval(Integral, 0, None, closed="left"))
    early_stopping: bool = _parameter("boolean")
    validation_fraction: Any = _parameter(StrOptions({"auto"}), SHARE)
    refit: Any = _parameter(StrOptions({"auto"}), "boolean")
    n_iter_no_change: int = _parameter(Interval(Integral, 1, None, closed="left"))
    tol: float = _parameter(FROM_ZERO)
    shrinkage: Any = _parameter(
        StrOptions({"auto"}), Interval(Real, 0, 1, closed="left"), default="auto"
    )

    @property
    def shrinkages(self) -> tuple[float, ...]:
        """Shares of the way from the network back to PCA, of which the rows that judge choose."""
        return SHRINKAGES if self.shrinkage == "auto" else (float(self.shrinkage),)


@dataclass(frozen=True)
class RuntimeConfig:
    """Where and how to compute, and what is told meanwhile."""

    device: Any = _parameter(str, torch.device, fixed=True)
    precision: str = _parameter(StrOptions(set(PRECISIONS)))
    compile: bool = _parameter("boolean")
    distributed: bool | str = _parameter("boolean", StrOptions({"auto"}))
    callbacks: Any = _parameter(list, tuple, None)
    warm_start: bool = _parameter("boolean")
    random_state: Any = _parameter("random_state")
    checkpoint: Any = _parameter(str, os.PathLike, None)
    checkpoint_every: int = _parameter(Interval(Integral, 1, None, closed="left"))
    on_interrupt: str = _parameter(StrOptions({"raise", "stop"}))
    verbose: Any = _parameter("verbose")


@dataclass(frozen=True)
class Config:
    """All parameters, in groups. `others` holds those that a subclass adds."""

    code: CodeConfig
    network: NetworkConfig
    objective: ObjectiveConfig
    corruption: CorruptionConfig
    penalties: PenaltiesConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    runtime: RuntimeConfig
    name: str = "AutoencoderTransformer"
    others: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, estimator) -> Config:
        """Return the parameters of an estimator."""
        params = estimator.get_params(deep=False)
        made = {
            name: group(**{f.name: params.pop(f.name) for f in fields(group) if f.name in params})
            for name, group in GROUPS.items()
        }
        return cls(**made, name=type(estimator).__name__, others=tuple(params.items()))

    def params(self) -> dict[str, Any]:
        """Return all parameters by name."""
        groups = (getattr(self, name) for name in GROUPS)
        found = {f.name: getattr(group, f.name) for group in groups for f in fields(group)}
        return found | dict(self.others)

    def fixed_params(self) -> dict[str, str]:
        """Return what a fit that goes on has to leave as it was, as text to compare."""
        free = {
            f.name for group in GROUPS.values() for f in fields(group) if not f.metadata["fixed"]
        }
        return self.texts(free)

    def texts(self, left_out: Collection[str]) -> dict[str, str]:
        """Return parameters by name as text that tells whether two are the same, but for some."""
        return {name: as_text(v) for name, v in self.params().items() if name not in left_out}

    @property
    def starts_at_pca(self) -> bool:
        """Whether the network before its first step is PCA.

        An output activation can only follow PCA's reconstruction to first order, and variational
        codes start at probabilistic PCA, whose codes are a bit shorter.
        """
        if self.code.has_prior or self.objective.found.has_link:
            return False
        return self.network.starts_at_projection

    @property
    def compares_with_pca(self) -> bool:
        """Whether the network goes on from PCA, and makes small what PCA's loss is."""
        return self.starts_at_pca and not self.penalties.any

    @property
    def goes_on_smoothly(self) -> bool:
        """Whether the network goes on from PCA by gradients without noise but the choice of rows.

        Penalties and a bound ask for another network than the reconstruction, farther from PCA.
        """
        network, loss = self.network, self.objective.loss
        is_noisy = network.dropout > 0 or network.normalization == "batch"
        is_noisy = is_noisy or self.corruption.changes_rows
        is_smooth = not callable(loss) and loss in SMOOTH_LOSSES
        return self.compares_with_pca and is_smooth and not is_noisy

    @property
    def gives_wide_codes_meaning(self) -> bool:
        """Whether a code may be wider than X without a copy of X as the best one.

        Of the others, contractive_penalty is the same for a copy as for all of its linear images,
        and where variational codes copy X, the noise that suits them best is none.
        """
        return self.corruption.changes_rows or self.penalties.sparsity_penalty > 0


GROUPS = {
    "code": CodeConfig,
    "network": NetworkConfig,
    "objective": ObjectiveConfig,
    "corruption": CorruptionConfig,
    "penalties": PenaltiesConfig,
    "optimizer": OptimizerConfig,
    "schedule": ScheduleConfig,
    "runtime": RuntimeConfig,
}


def constraints_of(init: Callable) -> dict[str, list]:
    """Return what each parameter of a constructor may be, as scikit-learn has it."""
    declared = {
        f.name: f.metadata["constraints"] for group in GROUPS.values() for f in fields(group)
    }
    names = list(inspect.signature(init).parameters)[1:]  # but for self
    return {name: declared[name] for name in names}


def as_text(value: Any) -> str:
    """Return a parameter as text that a copy of it gives too: no addresses, no kind of sequence."""
    if isinstance(value, dict):
        return str({key: as_text(part) for key, part in value.items()})
    if isinstance(value, (list, tuple, np.ndarray)):
        return str([as_text(part) for part in value])
    if isinstance(value, (set, frozenset)):
        return str(sorted(as_text(part) for part in value))
    if inspect.isfunction(value):
        return _text_of_function(value)
    if inspect.iscode(value):
        return str((value.co_code, value.co_names, as_text(value.co_consts)))
    if isinstance(value, Real) and not isinstance(value, bool):
        return str(float(value))  # 1 is 1.0
    if isinstance(value, torch.device):
        return repr(str(value))  # which is its name
    return getattr(value, "__qualname__", None) or ADDRESS.sub("", repr(value))


def _text_of_function(function: Any) -> str:
    """Return what a function computes, and with which values of its own, as text."""
    values = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()]
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # it is empty
            continue
    told = [as_text(value) for value in values if not inspect.isfunction(value)]
    # Of functions inside the code alone: they may hold the one that is told of.
    told += [as_text(value.__code__) for value in values if inspect.isfunction(value)]
    return str((function.__qualname__, as_text(function.__code__), told))
