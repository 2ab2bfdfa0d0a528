"""Rows of a source as floats: checked as they are read, ahead of those who wait for them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from sk_autoencoder._sources.source import Source
from sk_autoencoder._utils.sizes import is_finite

# What is read at once, and how many of these ahead: as much as rows are shuffled in.
PIECE_BYTES = 2**24
N_AHEAD = 4
NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Table:
    """Some rows of a source, of which a piece at a time is in memory.

    Parameters
    ----------
    source : Source
    read_dtype : numpy.dtype
        What the source gives.
    first, stop : int
        The rows of the source that belong to the table,
    left_out : ndarray of int
        but for these, in ascending order.
    check : callable
        Refuses rows that cannot be fitted.
    may_miss : bool
        Whether cells may be missing.
    few : ndarray of shape (n_few, n_features)
        Some rows from all over the table.
    largest : float
        The largest size of a cell.
    """

    source: Source
    read_dtype: np.dtype
    first: int
    stop: int
    left_out: np.ndarray = field(default_factory=lambda: NO_ROWS)
    check: Callable[[np.ndarray], None] = lambda _: None
    may_miss: bool = False
    few: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    largest: float = 0.0
    _stream: list = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, source: Source, check=lambda _: None, *, may_miss: bool = False) -> Table:
        """Return all rows of a source."""
        if source.n_rows < 1 or source.n_features < 1:
            raise ValueError(
                f"X has {source.n_rows} rows of {source.n_features} features, and so no cell."
            )
        dtype = _first_dtype(source)
        return cls(source, dtype, 0, source.n_rows, check=check, may_miss=may_miss)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        return self.stop - self.first - len(self.left_out), self.source.n_features

    @property
    def dtype(self) -> np.dtype:
        """What rows are returned in: float32 as it is, all else as float64."""
        return np.dtype(np.float32 if self.read_dtype == np.float32 else np.float64)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | range) -> np.ndarray:
        """Return rows that follow each other; quick where they follow those read before, too."""
        if isinstance(rows, slice):
            rows = range(*rows.indices(len(self)))
        if not isinstance(rows, range) or rows.step != 1:
            raise TypeError("A table that is larger than memory gives rows in their order alone.")
        parts, start = [], rows.start
        while start < rows.stop:
            begin, piece = self._piece_with(start)
            part = piece[start - begin : rows.stop - begin]
            parts.append(part)
            start += len(part)
        if not parts:
            return np.empty((0, self.shape[1]), dtype=self.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def head(self, n_rows: int) -> np.ndarray:
        """Return the first rows, or all where there are fewer, without reading ahead."""
        return self._read(range(self.first, min(self.first + n_rows, self.stop)))

    def scan(self, rng: np.random.RandomState | None = None) -> Iterator[np.ndarray]:
        """Yield all rows a piece at a time, the parts of the source in a random order."""
        self.close()
        parts = self._parts()
        if rng is not None and not getattr(self.source, "is_sequential", False):
            parts = [parts[i] for i in rng.permutation(len(parts))]
        return self._read_ahead(piece for part in parts for piece in self._pieces(part))

    def without(self, rows: np.ndarray) -> Table:
        """Return the table without some rows, given by their ascending numbers in it."""
        left_out = np.union1d(self.left_out, self._in_source(rows))
        return replace(self, left_out=left_out, _stream=[])

    def share(self, rank: int, size: int) -> Table:
        """Return the part of one process of some: so many rows, or one more, that lie together."""
        cuts = [self.first + (self.stop - self.first) * i // size for i in (rank, rank + 1)]
        inside = (self.left_out >= cuts[0]) & (self.left_out < cuts[1])
        return replace(
            self, first=cuts[0], stop=cuts[1], left_out=self.left_out[inside], _stream=[]
        )

    def whole(self) -> np.ndarray:
        """Return all rows in memory."""
        return np.concatenate([*self.scan()])

    def close(self) -> None:
        """End reading ahead."""
        while self._stream:
            self._stream.pop()[2].close()

    def _in_source(self, rows: np.ndarray) -> np.ndarray:
        """Return the numbers in the source of rows of the table."""
        rows = np.asarray(rows) + self.first
        before = self.left_out - np.arange(len(self.left_out))
        return rows + np.searchsorted(before, rows, side="right")

    def _parts(self) -> list[range]:
        """Return what lies between boundaries of the source, as rows of the source."""
        cuts = getattr(self.source, "boundaries", None)
        if cuts is None:
            return self._pieces(range(self.first, self.stop))
        inside = [int(cut) for cut in cuts if self.first < cut < self.stop]
        edges = [self.first, *inside, self.stop]
        return [range(a, b) for a, b in pairwise(edges) if a < b]

    def _pieces(self, part: range) -> list[range]:
        """Return the pieces of a part, none of them larger than `PIECE_BYTES`."""
        size = max(1, PIECE_BYTES // (self.source.n_features * self.read_dtype.itemsize))
        return [part[i : i + size] for i in range(0, len(part), size)]

    def _read_ahead(self, pieces: Iterable[range]) -> Iterator[np.ndarray]:
        """Yield rows while a thread reads those that come next."""
        waiting: deque = deque()
        with ThreadPoolExecutor(1, "sk_autoencoder-reader") as reader:
            try:
                for piece in pieces:
                    waiting.append(reader.submit(self._read, piece))
                    if len(waiting) > N_AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _piece_with(self, row: int) -> tuple[int, np.ndarray]:
        """Return the piece that has a row of the table, and the number of its first row."""
        if not self._stream or row < self._stream[0][0]:
            self.close()
            self._stream.append(self._opened(row))
        begin, piece, pieces = self._stream[0]
        while row >= begin + len(piece):
            begin += len(piece)
            piece = next(pieces)
        self._stream[0] = begin, piece, pieces
        return begin, piece

    def _opened(self, row: int) -> tuple[int, np.ndarray, Iterator[np.ndarray]]:
        """Return the first row of the part that has a row, nothing yet, and the pieces to come."""
        parts, place = self._parts(), self._in_source(np.array([row]))[0]
        if not getattr(self.source, "is_sequential", False):
            parts = [part for part in parts if part.stop > place]
        start = parts[0].start
        begin = start - self.first - int(np.searchsorted(self.left_out, start))
        nothing = np.empty((0, self.shape[1]), dtype=self.dtype)
        pieces = (piece for part in parts for piece in self._pieces(part))
        return begin, nothing, self._read_ahead(pieces)

    def _read(self, piece: range) -> np.ndarray:
        """Return the rows of a piece that belong to the table, checked."""
        try:
            rows = np.asarray(self.source.read(slice(piece.start, piece.stop)))
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{self._named(piece)} of X cannot be read: {error}") from error
        self._check_kind(rows, piece)
        rows = rows.astype(self.dtype, copy=False)
        if not is_finite(rows):
            self._check_finite(rows, piece)
        try:
            self.check(rows)
        except ValueError as error:
            raise ValueError(f"{self._named(piece)} of X: {error}") from error
        low, high = np.searchsorted(self.left_out, [piece.start, piece.stop])
        if low == high:
            return rows
        return np.delete(rows, self.left_out[low:high] - piece.start, axis=0)

    def _named(self, piece: range) -> str:
        """Return what tells a piece, with the number of its block where there are several."""
        cuts = getattr(self.source, "boundaries", ())
        of_block = f" (block {bisect_right(cuts, piece.start) - 1})" if len(cuts) > 2 else ""
        return f"Rows {piece.start} to {piece.stop - 1}{of_block}"

    def _check_finite(self, rows: np.ndarray, piece: range) -> None:
        """Refuse infinite cells and, unless they may miss, missing ones."""
        missing = np.isnan(rows)
        if np.isinf(rows).any():
            raise ValueError(
                f"{self._named(piece)} of X have infinite cells. Leave those rows out."
            )
        if missing.any() and not self.may_miss:
            first = piece.start + int(missing.any(axis=1).argmax())
            raise ValueError(
                f"{self._named(piece)} of X have missing cells, the first of them in row {first}. "
                "Of a table that is read a block at a time each cell has to be known: fill them, "
                "or leave those rows out."
            )

    def _check_kind(self, rows: np.ndarray, piece: range) -> None:
        """Refuse a piece of another shape or dtype than the source has told."""
        wanted = (len(piece), self.source.n_features)
        if rows.shape != wanted:
            raise ValueError(
                f"{self._named(piece)} of X are of shape {rows.shape}, but {wanted} were expected."
            )
        if rows.dtype != self.read_dtype:
            raise ValueError(
                f"{self._named(piece)} of X are of dtype {rows.dtype}, but the first ones are of "
                f"{self.read_dtype}. Write all of them in one dtype."
            )


def _first_dtype(source: Source) -> np.dtype:
    """Return the dtype of the first rows of a source, which has to be one of real numbers."""
    dtype = np.asarray(source.read(slice(0, 1))).dtype
    if dtype.kind not in "fiub":
        raise ValueError(f"X is of dtype {dtype}, but a fit needs real numbers.")
    return dtype
