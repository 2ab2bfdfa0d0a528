"""What the user says of a file that is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What the user says of a file; None is to be found out."""

    sep: str | None = None
    decimal: str | None = None
    header: bool | None = None
    drop_non_numeric: bool = False


ALL_FOUND_OUT = Options()
