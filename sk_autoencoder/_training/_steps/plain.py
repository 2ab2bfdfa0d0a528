"""Steps of a plain stack: gradients that are written out, Adam without torch's questions."""

from __future__ import annotations

from functools import partial

from sk_autoencoder._training._steps.adam import quick_step
from sk_autoencoder._training._steps.backprop import Backprop
from sk_autoencoder._training._steps.pieces import InPieces
from sk_autoencoder._training._steps.sharding import sharded_adam
from sk_autoencoder._training._steps.sharing import Shared, shared
from sk_autoencoder._training.net_state import StatefulNet, Steps


def plain_steps(net: StatefulNet) -> Steps:
    """Return the steps of a net that trains a plain stack, alone or beside other processes."""
    sharded, clip = sharded_adam(net), net.clip_
    buffer = None if sharded is None else sharded.gradient
    backprop = Backprop(net.module_, net.autocast_dtype, buffer)
    computed, n_rows = InPieces(backprop, net.parameters()), net.rows_a_batch_
    if sharded is not None:
        gradients = Shared(computed, sharded, n_rows, backprop.gradient)
        cut = None if clip is None else sharded.cut
        return Steps(gradients, cut, sharded.step, runs_module=False, end_epoch=sharded.end_epoch)
    gradients = shared(computed, net.processes_, n_rows, backprop.gradient)
    cut = None if clip is None else partial(clip.cut, backprop.gradient)
    return Steps(gradients, cut, quick_step(net.optimizer_), runs_module=False)
