"""Is a fit as fast as PyTorch written by hand? Compare, in one process and in turns.

    python -m benchmarks.speed [--data digits] [--rivals dataloader] [--questions fits]

Fits of the textbook network by our estimator, by loops by hand and by other libraries, on
tables of 1,000 x 20, 1,797 x 64, 60,000 x 784 and 1,000,000 x 50; then what bfloat16 saves,
how soon the default configuration is as good as a long training by hand, what codes and
reconstructions cost above the bare module, and the cost of memory, of a search and of the
import. Figures count on an idle machine only, and only against others of the same run. The
exit code is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.speed import fits, imports, inference, memory, precision, search, target
from benchmarks.speed.data import CASES
from benchmarks.speed.measuring import Answer, matmul_peak
from benchmarks.speed.report import draw, write_json
from benchmarks.speed.rivals import FITS, OURS, is_installed
from sk_autoencoder.datasets import load_fashion_mnist

LARGE = CASES["fashion-mnist"]
SMALL = CASES["digits"]
OF_IMAGES = ("precision", "target", "inference")
QUESTIONS = ("fits", *OF_IMAGES, "memory", "search", "import")


def ask(options: argparse.Namespace, peak: float) -> Iterator[tuple[str, Answer]]:
    """Give the name and the answer of each question that was chosen."""
    questions, rounds = options.questions, options.rounds
    if LARGE.name not in options.data:
        questions = [question for question in questions if question not in OF_IMAGES]
    if "fits" in questions:
        rivals = [rival for rival in options.rivals if is_installed(rival)]
        for rival in options.rivals:
            if rival not in rivals:
                print(f"{rival} is not installed: left out")
        for case in (CASES[name] for name in options.data):
            epochs = options.epochs or case.epochs
            yield f"fit of {case.name}", fits.ask(case, rivals, rounds, epochs, peak)
    epochs = options.epochs or LARGE.epochs
    if "precision" in questions:
        test = load_fashion_mnist("test")[0]
        yield "precision", precision.ask(LARGE, test, rounds, epochs)
    if "target" in questions:
        yield "target", target.ask(LARGE, load_fashion_mnist("test")[0], rounds)
    if "inference" in questions:
        yield "inference", inference.ask(LARGE, rounds)
    if "memory" in questions:
        yield "memory", memory.ask()
    if "search" in questions:
        yield "search", search.ask(SMALL, rounds)
    if "import" in questions:
        yield "import", imports.ask(rounds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    rivals = [name for name in FITS if name != OURS]
    parser.add_argument(
        "--data",
        nargs="+",
        choices=CASES,
        default=list(CASES),
        help="tables; without fashion-mnist, what is asked of it is left out too",
    )
    parser.add_argument("--rivals", nargs="+", choices=rivals, default=rivals)
    parser.add_argument("--questions", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--rounds", type=int, default=3, help="how often each takes its turn")
    parser.add_argument("--epochs", type=int, help="of each fit; a table's own if not set")
    parser.add_argument(
        "--output", type=Path, default=Path("speed.png"), help="the plot; the JSON lies beside it"
    )
    options = parser.parse_args()
    if options.rounds < 1 or (options.epochs is not None and options.epochs < 1):
        parser.error("--rounds and --epochs are 1 or more")
    return options


def main() -> int:
    options = parse()
    peak = matmul_peak()
    print(describe())
    print(f"product of float32 matrices: {peak / 1e9:.0f} GFLOP/s")
    answers = dict(ask(options, peak))
    results = options.output.with_suffix(".json")
    write_json(results, peak, answers)
    print(f"\nwritten: {results}")
    if draw(options.output, answers):
        print(f"written: {options.output}")
    bars = [bar for answer in answers.values() for bar in answer.bars]
    print("", *bars, sep="\n")
    return int(not all(bar.holds for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
