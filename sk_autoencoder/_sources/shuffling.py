"""Rows of a table that is larger than memory in a random order, as far as memory goes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sk_autoencoder._sources.table import Table

BUFFER_BYTES = 2**27


def shuffled(
    table: Table, rng: np.random.RandomState | None, sizes: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield all rows in batches of some sizes, shuffled where there is a random source.

    The parts of the table come in a random order, and rows are shuffled among those of as many
    parts as `BUFFER_BYTES` hold.
    """
    pieces, remaining = table.scan(rng), iter(sizes.tolist())
    left, size = np.empty((0, table.shape[1]), dtype=table.dtype), next(remaining, 0)
    for buffer in _filled(pieces):
        rows = np.concatenate([left, *buffer])
        if rng is not None:
            rows = rows[rng.permutation(len(rows))]
        begin = 0
        while size and begin + size <= len(rows):
            yield rows[begin : begin + size]
            begin, size = begin + size, next(remaining, 0)
        left = rows[begin:].copy()


def _filled(pieces: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yield as many pieces at once as the buffer holds."""
    buffer: list[np.ndarray] = []
    for piece in pieces:
        buffer.append(piece)
        if sum(rows.nbytes for rows in buffer) >= BUFFER_BYTES:
            yield buffer
            buffer = []
    if buffer:
        yield buffer
