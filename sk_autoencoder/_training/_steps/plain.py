"""Steps of a plain stack: gradients that are written out, Adam without torch's questions."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from sk_autoencoder._nn.batch import Target
from sk_autoencoder._training._steps.adam import quick_step
from sk_autoencoder._training._steps.backprop import Backprop
from sk_autoencoder._training._steps.flat_adam import FlatAdam, is_flat
from sk_autoencoder._training._steps.pieces import InPieces
from sk_autoencoder._training._steps.sharding import ShardedAdam, sharded_adam
from sk_autoencoder._training._steps.sharing import shared
from sk_autoencoder._training.net_state import StatefulNet, Steps


def plain_steps(net: StatefulNet) -> Steps:
    """Return the steps of a net that trains a plain stack, alone or beside other processes."""
    sharded = sharded_adam(net)
    return _steps_of_all_weights(net) if sharded is None else _steps_of_a_part(net, sharded)


def _steps_of_all_weights(net: StatefulNet) -> Steps:
    flat = FlatAdam(net) if is_flat(net) else None
    backprop = _backprop(net, None if flat is None else flat.gradient)
    computed = InPieces(backprop, net.parameters())
    gradients = shared(computed, net.processes_, net.rows_a_batch_, backprop.gradient)
    cut = None if net.clip_ is None else partial(net.clip_.cut, backprop.gradient)
    if flat is None:
        return Steps(gradients, cut, quick_step(net.optimizer_), torch.no_grad)
    return Steps(gradients, cut, flat.step, torch.inference_mode, release=flat.release)


def _steps_of_a_part(net: StatefulNet, sharded: ShardedAdam) -> Steps:
    with sharded.lent():
        backprop = _backprop(net, sharded.gradient)
    computed = InPieces(backprop, net.parameters())

    def gradients(t: Tensor, target: Target) -> Tensor:
        backprop.share = len(t) / net.rows_a_batch_
        # Of others, that have more rows, there may be some where here are none.
        loss = computed(t, target) if len(t) else sharded.gradient.zero_().new_zeros(())
        sharded.add()
        return loss

    return Steps(
        gradients,
        sharded.cut,
        sharded.step,
        torch.inference_mode,
        begin_epoch=sharded.begin_epoch,
        end_epoch=sharded.end_epoch,
    )


def _backprop(net: StatefulNet, gradient: Tensor | None) -> Backprop:
    return Backprop(net.module_, net.autocast_dtype, gradient, net.bottleneck_.mask)
