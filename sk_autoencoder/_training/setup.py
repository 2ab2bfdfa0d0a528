"""The network before its first step: its principal axes, its frames, its parts, its weights."""

from __future__ import annotations

import copy
import math
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from sk_autoencoder._config import Config, NetworkConfig, OptimizerConfig
from sk_autoencoder._data import Data
from sk_autoencoder._nn.frames import Frame, torch_dtype
from sk_autoencoder._nn.losses import MIN_MEAN
from sk_autoencoder._nn.optimizers import BARE
from sk_autoencoder._nn.stack import StackedAutoencoder, auto_hidden_layer_sizes, check_module
from sk_autoencoder._pca.centred_rows import CentredRows
from sk_autoencoder._pca.imputation import (
    Imputation,
    Imputer,
    fit_axes,
    imputation_of_axes,
    number_of_distinct,
)
from sk_autoencoder._pca.principal_axes import PrincipalAxes
from sk_autoencoder._training._steps.precision import quick_products
from sk_autoencoder._training.baseline import Baseline, Cells, best_slope, of_corrupted
from sk_autoencoder._training.batches import Batches
from sk_autoencoder._training.few_rows import choose_activation
from sk_autoencoder._training.masking import make_corruptor, mask_again
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.net_state import Frames
from sk_autoencoder._training.own_parts import check_hidden_layer_sizes, parameters_of
from sk_autoencoder._training.parts import Blueprint, Parts, make_parts
from sk_autoencoder._training.plan import LR, batch_size
from sk_autoencoder._training.pretraining import pretrain_layerwise
from sk_autoencoder._training.rows import Rows
from sk_autoencoder._utils import cuda
from sk_autoencoder._utils.blocks import rows_a_block
from sk_autoencoder._utils.devices import home_of, resolve_device
from sk_autoencoder._utils.generators import local_torch_generator
from sk_autoencoder._utils.sizes import largest_cell

# In the others weight decay is a penalty whose strength depends on the loss.
ADAMW_WEIGHT_DECAY = 0.1
# With torch's second one of 0.999 a rare large gradient is met by a step sized for small ones.
ADAMW_BETAS = (0.9, 0.97)

# Times the largest cell of X: as far as a mean of counts is an exponential.
STRAIGHT_FROM = math.e

# Times the loss of the mean of X.
BLOWN_UP = 1e6

# Of a table that is larger than memory.
N_FOR_SLOPE = 5000

MIN_AXES = 256
# Of what chooses its size among all: the share of the variance in which PCA looks for it, and the
# most components.
NEARLY_ALL, MAX_CHOSEN = 0.99, 32
AXES_PER_COMPONENT = 4


@dataclass(frozen=True)
class Setup:
    """The network before its first step.

    Parameters
    ----------
    config : Config
    axes : PrincipalAxes
        As many as the code has components.
    corruptor : Clean, Noise or MaskedCells
    net : AutoencoderNet
        With the frames, and with the other parts of the training.
    loss : float
        Mean loss of the training rows at the start, in the units of X.
    seconds : float
        How long the setup has taken.
    """

    config: Config
    axes: PrincipalAxes
    corruptor: Any
    net: AutoencoderNet
    loss: float = math.nan
    seconds: float = 0.0

    @property
    def frame(self) -> Frame:
        """The frame of the module's input."""
        return self.net.frames.input

    @property
    def width(self) -> int:
        """Width of the module's code."""
        return self.net.bottleneck_.width

    def rows(self, data: Data, *, fixed: bool) -> Any:
        """Return rows in the network's frame, in their own dtype, corrupted if that is asked for.

        `fixed` rows are corrupted alike in each pass.
        """
        frame, dtype = self.frame, torch_dtype(data.X.dtype)
        frame = frame if frame.dtype == dtype else frame.astype(dtype)
        return self.corruptor.of(Rows(data, frame, self.net.error, self.net.device), fixed=fixed)

    def baseline(self, data: Data, *, trained: bool = False) -> Baseline:
        """Return the mean loss of some rows with PCA, and with the mean of X alone.

        Where rows are corrupted, PCA reads corrupted rows too. `trained` tells that the axes were
        fitted on these rows.
        """
        error, sizes = self.net.error, self.net.bottleneck_.sizes
        ask = error.baseline_of_training if trained else error.baseline
        pca, mean = ask(self.axes, data, sizes, self.frame.impute)
        if self.corruptor.changes_rows:
            loss = self.config.objective.found
            pca = of_corrupted(self.axes, self.rows(data, fixed=True), loss, sizes)
        return Baseline(pca, mean)

    def quick_products(self, size: int) -> AbstractContextManager[None]:
        """Return a context of trainings, in which the products of batches of a size are quick."""
        wanted, left = self.config.runtime.precision, self.axes.share_left()
        return quick_products(self.net, wanted, left, size)

    def start_loss(self, data: Data, pca: float) -> float:
        """Return the mean loss of some rows before the first step: that of PCA, if it compares."""
        objective = self.net.criterion_
        if objective.is_mean_of_rows:
            return pca
        rows = self.rows(data, fixed=True)
        self.net.prepare_for_training()
        objective.learn_tail(rows)
        loss = self.net.loss(rows)
        self.net.prepare_for_inference()
        return loss


def set_up(data: Data, config: Config, rng, width: int | None = None, few: bool = False) -> Setup:
    """Fit PCA on some rows, and build the net that goes on from there.

    `width` is that of the code where a training before this one has set it, and `few` tells
    that no more rows are to come than the few of the table.
    """
    began = time.perf_counter()
    axes, imputation = find_axes(data, config, rng)
    width = width or choose_n_components(axes, data, config)
    pca = axes.leading(width)
    if len(axes.components) > _wanted_axes(width):
        axes = axes.leading(_wanted_axes(width))
    frame = choose_frame(config.network, axes, torch_dtype(data.X.dtype))
    frame.imputer = _imputer(imputation, axes, frame, width)
    output = choose_output(config, pca, frame, data)
    corruptor = make_corruptor(config.corruption, pca.mean, data, rng)
    seed = int(rng.randint(2**31)) + data.processes.rank  # each process draws for its own rows
    blueprint = Blueprint(config, data, pca, frame, output, width, few, seed)
    setup = Setup(config, pca, corruptor, build_net(blueprint, make_parts(blueprint, corruptor)))
    data.processes.equalize(setup.net.state())
    if config.network.pretrain == "layerwise":
        pretrain(setup, data, rng)
    loss = _measure_start(setup, data)
    return replace(setup, loss=loss, seconds=time.perf_counter() - began)


def go_on(setup: Setup, data: Data, config: Config, rng) -> Setup:
    """Return a copy of the setup of a fit before, to go on with on some rows."""
    net = setup.net.copy()
    corruptor = setup.corruptor.copy()
    if data.has_missing:
        net.criterion_ = net.criterion_.with_missing()
        corruptor = mask_again(corruptor, config.corruption, data, rng)
    return replace(setup, config=config, corruptor=corruptor, net=net)


def find_axes(data: Data, config: Config, rng) -> tuple[PrincipalAxes, Imputation]:
    """Return principal axes of some rows, far more than the code has components, and imputation.

    All axes are found where a share of the variance asks for an unknown number.
    """
    n_axes = min(data.n_of_all, data.n_features)
    n_components = config.code.n_components_of(*data.X.shape)
    if n_components is not None:
        n_axes = min(n_axes, _wanted_axes(n_components))
    if data.has_missing and not data.is_sparse:
        whole = data.whole or data
        return fit_axes(whole.X, whole.rows, n_axes, rng, whole.weights())
    rows = CentredRows(data.X, data.rows, data.weight, processes=data.processes)
    axes = PrincipalAxes.of_rows(rows, n_axes, rng)
    n_rows = float(len(data))
    if not data.is_streamed:
        n_rows = number_of_distinct(data.X, data.rows, data.weights())
    return axes, imputation_of_axes(axes, data.processes.sum(n_rows))


def _imputer(imputation: Imputation, axes: PrincipalAxes, frame: Frame, width: int) -> Imputer:
    """Return what imputes rows, along the axes of the frame or, without any, its own."""
    width = min(width, len(axes.components))
    if frame.components is not None:
        return Imputer.of(imputation, width, None)
    of_dtype = torch.from_numpy(axes.components).to(frame.dtype).numpy()
    return Imputer.of(imputation, width, of_dtype)


def choose_n_components(axes: PrincipalAxes, data: Data, config: Config) -> int:
    """Return the number of components asked for, or how many PCA needs for a share of variance.

    What chooses among them all takes as many as leave PCA nearly nothing.
    """
    n_components = config.code.n_components_of(*data.X.shape)
    if n_components is not None:
        return n_components
    if axes.constant:
        return 1
    is_auto = config.code.n_components == "auto"
    share = NEARLY_ALL if is_auto else config.code.n_components
    explained = np.cumsum(axes.explained_variance) / axes.total_variance
    n_enough = min(int(np.searchsorted(explained, share)) + 1, len(explained))
    return min(n_enough, MAX_CHOSEN) if is_auto else n_enough


def _wanted_axes(n_components: int) -> int:
    return max(MIN_AXES, AXES_PER_COMPONENT * n_components)


def choose_frame(network: NetworkConfig, axes: PrincipalAxes, dtype: torch.dtype) -> Frame:
    """Return the frame that suits the network.

    X stays as it is for a module of the user's. For a start at PCA the rows are rotated onto the
    axes, on which it is the identity. For random weights they are centred and scaled.
    """
    if network.has_own_module:
        mean_square = axes.total_variance / axes.n_features + float(np.mean(axes.mean**2))
        origin = np.zeros(axes.n_features)
        return Frame(origin, 1.0, mean_square=mean_square or 1.0, dtype=dtype)
    if network.linear_shortcut:
        mean_square = axes.n_features / len(axes.components)
        return Frame(axes.mean, axes.scale, axes.components, mean_square=mean_square, dtype=dtype)
    return Frame(axes.mean, axes.scale, dtype=dtype)


def choose_output(config: Config, axes: PrincipalAxes, frame: Frame, data: Data) -> Frame:
    """Return the frame of the module's output: that of its input, or what a link needs.

    Around the mean the link turns a step in X into one that is greater the less a cell with
    that mean varies. Far from it the step is too great, so that it is made smaller where that
    lowers the loss of these rows at the start. A mean that has no limit of its own grows as a
    straight line from `STRAIGHT_FROM` times the largest cell of X on, not as an exponential.
    """
    loss = config.objective.found
    if not loss.has_link:
        return frame
    link, ceiling = loss.link, None
    if not link.has_limit:
        largest = data.X.largest if data.is_streamed else largest_cell(data.X)
        ceiling = link.inverse(np.array(STRAIGHT_FROM * largest)).item()
    if config.network.has_own_module:
        return frame if ceiling is None else frame.bent(ceiling)
    slope = 1 / max(link.variance(axes.mean).mean(), MIN_MEAN)
    some = data.few(N_FOR_SLOPE, None) if data.is_streamed else data
    slope = best_slope(axes, some, Cells(loss, frame.impute), slope)
    return Frame(
        link.inverse(axes.mean),
        frame.scale * slope,
        frame.components,
        dtype=frame.dtype,
        ceiling=ceiling,
    )


def build_net(blueprint: Blueprint, parts: Parts) -> AutoencoderNet:
    """Return the initialized skorch net that the parameters describe."""
    config, frame, seed = blueprint.config, blueprint.frame, blueprint.seed
    optimizer, device = config.optimizer, resolve_device(config.runtime.device)
    frame.to(home_of(device))
    blueprint.output.to(home_of(device))
    frames = Frames(frame, blueprint.output, config.objective.found.link.activation)
    owns_module = config.network.has_own_module
    with local_torch_generator(owns_module, seed, device):
        net = AutoencoderNet(
            **{
                "module": _module(blueprint),
                "criterion": parts.objective,
                "bottleneck": parts.bottleneck,
                "penalties": parts.penalties,
                "frames": frames,
                "lr": LR if optimizer.lr == "auto" else optimizer.lr,
                "iterator_train": Batches,
                "iterator_train__rng": np.random.RandomState(seed),
                "iterator_valid": Batches,
                "iterator_valid__batch_size": rows_a_block(frame.n_features),
                "callbacks": [],
                "verbose": int(config.runtime.verbose),
                "device": device,
                **_optimizer_params(config.optimizer, device),
                **optimizer.params_of_net,
            }
        ).initialize()
    check_module(net.module_, frame.n_axes, blueprint.width, device)
    net.bottleneck_.start(net.module_)
    return net


def _module(blueprint: Blueprint) -> Any:
    """Return the module to train: a copy of the user's, or a stacked autoencoder."""
    network, n_inputs = blueprint.config.network, blueprint.frame.n_axes
    if isinstance(network.module, nn.Module):
        return copy.deepcopy(network.module).float()
    if network.module is not None:
        return network.module
    hidden = check_hidden_layer_sizes(network.hidden_layer_sizes)
    if hidden == "auto":
        hidden = auto_hidden_layer_sizes(n_inputs, blueprint.width)
    return StackedAutoencoder(
        n_inputs,
        blueprint.width,
        hidden,
        activation=choose_activation(blueprint.config, blueprint.data, few=blueprint.few),
        linear_shortcut=network.linear_shortcut,
        generator=blueprint.generator(),
        dropout=network.dropout,
        normalization=network.normalization,
        tied_weights=network.tied_weights,
    )


def _optimizer_params(config: OptimizerConfig, device: torch.device) -> dict:
    """Return the optimizer's class, its weight decay, and a fused step where it has one."""
    cls = config.made_by
    takes = parameters_of(cls) or {}
    params: dict[str, Any] = {"optimizer": BARE.get(cls, cls)}
    if config.weight_decay != "auto":
        params["optimizer__weight_decay"] = config.weight_decay
    elif cls is torch.optim.AdamW:
        params["optimizer__weight_decay"] = ADAMW_WEIGHT_DECAY
    if cls is torch.optim.AdamW:
        params["optimizer__betas"] = ADAMW_BETAS
    if cls is torch.optim.SGD:
        params |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    others = {"optimizer__foreach", "optimizer__differentiable"}  # of which only one can be
    is_free = not others & set(config.params_of_net)
    if "fused" in takes and (device.type == "cpu" or cuda.is_cuda(device)) and is_free:
        params["optimizer__fused"] = True
    return params


def pretrain(setup: Setup, data: Data, rng) -> None:
    """Train the layers of a net that starts from random weights one by one."""
    rows = Rows(data, setup.frame, setup.net.error, setup.net.device)
    size, seed = batch_size(setup.config, len(data)), int(rng.randint(2**31))
    with setup.quick_products(size):
        pretrain_layerwise(setup.net.module_, rows, size, seed)


def _measure_start(setup: Setup, data: Data) -> float:
    """Tell the net how large its losses can be; return that of the start on the training rows.

    The loss of the mean of X is what penalties count in. No loss exceeds the largest one unless
    the fit diverges.
    """
    net, frame = setup.net, setup.frame
    found = setup.baseline(data, trained=True)
    net.error.set_unit(found.mean)
    net.max_loss = BLOWN_UP * max(found.mean, frame.mean_square * frame.unit)
    return setup.start_loss(data, found.pca)
