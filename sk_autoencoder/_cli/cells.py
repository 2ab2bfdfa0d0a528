"""Cells of a file as numbers: what is one, what is missing, what is neither."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from numbers import Real
from typing import Any

NAN = float("nan")
MINUS = "\u2212"  # which typesetters and statistical offices write for a hyphen

# What pandas takes for missing, and the "?" of many public tables.
MISSING = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>", "NaN", "nan", "-NaN", "-nan"),
    *("NULL", "null", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)


def number(cell: Any, decimal: str = ".") -> float | None:
    """Return a cell as a number, NaN where it is missing, None where it is something else."""
    if isinstance(cell, str):
        return _parse(cell.strip(), decimal)
    if isinstance(cell, Real | Decimal):  # bool and NaN too
        return float(cell)
    return NAN if cell is None else None


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a text is a number, and not missing."""
    value = number(text, decimal)
    return value is not None and value == value


def is_missing(text: str) -> bool:
    """Whether a text says that a value is missing."""
    return text.strip() in MISSING


def _parse(text: str, decimal: str) -> float | None:
    """Return a text without space around it as a number, NaN or None."""
    if text in MISSING:
        return NAN
    text = text.replace(MINUS, "-")
    plain, grouped, marks = _patterns(decimal)
    if grouped.fullmatch(text):
        text = marks.sub("", text)
    elif not plain.fullmatch(text):
        return None
    return float(text.replace(decimal, "."))


@cache
def _patterns(decimal: str) -> tuple[re.Pattern, re.Pattern, re.Pattern]:
    """Return patterns of a number, of one whose thousands are set apart, and of what does that."""
    point = re.escape(decimal)
    mark = rf"[{',' if decimal == '.' else '.'} \u00a0\u202f'\u2019]"
    plain = rf"[+-]?(?:(?:\d+{point}?\d*|{point}\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?)"
    grouped = rf"[+-]?[1-9]\d{{0,2}}(?:{mark}\d{{3}})+(?:{point}\d*)?"
    flags = re.ASCII | re.IGNORECASE
    return re.compile(plain, flags), re.compile(grouped, flags), re.compile(mark)
