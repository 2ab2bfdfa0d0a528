"""Tables of any number of rows, written to files a block at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

N_FACTORS = 6
BLOCK_CELLS = 2**24
GROUP_ROWS = 250_000


def blocks(n_rows: int, n_features: int):
    """Yield float32 rows of a noisy surface that is curved, the same ones each time."""
    rng = np.random.default_rng(0)
    bend = rng.normal(size=(N_FACTORS, n_features)).astype(np.float32)
    mix = rng.normal(size=(N_FACTORS, n_features)).astype(np.float32)
    size = max(1, BLOCK_CELLS // n_features)
    for i, start in enumerate(range(0, n_rows, size)):
        draws = np.random.default_rng(i)
        n = min(size, n_rows - start)
        z = draws.standard_normal((n, N_FACTORS), dtype=np.float32)
        noise = draws.standard_normal((n, n_features), dtype=np.float32)
        yield np.tanh(z @ bend) + z @ mix / 4 + 0.05 * noise


def write_npy(path: Path, n_rows: int, n_features: int) -> Path:
    """Write a `.npy` file, unless it is there."""
    if path.exists():
        return path
    out = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, n_features))
    start = 0
    for rows in blocks(n_rows, n_features):
        out[start : start + len(rows)] = rows
        start += len(rows)
    out.flush()
    return path


def write_parquet(folder: Path, n_rows: int, n_features: int) -> Path:
    """Write a folder of Parquet files, one for each block, unless it is there."""
    if folder.exists():
        return folder
    folder.mkdir(parents=True)
    names = [f"f{j:04d}" for j in range(n_features)]
    for i, rows in enumerate(blocks(n_rows, n_features)):
        table = pa.table([*np.ascontiguousarray(rows.T)], names=names)
        pyarrow.parquet.write_table(
            table, folder / f"{i:05d}.parquet", row_group_size=GROUP_ROWS, compression="none"
        )
    return folder
