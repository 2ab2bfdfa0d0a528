"""Packages that not everybody has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def installed_by(remedy: str) -> Iterator[None]:
    """Say what to install where an import in the block fails."""
    try:
        yield
    except ImportError as error:
        raise ImportError(remedy) from error
