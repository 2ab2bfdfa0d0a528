"""The steps of an epoch, with nothing in between."""

from __future__ import annotations

from sk_autoencoder._training.batches import Batches
from sk_autoencoder._training.net_state import MeanLoss, StatefulNet, Steps


def take_steps(net: StatefulNet, steps: Steps, batches: Batches) -> float:
    """Take a step on each batch, and return the mean loss, which is read once at the end."""
    average, pace, clip = net.average_, net.pace_, steps.clip
    mean = MeanLoss(net.device, batches.dataset.data.processes)
    steps.begin_epoch()
    for t, target in batches:
        if pace is not None:
            pace.next_step()
        with steps.mode():  # whatever the caller has set
            mean.add(steps.gradients(t, target), len(t))
            net.next_lr()
            if clip is not None:
                clip()
            steps.take()
            if average is not None:
                average.update()
    if pace is not None:
        pace.pause()
    steps.end_epoch()
    return mean.value()
