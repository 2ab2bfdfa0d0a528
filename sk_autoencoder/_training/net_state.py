"""What the skorch net holds: its weights, its frames, its optimizer; how they are copied."""

from __future__ import annotations

import copy
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor, nn

from sk_autoencoder._nn.frames import Frame
from sk_autoencoder._training._steps.averaging import WeightAverage
from sk_autoencoder._training._steps.clipping import GradientClip
from sk_autoencoder._training._steps.pace import Pace
from sk_autoencoder._training.following import follow
from sk_autoencoder._utils.devices import as_wide
from sk_autoencoder._utils.processes import ALONE, Alone


@dataclass(frozen=True)
class Frames:
    """What leads from rows of X to the module's input, and from its output back to rows."""

    input: Frame
    output: Frame
    activation: Callable[[Tensor], Tensor]

    def rows_of(self, output: Tensor) -> Tensor:
        """Return the rows of X that an output of the module stands for, in the dtype of X."""
        return self.activation(self.output.rows_of(output))


def _nothing() -> None:
    """Do nothing, around an epoch and after the last one."""


class Steps(NamedTuple):
    """What a training step is made of: gradients of a batch, perhaps cut, and a step along them.

    `mode` is a context of torch for each: `enable_grad` where the module is called, which then has
    to be in training mode, `inference_mode` where no tensor is made that is kept. `begin_epoch` and
    `end_epoch` stand around those of an epoch, and `release` ends the training.
    """

    gradients: Callable[..., Tensor]
    clip: Callable[[], None] | None
    take: Callable[[], Any]
    mode: Callable[[], Any]
    begin_epoch: Callable[[], None] = _nothing
    end_epoch: Callable[[], None] = _nothing
    release: Callable[[], None] = _nothing


def _copied_tensors(optimizer: Any) -> dict[int, Tensor]:
    """Return copies of what an optimizer has of its parameters, as `copy.deepcopy` notes them.

    `copy.deepcopy` takes ten times as long for each. What shares its memory with another tensor,
    or is a tensor of another kind, is left to that.
    """
    states = [] if optimizer is None else optimizer.state.values()
    values = [value for state in states if isinstance(state, dict) for value in state.values()]
    tensors = [v for v in values if type(v) is Tensor and v.layout is torch.strided]
    n_of_storage = Counter(tensor.untyped_storage().data_ptr() for tensor in tensors)
    alone = [t for t in tensors if n_of_storage[t.untyped_storage().data_ptr()] == 1]
    return {id(t): t.detach().clone() for t in alone}


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the state of a module, of tensors at once and of what else it may hold."""
    copied = copy.copy(state)
    for name, value in state.items():
        copied[name] = value.clone() if type(value) is Tensor else copy.deepcopy(value)
    return copied


def _without_hooks(parts: list[nn.Module]) -> dict[int, OrderedDict]:
    """Return copies of the hooks of modules that have none, as `copy.deepcopy` notes them.

    Each module has a dozen tables of hooks, and to copy these takes longer than its weights.
    """
    tables = [v for part in parts for module in part.modules() for v in vars(module).values()]
    return {id(v): OrderedDict() for v in tables if type(v) is OrderedDict and not v}


class MeanLoss:
    """Mean loss of the rows of batches, summed where the losses are.

    No loss is kept: each would pin the memory beside it, which then grows with every step.
    The value is that of the rows of all processes. On a device without numbers of 64 bits, what
    each addition rounds off is summed too (Neumaier, 1974).
    """

    def __init__(self, device, processes: Alone):
        self.processes = processes
        self.total = as_wide(torch.zeros((), device=device))
        self.rounded = None if self.total.dtype == torch.float64 else self.total.clone()
        self.n_rows = 0

    def add(self, loss: Tensor, n_rows: int) -> None:
        self.n_rows += n_rows
        if self.rounded is None:
            self.total.add_(loss, alpha=n_rows)
            return
        added = loss * n_rows
        total = self.total + added
        is_larger = self.total.abs() >= added.abs()
        larger = torch.where(is_larger, self.total, added)
        smaller = torch.where(is_larger, added, self.total)
        self.rounded += (larger - total) + smaller
        self.total = total

    def value(self) -> float:
        rounded = 0.0 if self.rounded is None else self.rounded.item()
        total, n_rows = self.processes.sum(self.total.item() + rounded, self.n_rows)
        return float(total / n_rows)


class StatefulNet(NeuralNet):
    """A skorch `NeuralNet` that is copied, put to rest, and pickled beside its weights' owner.

    In training the module computes in `autocast_dtype`, None for that of its weights, and by
    `compiled_` methods where there are any. `rates_` are those of the steps to come.
    """

    frames: Frames
    optimizer_: Any
    autocast_dtype: torch.dtype | None = None
    compiled_: tuple[Callable, Callable] | None = None
    rates_: Iterator[float] | None = None
    average_: WeightAverage | None = None
    clip_: GradientClip | None = None
    steps_: Steps | None = None
    pieces_: Any = None
    processes_: Alone = ALONE
    rows_a_batch_: float = 0.0
    pace_: Pace | None = None

    def __getstate__(self) -> dict:
        # Without skorch's detour by a file of its own: what the fitted autoencoder has, too, is
        # then pickled once.
        return vars(self).copy()

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    def parameters(self) -> list[nn.Parameter]:
        """Return all that is trained, each once."""
        return [parameter for _, parameter in self.get_all_learnable_params()]

    def parts(self) -> list[nn.Module]:
        """Return the module, and what beside it may own weights."""
        return [self.module_, self.bottleneck_, self.penalties_]

    def weights(self) -> list[dict[str, Tensor]]:
        """Return a copy of all that is trained, to load again."""
        return [_copied(part.state_dict()) for part in self.parts()]

    def state(self) -> list[Tensor]:
        """Return all that is trained, and buffers, as the tensors that they are."""
        return [tensor for part in self.parts() for tensor in part.state_dict().values()]

    def arrays(self) -> list[np.ndarray]:
        """Return all that is trained as arrays."""
        return [tensor.cpu().numpy() for tensor in self.state()]

    def load_weights(self, weights: list[dict[str, Tensor]]) -> None:
        """Put weights back that `weights` has returned."""
        for part, state in zip(self.parts(), weights, strict=True):
            part.load_state_dict(state)

    def twin(self, **others) -> StatefulNet:
        """Return a net with the same attributes but for some; `copy` would pickle the module.

        The steps of a training are those of one net.
        """
        twin = object.__new__(type(self))
        twin.__dict__ |= vars(self) | {"steps_": None, "pieces_": None} | others
        return twin

    def copy(self) -> StatefulNet:
        """Return a net that goes on as this one would, without moving it.

        An optimizer that was not kept is made anew.
        """
        # Frames are immutable, and large.
        memo: dict[int, Any] = {id(f): f for f in (self.frames.input, self.frames.output)}
        memo |= _copied_tensors(self.optimizer_) | _without_hooks(self.parts())
        made = [f"{name}_" for name in [*self._modules, *self._criteria, *self._optimizers]]
        found = {name: vars(self)[name] for name in [*made, "iterator_train__rng"]}
        history = type(self.history)(list(self.history))
        twin = self.twin(history_=history, callbacks=[], callbacks_=[])
        twin.__dict__ |= copy.deepcopy(found, memo)
        # Where an instance was passed, and not a class, it is the part itself.
        for name in (*self._modules, *self._criteria):
            if vars(self)[name] is found[f"{name}_"]:
                twin.__dict__[name] = vars(twin)[f"{name}_"]
        if twin.optimizer_ is None:
            twin.prepare_for_training()
            twin.initialized_ = False
            twin._initialize_optimizer()
            twin.initialized_ = True
        return twin

    def as_if_stopped(self) -> StatefulNet:
        """Return a net for inference with the weights that a stop after this epoch would keep."""
        parts = {f"{name}_": getattr(self, f"{name}_") for name in self._modules}
        twin = self.twin(callbacks_=[], optimizer_=None, **copy.deepcopy(parts))
        best = dict(self.callbacks_).get("best_epoch")
        if best is not None:
            twin.load_weights(best.weights_)
        twin.prepare_for_inference()
        return twin

    def send(self, device: torch.device | str, dtype: torch.dtype | None = None) -> None:
        """Move the weights to a device, and the optimizer with them; change their dtype."""
        before = self.parameters()
        goes = before[0].device.type != torch.device(device).type
        for part in self.parts():
            part.to(device, dtype)
        if goes:
            follow(self.optimizer_, before, self.parameters())

    def prepare_for_training(self) -> None:
        """Take the weights to the device, and to float32, in which they are trained."""
        self.send(self.device, torch.float32)

    def prepare_for_inference(self) -> None:
        """End training: inference mode, without a schedule, where frames are and in their dtype."""
        if self.steps_ is not None:
            self.steps_.release()
        self.rates_ = self.average_ = self.clip_ = self.compiled_ = None
        self.steps_ = self.pieces_ = None
        self.processes_ = ALONE
        self.autocast_dtype = None
        for part in self.parts():
            part.zero_grad()
            part.eval()
        self.send(self.frames.input.device, self.frames.input.dtype)

    def next_lr(self) -> None:
        """Set the learning rate of the next step, where there is a schedule."""
        if self.rates_ is None:
            return
        factor = next(self.rates_)
        for group in self.optimizer_.param_groups:
            group["lr"] = factor * group["initial_lr"]

    def forget_optimizer(self) -> None:
        """Leave the optimizer, larger than the weights, which only a fit that goes on needs."""
        self.__dict__["optimizer_"] = None
