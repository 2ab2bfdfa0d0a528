"""What a table has to offer to be read a block at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Source(Protocol):
    """A table that is read a block at a time, and never held in memory whole.

    Any object with these three is taken by `fit` and `transform_to` in place of an array.

    Attributes
    ----------
    n_rows, n_features : int
        Shape of the table.
    boundaries : sequence of int, optional
        Row numbers at which reading begins at no extra cost, such as those of the parts of a file,
        from 0 to `n_rows` in ascending order. Between two of them rows are read in their order.
        Without it a block may begin anywhere.
    is_sequential : bool, optional
        Whether the table can only be read from its first row to its last. Default is False.
    feature_names : sequence of str, optional
        Names of the columns.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_autoencoder import Source
    >>> class Sines:
    ...     n_rows, n_features = 1_000_000, 3
    ...     def read(self, rows):
    ...         return np.sin(np.arange(rows.start, rows.stop)[:, None] * [1.0, 2.0, 3.0])
    >>> isinstance(Sines(), Source)
    True
    """

    n_rows: int
    n_features: int

    def read(self, rows: slice) -> Any:
        """Read some of the rows.

        Parameters
        ----------
        rows : slice
            From `rows.start` up to, not including, `rows.stop`.

        Returns
        -------
        X : array-like of shape (rows.stop - rows.start, n_features)
            In the same dtype each time.
        """


class Piecewise:
    """Base of a source that gives rows in pieces of its own size, one after the other.

    A class of this kind has `boundaries`, and `pieces(start)`, which yields arrays from one of them
    on. It goes on where it has ended, and begins anew where others are asked for.
    """

    boundaries: Sequence[int]

    def __init__(self):
        self._lock, self._position = Lock(), -1
        self._left, self._pieces = np.empty((0, 0)), iter(())

    def pieces(self, start: int) -> Iterator[np.ndarray]:
        """Yield arrays of rows, from the boundary `start` on."""
        raise NotImplementedError

    def read(self, rows: slice) -> np.ndarray:
        """Return some of the rows."""
        with self._lock:
            if rows.start != self._position:
                begin = self.boundaries[bisect_right(self.boundaries, rows.start) - 1]
                self._pieces, self._left = self.pieces(begin), np.empty((0, 0))
                self._skip(rows.start - begin)
            parts = list(self._taken(rows.stop - rows.start))
            self._position = rows.start + sum(map(len, parts))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty((0, 0))

    def _skip(self, n_rows: int) -> None:
        for _ in self._taken(n_rows):
            pass

    def _taken(self, n_rows: int) -> Iterator[np.ndarray]:
        """Yield the next rows, fewer where there are no more."""
        while n_rows > 0:
            piece = self._left if len(self._left) else next(self._pieces, None)
            if piece is None:
                return
            yield piece[:n_rows]
            self._left = piece[n_rows:]
            n_rows -= len(piece[:n_rows])
