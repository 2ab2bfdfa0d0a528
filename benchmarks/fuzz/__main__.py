"""Random parameters, tables and orders of calls: `python -m benchmarks.fuzz --cases N`.

    python -m benchmarks.fuzz [--cases 2000] [--seed 0]

Each case fits an estimator on a small table, in calls of a random order, and asks what has to
hold whatever they are: see `benchmarks.fuzz.oracles`. Printed are the number of cases and of
those that the package refused, the time, and each kind of finding with a script that repeats a
small one of them. The exit code is 1 where there is one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from benchmarks.fuzz.search import repeat, search, smallest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-shrinking", action="store_true", help="give findings as they came")
    options = parser.parse_args()
    began = time.perf_counter()
    report = search(options.cases, options.seed)
    seconds = time.perf_counter() - began
    print(f"{report.n_cases} cases of seed {options.seed} in {seconds:.1f} s")
    print(f"{report.refused.total()} of them refused, by the check")
    for text, n in report.refused.most_common():
        print(f"  {n:5}  {text}")
    print(f"{len(report.findings)} findings, {len(report.kinds)} kinds of them")
    for kind, n in Counter(kind for kind, _ in report.findings).most_common():
        case, detail = report.kinds[kind]
        case = case if options.no_shrinking else smallest(case, kind)
        print(f"\n{n} of the kind: {kind}\n{detail}\n{repeat(case)}", flush=True)
    return int(bool(report.findings))


if __name__ == "__main__":
    sys.exit(main())
