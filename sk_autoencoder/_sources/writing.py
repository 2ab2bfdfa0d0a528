"""Tables that are written a block at a time, and go on where they were stopped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sk_autoencoder._utils.files import write_whole

# Rows of a block: a part of a Parquet table, a chunk of one of zarr.
BLOCK_BYTES = 2**26


class NpyWriter:
    """Writes rows to a file of NumPy.

    Parameters
    ----------
    path : pathlib.Path
    shape : tuple of int
    dtype : numpy.dtype
    """

    def __init__(self, path: Path, shape: tuple[int, int], dtype: np.dtype):
        self.path, self.shape, self.dtype = path, shape, dtype
        if not path.exists():
            with path.open("wb") as file:
                header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            self.begin = file.tell()

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write rows from one of the table on."""
        with self.path.open("r+b") as file:
            file.seek(self.begin + start * self.shape[1] * self.dtype.itemsize)
            file.write(np.ascontiguousarray(rows, dtype=self.dtype).data)
            file.flush()
            os.fsync(file.fileno())


class ParquetWriter:
    """Writes rows to a folder of Parquet files, one for each block."""

    def __init__(self, path: Path, names: list[str]):
        self.path, self.names = path, names
        path.mkdir(exist_ok=True)

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write rows from one of the table on."""
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.table([*rows.T.copy()], names=self.names)
        target = self.path / f"part-{start:015d}.parquet"
        write_whole(target, lambda file: pyarrow.parquet.write_table(table, file))


class ZarrWriter:
    """Writes rows to an array of zarr, a chunk for each block."""

    def __init__(self, path: Path, shape: tuple[int, int], dtype: np.dtype, size: int):
        import zarr

        if path.exists():
            self.array: Any = zarr.open_array(path, mode="r+")
            return
        chunks = (min(size, shape[0]), shape[1])
        self.array = zarr.create_array(path, shape=shape, dtype=dtype, chunks=chunks)

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write rows from one of the table on."""
        self.array[start : start + len(rows)] = rows


class Output:
    """A table to write: under another name until it is complete, with a note of how far it is.

    Parameters
    ----------
    path : pathlib.Path
        A `.npy` file, a `.zarr` array, or a `.parquet` folder.
    origin : str
        What tells the rows from others: only a table of the same origin is gone on with.
    """

    def __init__(self, path: Path, origin: str):
        if path.suffix not in (".npy", ".zarr", ".parquet"):
            raise ValueError(
                f"path={str(path)!r} does not tell what to write. End it in .npy, .parquet or "
                ".zarr."
            )
        if path.exists():
            raise FileExistsError(f"{str(path)!r} is there. Remove it first, or name another one.")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"The folder {str(path.parent)!r} is not there. Make it first.")
        self.path, self.origin = path, origin
        self.unfinished = path.with_name(f".{path.name}.part")
        self.note = path.with_name(f".{path.name}.part.json")
        self.n_done = self._n_done()
        if not self.n_done:
            self._clear()

    def write(self, blocks: Iterator[np.ndarray], n_rows: int, names: list[str]) -> None:
        """Write blocks from row `n_done` on, and give the table its name at the end."""
        writer = None
        for rows in blocks:
            writer = writer or self._writer((n_rows, len(names)), rows, names)
            writer.write(self.n_done, rows)
            self.n_done += len(rows)
            self._tell()
        os.replace(self.unfinished, self.path)
        self.note.unlink(missing_ok=True)

    def _tell(self) -> None:
        """Note how many rows are written."""
        told = json.dumps({"origin": self.origin, "n_done": self.n_done}).encode()
        write_whole(self.note, lambda file: file.write(told))

    def _writer(self, shape: tuple[int, int], rows: np.ndarray, names: list[str]) -> Any:
        if self.path.suffix == ".npy":
            return NpyWriter(self.unfinished, shape, rows.dtype)
        if self.path.suffix == ".zarr":
            return ZarrWriter(self.unfinished, shape, rows.dtype, block_rows(shape[1], rows.dtype))
        return ParquetWriter(self.unfinished, names)

    def _n_done(self) -> int:
        """Return how many rows of the same table are written."""
        try:
            note = json.loads(self.note.read_bytes())
            known = note["origin"] == self.origin and self.unfinished.exists()
            return int(note["n_done"]) if known else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _clear(self) -> None:
        """Remove what is left of another table."""
        self.note.unlink(missing_ok=True)
        if self.unfinished.is_dir():
            shutil.rmtree(self.unfinished)
        self.unfinished.unlink(missing_ok=True)


def block_rows(n_features: int, dtype: np.dtype) -> int:
    """Return how many rows to write at once."""
    return max(1, BLOCK_BYTES // (n_features * dtype.itemsize))
