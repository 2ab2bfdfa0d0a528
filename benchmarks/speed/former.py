"""Is it as fast as a former commit? The same calls of both, in turns.

    git worktree add FOLDER COMMIT
    python -m benchmarks.speed.former FOLDER [--only "fit digits" transform] [--rounds 9]

Two processes wait, one with the package of each tree, and take their turn, so that what slows
one slows the other. A ratio is the median of the times here over the times there of a round.
The exit code is 1 where one is above `--most`. Figures count on an idle machine only. What the
former commit cannot do is said, and left out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parents[2]
# A turn is as many calls as take this many seconds.
TURN = 0.3


def take_tree(tree: Path, threads: int) -> None:
    """Let this process have the package of a tree, and so many threads."""
    sys.path.insert(0, str(tree))
    import torch

    import sk_autoencoder

    if not Path(sk_autoencoder.__file__).is_relative_to(tree):
        raise SystemExit(f"{sk_autoencoder.__file__} is not of {tree}")
    torch.set_num_threads(threads)


def serve(tree: Path, threads: int, pipe) -> None:
    """Answer each name of a task with the seconds of a call, by the package of a tree."""
    warnings.simplefilter("ignore")
    take_tree(tree, threads)
    from benchmarks.speed.tasks import TASKS

    pipe.send(list(TASKS))
    calls, repeats = {}, {}
    for task in iter(pipe.recv, None):
        try:
            if task not in calls:
                calls[task] = TASKS[task]()
                calls[task]()
                repeats[task] = max(1, round(TURN / max(seconds(calls[task], 1), 1e-6)))
            pipe.send(seconds(calls[task], repeats[task]))
        except (TypeError, ValueError, AttributeError) as error:
            pipe.send(f"{type(error).__name__}: {error}")


def seconds(call, repeats: int) -> float:
    """Return the seconds of a call, the mean of `repeats`."""
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - began) / repeats


@contextmanager
def served(tree: Path, threads: int):
    """Give the names of the tasks and a function that times one, in a process of a tree."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(tree, threads, theirs), daemon=True)
    process.start()
    theirs.close()

    def ask(task: str) -> float | str:
        ours.send(task)
        return ours.recv()

    try:
        yield ours.recv(), ask
    finally:
        ours.send(None)
        process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="a work tree of the former commit")
    parser.add_argument("--only", nargs="+", help="names of tasks, or how they begin")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most", type=float, default=1.03, help="the largest ratio that holds")
    options = parser.parse_args()
    folder = options.folder.resolve()
    missed = False
    with served(HERE, options.threads) as (tasks, now), served(folder, options.threads) as (_, old):
        for task in tasks:
            if options.only and not task.startswith(tuple(options.only)):
                continue
            rounds = [(now(task), old(task)) for _ in range(options.rounds)]
            if isinstance(rounds[0][1], str):
                print(f"{task:<26} left out: {rounds[0][1]}", flush=True)
                continue
            ratio = statistics.median(ours / theirs for ours, theirs in rounds)
            middle = statistics.median(ours for ours, _ in rounds)
            verdict = "holds" if ratio <= options.most else "missed"
            missed |= ratio > options.most
            print(f"{task:<26} {ratio:6.3f}  {verdict:<6}  {middle:10.6f} s", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
