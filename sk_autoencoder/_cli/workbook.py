"""The first sheet of an Excel workbook as a table."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from sk_autoencoder._cli.delimited import SAMPLE_LINES, has_header


def read_workbook(path: Path, header: bool | None) -> pd.DataFrame:
    """Return the first sheet; its first row with a cell has the names, unless it has numbers."""
    with warnings.catch_warnings():
        # openpyxl tells of styles and checks that it does not know, which say nothing of cells.
        warnings.simplefilter("ignore", UserWarning)
        cells = pd.read_excel(path, header=None, engine="openpyxl", na_values=["?"])
    cells = cells.dropna(how="all").reset_index(drop=True)
    if not len(cells):
        raise ValueError("its first sheet is empty")
    first = list(cells.iloc[0])
    if header is None:
        texts = cells.iloc[:SAMPLE_LINES].map(lambda cell: "" if pd.isna(cell) else str(cell))
        header = has_header(texts.to_numpy().tolist(), ".")
    if not header:
        return cells.infer_objects()
    table = cells.iloc[1:].reset_index(drop=True)
    table.columns = _unique(first)
    has_index = len(first) > 1 and pd.isna(first[0])  # as pandas writes its index
    return (table.iloc[:, 1:] if has_index else table).infer_objects()


def _unique(names: list) -> list[str]:
    """Return names as texts that differ, as pandas makes them of a text file's header."""
    seen: dict[str, int] = {}
    unique = []
    for i, name in enumerate(names):
        text = f"Unnamed: {i}" if pd.isna(name) else str(name)
        n_seen = seen[text] = seen.get(text, -1) + 1
        unique.append(f"{text}.{n_seen}" if n_seen else text)
    return unique
