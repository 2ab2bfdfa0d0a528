"""What rows that judge tell of points on the way from PCA to a network in training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from sk_autoencoder._data import Data
from sk_autoencoder._nn.bottlenecks import first
from sk_autoencoder._pca.principal_axes import explained_variance
from sk_autoencoder._training import selection
from sk_autoencoder._training.baseline import Baseline
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.selection import STANDARD_ERRORS_OF_FEW, Gains

# How many epochs of a training are judged, evenly spread.
N_JUDGED = 10

# Points are compared by their mean gain less so many standard errors of it. Where few rows judge
# these are as many as the gain has to exceed; of many rows one may gain more than all others.
BIAS, BIAS_OF_FEW = 0.0, STANDARD_ERRORS_OF_FEW

# Standard errors of the mean gain beyond which no further rows are asked.
SETTLED = 4.0


class Point(NamedTuple):
    """Weights on the way: those of an epoch, moved back to PCA by a share of the way."""

    epoch: int
    shrinkage: float


PCA = Point(0, 1.0)


class Line:
    """The straight line between the weights of now, which is PCA, and those of a later time.

    The losses along it are smooth, and where rows are few, its best point is often neither end
    (Wortsman et al., 2022) [1]_.

    References
    ----------
    .. [1] Wortsman et al. (2022). Robust fine-tuning of zero-shot models. CVPR.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self.parameters = list(parameters)
        self.start = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def shrink(self, shrinkage: float) -> None:
        """Move the weights back to the start: by 0 not at all, by 1 all the way."""
        for parameter, start in zip(self.parameters, self.start, strict=True):
            parameter.lerp_(start.to(parameter.dtype), shrinkage)

    @contextmanager
    def at(self, shrinkage: float) -> Iterator[None]:
        """Move the weights back for a while."""
        if shrinkage == 0:
            yield
            return
        before = [parameter.detach().clone() for parameter in self.parameters]
        self.shrink(shrinkage)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self.parameters, before, strict=True):
                    parameter.copy_(value)


@dataclass(frozen=True)
class Evidence:
    """What some rows save of PCA's loss at each point.

    Parameters
    ----------
    gains : dict of Point to Gains
        Of each distinct row, in the units of a frame, whose squares are ordinary numbers.
    saved : dict of Point to float
        The mean over all rows, in the units of X.
    baseline : Baseline
        Mean losses of the rows with PCA, and with the mean.
    weight : float
        How much the rows count, in all.
    """

    gains: dict[Point, Gains]
    saved: dict[Point, float]
    baseline: Baseline
    weight: float

    def __add__(self, other: Evidence) -> Evidence:
        """Return what both tell, of the points that both have judged."""
        share = other.weight / (self.weight + other.weight)
        gains = {p: self.gains[p] + other.gains[p] for p in self.gains if p in other.gains}
        saved = {p: (1 - share) * self.saved[p] + share * other.saved[p] for p in gains}
        mine, theirs = self.baseline, other.baseline
        baseline = Baseline(
            (1 - share) * mine.pca + share * theirs.pca,
            (1 - share) * mine.mean + share * theirs.mean,
        )
        return Evidence(gains, saved, baseline, self.weight + other.weight)

    def best(self) -> Point:
        """Return the point that gains most for sure, or PCA where even that may be chance."""
        return best_of(self.gains, few=True)

    def shrinkages(self) -> dict[int, float]:
        """Return, by epoch, the share of the way back to PCA that suits its weights best."""
        of_epochs: dict[int, dict[Point, Gains]] = {}
        for point, gains in self.gains.items():
            of_epochs.setdefault(point.epoch, {})[point] = gains
        return {epoch: best_of(gains, few=True).shrinkage for epoch, gains in of_epochs.items()}

    def last_epoch(self) -> int:
        """Return the last epoch that may yet prove to be the best.

        The points of later ones gain less than that of the highest mean gain, by more than chance
        asks of few rows.
        """
        top = max(self.gains.values(), key=lambda gains: gains.of_each.mean())
        may_win = (p for p, gains in self.gains.items() if (top - gains).bound(BIAS_OF_FEW) <= 0)
        return max(point.epoch for point in may_win)

    @property
    def n_independent(self) -> int:
        """How many rows, or groups, do not depend on each other; 0 without a point."""
        return next((gains.n_independent for gains in self.gains.values()), 0)

    @property
    def is_settled(self) -> bool:
        """Whether further rows could hardly change that there is a gain."""
        best = self.best()
        return best != PCA and self.gains[best].standard_errors() > SETTLED

    def score(self, point: Point) -> float:
        """Return the share of the variance that a point explains."""
        saved = 0.0 if point == PCA else self.saved[point]
        return explained_variance(self.baseline.pca - saved, self.baseline.mean)


def best_of(gains: dict[Point, Gains], *, few: bool) -> Point:
    """Return the point that gains most for sure, or PCA where even that may be chance.

    It has to show more where `few` rows judge, or where they have judged many points. What is
    nearer to PCA gains less, but for surer.
    """
    if not gains:
        return PCA
    bias = BIAS_OF_FEW if few else BIAS
    point = max(gains, key=lambda point: gains[point].bound(bias))
    return point if selection.better_than_chance(gains[point], few=few) else PCA


class JudgePoints(Callback):
    """Ask rows of points on the way, at the end of some epochs.

    Parameters
    ----------
    line : Line
    rows : Rows or CorruptedRows
        The rows that judge, as `data` reads in the network's frame.
    data : Data
    epochs : sequence of int
    shrinkages : sequence of float
    n_as_one : int, default=1
        How many epochs of the net are one of `epochs`.

    Attributes
    ----------
    gains_, saved_ : dict of Point to Gains, and to float
        As `Evidence` has them.
    """

    def __init__(self, line, rows, data, *, epochs, shrinkages, n_as_one=1):
        self.line = line
        self.rows = rows
        self.data = data
        self.epochs = epochs
        self.shrinkages = shrinkages
        self.n_as_one = n_as_one

    def on_train_begin(self, net, **kwargs):
        self.gains_: dict[Point, Gains] = {}
        self.saved_: dict[Point, float] = {}

    def on_epoch_end(self, net, **kwargs):
        epoch, rest = divmod(net.history[-1, "epoch"], self.n_as_one)
        if rest == 0 and epoch in self.epochs:
            self.ask(net, epoch)

    def ask(self, net, epoch: int) -> None:
        """Ask about the weights that the net has, as those of an epoch."""
        for shrinkage in self.shrinkages:
            with self.line.at(shrinkage):
                values = gains_over_pca(net, self.rows)
            point = Point(epoch, shrinkage)
            self.gains_[point] = gains_of(values, self.data)
            self.saved_[point] = self.rows.error.in_units_of_X(float(values.mean()), 0.0)

    def state_dict(self) -> dict:
        """Return what was told so far, as a checkpoint keeps it."""
        points = [(*point, gains.of_each, gains.groups) for point, gains in self.gains_.items()]
        return {"gains": points, "saved": [(*point, saved) for point, saved in self.saved_.items()]}

    def load_state_dict(self, state: dict) -> None:
        """Go on from what was told before."""
        self.gains_ = {Point(epoch, share): Gains(*told) for epoch, share, *told in state["gains"]}
        self.saved_ = {Point(epoch, share): saved for epoch, share, saved in state["saved"]}

    def evidence(self, baseline: Baseline) -> Evidence:
        """Return what was told, beside the losses of the same rows with PCA and with the mean."""
        weight = self.data.weights()
        total = len(self.data) if weight is None else weight.sum()
        return Evidence(self.gains_, self.saved_, baseline, float(total))


def judged_epochs(n_epochs: int) -> Sequence[int]:
    """Return the epochs of a training that are judged: its last one, and some before."""
    return sorted({max(1, round(n_epochs * i / N_JUDGED)) for i in range(1, N_JUDGED + 1)})


def gains_over_pca(net: AutoencoderNet, rows) -> np.ndarray:
    """Return what the net saves of PCA's loss on each of the rows, in the units of the frame.

    These are the rows of all processes.

    On the principal axes that the coordinates of `rows`, a `Rows` or `CorruptedRows`, are, PCA is
    a projection. Corrupted rows are so for both.
    """
    gains = []
    net.module_.eval()
    with torch.inference_mode():
        for t, target in net.get_iterator(rows, training=False):
            pca = [rows.error.rows(first(t, size), target) for size in net.bottleneck_.sizes]
            gain = torch.stack(pca).mean(dim=0) - net.row_losses(t, target)
            gains.append(gain if target.weight is None else gain * target.weight)
    return rows.data.of_all_parts(torch.cat(gains).cpu().double().numpy())


def gains_of(values: np.ndarray, data: Data) -> Gains:
    """Return the gains of the distinct rows of some data, from those of all of its rows."""
    copies = None if data.copies is None else data.copies[data.rows]
    groups = None if data.groups is None else data.groups[data.rows]
    return Gains.of_rows(values, copies, groups)
