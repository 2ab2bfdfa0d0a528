"""The arguments that the quality benchmarks share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd


def parser_of(doc: str, seeds: Sequence[int] = ()) -> argparse.ArgumentParser:
    """Return a parser, described by the first line of a docstring, with `--seeds` if any."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    if seeds:
        parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    return parser


def add_tables(parser: argparse.ArgumentParser) -> None:
    """Add a folder of tables, which of them to take, and where to write what is found."""
    parser.add_argument("tables", type=Path, help="a folder of .npz files")
    parser.add_argument("--only", nargs="+", default=[""], help="parts of tables' names")
    add_json(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="where to write the rows")


def write_rows(results: pd.DataFrame, options: argparse.Namespace) -> None:
    """Write rows where `--json` says, if it does."""
    if options.json:
        results.to_json(options.json, orient="records", indent=1)
