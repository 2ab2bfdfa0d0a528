"""The columns of a file as numbers: what is a feature, what names the rows, what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd

from sk_autoencoder._cli.cells import is_number, number

MAX_NAMED = 5  # columns that an error or a note names
MAX_CELL = 40  # characters of a cell that an error shows
BLOCK_COLUMNS = 256
AMOUNT = r"\d\s*[%$€£¥]|[$€£¥]\s*\d"  # what was meant for a number, and names no row


@dataclass(frozen=True)
class Odd:
    """A column that is not numeric, and the first of its cells that is no number."""

    place: int
    row: int
    cell: str
    has_numbers: bool


def numeric_table(
    X: pd.DataFrame, *, decimal: str = ".", drop_non_numeric: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """Return the numeric columns of a table, and notes on what became of the others.

    The errors go on from the name of the file.
    """
    if 0 in X.shape:
        raise ValueError(f"is empty: it has {X.shape[0]} rows and {X.shape[1]} columns")
    X, odd = to_numbers(X, decimal)
    notes, left_out = [], []
    if odd and _names_rows(X, odd[0], decimal):
        notes.append(f"column {name_of(X, 0)} is taken for the names of the rows, no feature")
        left_out.append(odd.pop(0).place)
        X = X.set_axis(pd.Index(X.iloc[:, 0]), axis=0)
    if odd and not drop_non_numeric:
        raise ValueError(refusal(X, odd))
    if odd:
        places = [column.place for column in odd]
        notes.append(f"left out as not numeric: {listed([name_of(X, i) for i in places])}")
        left_out += places
    if left_out:
        X = X.iloc[:, np.setdiff1d(np.arange(X.shape[1]), left_out)]
    if not X.shape[1]:
        raise ValueError("has no numeric column")
    check_finite(X)
    X, more = _without_empty(X)
    return X, notes + more


def check_finite(X) -> None:
    """Refuse a table with infinite cells, and say where the first of them is."""
    for n_before, block in zip(count(0, BLOCK_COLUMNS), _blocks(X), strict=False):
        infinite = np.isinf(block)
        if infinite.any():
            i = int(np.argmax(infinite.any(axis=0)))
            raise ValueError(
                f"has infinite cells: {int(infinite[:, i].sum())} in column "
                f"{name_of(X, n_before + i)}, the first in row {int(np.argmax(infinite[:, i]))}. "
                "Rows are counted from 0. Correct such cells, or leave them empty, as missing"
            )


def dominant_column(X) -> tuple[str, float] | None:
    """Return the name of the column with the greatest variance, and its share of all of it."""
    with np.errstate(over="ignore", invalid="ignore"):
        variance = np.concatenate([_variance(block) for block in _blocks(X)])
        share = variance / variance.sum()
    if not np.isfinite(share).all():
        return None
    i = int(np.argmax(share))
    return name_of(X, i), float(share[i])


def count_missing(X) -> int:
    """Return how many cells of a table are missing."""
    return sum(int(np.isnan(block).sum()) for block in _blocks(X))


def name_of(X, i: int) -> str:
    """Return how to tell the user of a column: its name in quotation marks, or its number."""
    name = X.columns[i] if hasattr(X, "columns") else i
    return repr(name) if isinstance(name, str) else f"number {name}"


def to_numbers(X: pd.DataFrame, decimal: str) -> tuple[pd.DataFrame, list[Odd]]:
    """Return a table whose columns are numbers where they can be, and the other columns."""
    # A deep copy has a block of memory a dtype: with one a column, a wide table takes minutes.
    X, odd = X.copy(deep=X.shape[1] > BLOCK_COLUMNS), []
    for i, dtype in enumerate(X.dtypes):
        if isinstance(dtype, np.dtype) and dtype.kind in "fiub":
            continue
        column = X.iloc[:, i]
        if pd.api.types.is_numeric_dtype(dtype) and dtype.kind in "fiub":  # pandas' nullable ones
            if column.isna().any():
                X.isetitem(i, column.to_numpy(dtype=np.float64, na_value=np.nan))
            continue
        values, wrong = _parsed(column, decimal)
        if wrong is None:
            X.isetitem(i, values)
        else:
            odd.append(Odd(i, wrong, _shown(column, wrong), bool(np.isfinite(values).any())))
    return X, odd


def _parsed(column: pd.Series, decimal: str) -> tuple[np.ndarray, int | None]:
    """Return a column's cells as floats, and the row of the first one that is no number."""
    cells = column.astype(object).where(column.notna(), None)
    is_text = pd.api.types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype)
    values, wrong = np.full(len(cells), np.nan), None
    for row, cell in enumerate(cells):
        # A category is none of the numbers that may name it, and neither is a date.
        value = number(cell, decimal) if is_text or cell is None else None
        if value is not None:
            values[row] = value
        elif wrong is None:
            wrong = row
    return values, wrong


def _names_rows(X: pd.DataFrame, odd: Odd, decimal: str) -> bool:
    """Whether the first column has no number and a name for each of some rows."""
    first = X.iloc[:, 0]
    other = "," if decimal == "." else "."  # a number with that is none, but was meant for one
    return (
        odd.place == 0
        and not odd.has_numbers
        and X.shape[1] > 1
        and len(X) > 1
        and not isinstance(first.dtype, pd.CategoricalDtype)
        and first.map(str).is_unique
        and not first.map(str).str.contains(AMOUNT).any()
        and not any(is_number(str(cell), other) for cell in first)
    )


def refusal(X: pd.DataFrame, odd: Sequence[Odd], *, may_drop: bool = True) -> str:
    """Return the error about columns that are not numeric, and that may be dropped or not."""
    if len(odd) == 1:
        told = (
            f"a column that is not numeric, {name_of(X, odd[0].place)}: its first cell that is no "
            f"number is {odd[0].cell} in row {odd[0].row}"
        )
    else:
        named = [f"{name_of(X, o.place)} ({o.cell} in row {o.row})" for o in odd]
        told = (
            f"{len(odd)} columns that are not numeric, here with the first cell of each that is no "
            f"number: {listed(named)}"
        )
    told = f"has {told}. Rows are counted from 0. Correct such cells or leave them empty"
    if not may_drop:
        return f"{told}, as missing"
    return (
        f"{told}, encode the column as numbers, or leave all that is not numeric out with "
        "--drop-non-numeric"
    )


def listed(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _shown(column: pd.Series, row: int) -> str:
    """Return a cell as an error shows it."""
    cell = column.iloc[row]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return f"category {cell}"
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _without_empty(X: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out columns and rows without a known cell, and return notes on them."""
    known = X.notna().to_numpy()
    rows, columns = known.any(axis=1), known.any(axis=0)
    if not rows.any():
        raise ValueError("is empty: none of its cells has a number")
    notes = []
    if not columns.all():
        names = [name_of(X, int(i)) for i in np.flatnonzero(~columns)]
        notes.append(f"left out as empty: {listed(names)}")
        X = X.iloc[:, np.flatnonzero(columns)]
    if not rows.all():
        n_empty = int((~rows).sum())
        notes.append(f"left out as empty: {n_empty} {'rows' if n_empty > 1 else 'row'}")
        X = X.iloc[np.flatnonzero(rows)]
    return X, notes


def _blocks(X) -> Iterator[np.ndarray]:
    """Yield blocks of the columns of a table as floats."""
    for start in range(0, X.shape[1], BLOCK_COLUMNS):
        stop = start + BLOCK_COLUMNS
        block = X.iloc[:, start:stop] if hasattr(X, "columns") else X[:, start:stop]
        yield np.asarray(block, dtype=np.float64)


def _variance(block: np.ndarray) -> np.ndarray:
    """Return the variances of columns, of their known cells alone; each has one."""
    return np.nanvar(block, axis=0)
