"""Rows of a table that is larger than memory in a random order, as far as memory goes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sk_autoencoder._sources.table import Table

BUFFER_BYTES = 2**26


def shuffled(
    table: Table, rng: np.random.RandomState | None, sizes: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield all rows in batches of some sizes, shuffled where there is a random source.

    The parts of the table come in a random order, and rows are shuffled among those of as many
    parts as `BUFFER_BYTES` hold.
    """
    pieces, remaining = table.scan(rng), iter(sizes.tolist())
    left, size = np.empty((0, table.shape[1]), dtype=table.dtype), next(remaining, 0)
    while buffer := _filled(pieces):
        rows = _mixed([left, *buffer], rng)
        buffer.clear()  # before the next one is read
        begin = 0
        while size and begin + size <= len(rows):
            yield rows[begin : begin + size]
            begin, size = begin + size, next(remaining, 0)
        left = rows[begin:].copy()


def _filled(pieces: Iterator[np.ndarray]) -> list[np.ndarray]:
    """Return as many pieces as the buffer holds, none where there are no more."""
    buffer: list[np.ndarray] = []
    n_bytes = 0
    while n_bytes < BUFFER_BYTES and (piece := next(pieces, None)) is not None:
        buffer.append(piece)
        n_bytes += piece.nbytes
    return buffer


def _mixed(pieces: list[np.ndarray], rng: np.random.RandomState | None) -> np.ndarray:
    """Return the rows of all pieces, in a random order where there is a random source."""
    if rng is None:
        return np.concatenate(pieces)
    n_rows = sum(map(len, pieces))
    places, begin = rng.permutation(n_rows), 0
    rows = np.empty((n_rows, pieces[0].shape[1]), dtype=pieces[0].dtype)
    for piece in pieces:
        rows[places[begin : begin + len(piece)]] = piece
        begin += len(piece)
    return rows
