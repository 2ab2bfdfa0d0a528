"""A fit by the workers of a dask cluster, each of which trains on the blocks that it holds."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch.distributed as dist
from distributed import Client, Event, Future, Variable, wait
from distributed.utils import TimeoutError as DaskTimeoutError

from sk_autoencoder._sources.chunked import Parts
from sk_autoencoder._utils.processes import TIMEOUT

# Seconds between looks whether all workers are still there, and whether they have come.
LOOK_EVERY, MEET_EVERY = 1.0, 0.1
PATIENCE = timedelta(seconds=30)  # to connect to one that is there


class Place(NamedTuple):
    """Which of the processes that train together one is, and where they meet.

    dask has two things of its `name`: a variable, with the port that the first one has opened, and
    an event, which is set where the others will not come.
    """

    rank: int
    size: int
    host: str
    name: str


def train_on_workers(estimator: Any, blocks: Sequence[Future], client: Client) -> Any:
    """Return a copy of an estimator that was fitted by the workers that hold some blocks.

    Parameters
    ----------
    estimator : estimator
        One that is not fitted.
    blocks : sequence of Future
        Rows, computed or still to be.
    client : distributed.Client
    """
    wait(blocks)
    held = _blocks_of_workers(blocks, client)
    workers = list(held)
    first = workers[0]
    host = first.split("://")[-1].rsplit(":", 1)[0]
    name = f"sk_autoencoder-{uuid.uuid4().hex}"
    tasks = [
        client.submit(
            fit_share,
            estimator,
            held[worker],
            Place(rank, len(workers), host, name),
            workers=[worker],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        for rank, worker in enumerate(workers)
    ]
    try:
        _wait_for(tasks, workers, client)
        return tasks[0].result()
    finally:
        Event(name, client=client).set()
        Variable(name, client=client).delete()
        client.cancel(tasks, force=True)


def fit_share(estimator: Any, blocks: list, place: Place) -> Any:
    """Fit an estimator on the blocks of this process, beside others; the first returns it."""
    parts = [block for block in blocks if len(block)]
    with _processes(place):
        estimator.fit(Parts(parts, is_share=True))
    return estimator if place.rank == 0 else None


@contextmanager
def _processes(place: Place) -> Iterator[None]:
    """Meet the other processes, and leave them in the end, whatever happens."""
    if place.size == 1:
        yield
        return
    if dist.is_initialized():
        raise RuntimeError(
            "This worker already trains beside others. Let one fit end before the next begins, "
            "and start workers by one launcher alone."
        )
    store = _meet(place)
    dist.init_process_group(
        "gloo", store=store, rank=place.rank, world_size=place.size, timeout=TIMEOUT
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def _meet(place: Place) -> dist.TCPStore:
    """Return the store of all processes, once all are there."""
    called_off, port = Event(place.name), Variable(place.name)
    is_first = place.rank == 0
    number = 0 if is_first else _told(port, called_off)
    store = dist.TCPStore(
        place.host, number, place.size, is_first, timeout=PATIENCE, wait_for_workers=False
    )
    if is_first:
        port.set(store.port)
    store.add("arrived", 1)
    while store.add("arrived", 0) < place.size:
        _check_on(called_off)
        time.sleep(MEET_EVERY)
    store.set_timeout(TIMEOUT)
    return store


def _told(port: Variable, called_off: Event) -> int:
    """Return the port that the first process has opened, once it has."""
    while True:
        _check_on(called_off)
        with suppress(DaskTimeoutError, TimeoutError):
            return port.get(timeout=LOOK_EVERY)


def _check_on(called_off: Event) -> None:
    """Refuse to wait for others that will not come."""
    if called_off.is_set():
        raise ConnectionError("Another process of the fit has ended before it began.")


def _blocks_of_workers(blocks: Sequence[Future], client: Client) -> dict[str, list[Future]]:
    """Return the blocks by the worker that holds them, in their order.

    Of workers that share a process one alone has blocks.
    """
    for block in blocks:
        if block.status == "error":
            block.result()

    def tell() -> tuple[str, int, bool]:  # a function within one is sent as code, not by its name
        return socket.gethostname(), os.getpid(), find_spec("sk_autoencoder") is not None

    holders = client.who_has(list(blocks))
    told = client.run(tell, on_error="return")
    there = {worker: found for worker, found in told.items() if isinstance(found, tuple)}
    pids = {worker: (host, pid) for worker, (host, pid, _) in there.items()}
    first_of = {pid: worker for worker, pid in reversed(list(pids.items()))}
    found: dict[str, list[Future]] = {}
    for block in blocks:
        among = [worker for worker in holders[block.key] if worker in pids]
        if not among:
            raise RuntimeError(f"The block {block.key} was lost, with the worker that held it.")
        worker = first_of[pids[min(among)]]
        found.setdefault(worker, []).append(block)
    if without := [worker for worker in found if not there[worker][-1]]:
        raise ModuleNotFoundError(
            f"sk_autoencoder cannot be imported on {len(without)} of the {len(found)} workers that "
            f"hold blocks, such as {without[0]}. Install it on all of them."
        )
    return dict(sorted(found.items()))


def _wait_for(tasks: list[Future], workers: list[str], client: Client) -> None:
    """Wait for all tasks; raise what went wrong in one, or that a worker is gone."""
    while True:
        done = not _is_waiting(tasks)
        failed = [i for i, task in enumerate(tasks) if task.status == "error"]
        gone = set(workers) - set(client.scheduler_info(n_workers=-1)["workers"])
        if gone:
            raise RuntimeError(
                f"The worker {', '.join(sorted(gone))} has ended in the middle of the fit, and its "
                "part of the training with it. Call fit again: dask computes its blocks anew."
            )
        if failed:
            _raise_first(tasks, failed, workers)
        if done:
            return


def _is_waiting(tasks: list[Future]) -> bool:
    """Wait for a while, and return whether there are tasks that go on."""
    try:
        wait([task for task in tasks if task.status == "pending"], timeout=LOOK_EVERY)
    except (DaskTimeoutError, TimeoutError):
        return True
    return any(task.status == "pending" for task in tasks)


def _raise_first(tasks: list[Future], failed: list[int], workers: list[str]) -> None:
    """Raise what went wrong: not that a process has lost the others, where another tells why."""
    errors = [(tasks[i].exception(), workers[i], i) for i in failed]
    errors.sort(key=lambda error: isinstance(error[0], ConnectionError))
    error, worker, rank = errors[0]
    error.add_note(f"In process {rank} of {len(tasks)}, the worker {worker}.")
    raise error
