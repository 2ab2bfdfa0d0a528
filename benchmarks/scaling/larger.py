"""A table that is larger than memory: speed and memory of an epoch, beside a slice in memory.

    python -m benchmarks.scaling.larger FOLDER [--rows 50000000] [--features 50]

FOLDER is where the tables are written, `X.npy` and `X.parquet/`, unless they are there: twice 10 GB
by default. The exit code is 1 where a fit takes more than `MOST_MB`, or trains on fewer rows a
second than `LEAST_SHARE` of those of an array of `SLICE` rows in memory.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.scaling.running import run_case
from benchmarks.scaling.tables import write_npy, write_parquet

SLICE = 1_000_000
MOST_MB, LEAST_SHARE = 2000, 0.8


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--features", type=int, default=50)
    args = parser.parse_args(argv)
    print(describe(), flush=True)
    args.folder.mkdir(parents=True, exist_ok=True)
    shape = args.rows, args.features
    npy = write_npy(args.folder / "X.npy", *shape)
    parquet = write_parquet(args.folder / "X.parquet", *shape)
    fails = False
    n_slice = min(SLICE, args.rows)
    for name, table in (("npy", npy), ("parquet", parquet)):
        before = rows_a_second(run_case(npy, "--rows", n_slice)[0], n_slice)
        (told,) = run_case(table, "--epochs", 1)
        after = rows_a_second(run_case(npy, "--rows", n_slice)[0], n_slice)
        beside, here = (before + after) / 2, rows_a_second(told, args.rows)
        share = here / beside
        missed = told["megabytes"] > MOST_MB or share < LEAST_SHARE
        fails |= missed
        print(
            f"{name:8} {args.rows} rows: {told['epoch']:.1f} s an epoch, {here:,.0f} rows a "
            f"second, {share:.2f} of those in memory ({beside:,.0f}); {told['megabytes']:.0f} MB; "
            f"whole fit {told['seconds']:.0f} s, before the first epoch {told['start']:.0f} s; "
            f"explained variance of rows set aside {told['validation_score']:.4f}; "
            f"{'missed' if missed else 'holds'}",
            flush=True,
        )
    return int(fails)


def rows_a_second(told: dict, n_rows: int) -> float:
    return n_rows / told["epoch"]


if __name__ == "__main__":
    sys.exit(main())
