"""Tables in Parquet files, or in any other that pyarrow's data sets read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sk_autoencoder._sources.source import Piecewise
from sk_autoencoder._utils.packages import installed_by

# Rows that are decoded at once, and so are twice in memory for a moment.
BATCH_CELLS = 2**21


class ParquetFiles(Piecewise):
    """The columns of one or more Parquet files, all of them numbers.

    Parameters
    ----------
    dataset : pyarrow.dataset.FileSystemDataset
    """

    def __init__(self, dataset: Any):
        super().__init__()
        import pyarrow

        self.fragments = list(dataset.get_fragments())
        if not self.fragments:
            raise ValueError(f"{self._where(dataset)} holds no Parquet file.")
        schema = self.fragments[0].physical_schema
        for field in schema:
            self._check_numeric(field, pyarrow.types)
        self.names, self.types = list(schema.names), list(schema.types)
        self.feature_names, self.n_features = self.names, len(self.names)
        self.parts: list[tuple[Any, int]] = []
        self.boundaries = [0]
        for fragment in self.fragments:
            self._check_columns(fragment)
            for group in range(fragment.metadata.num_row_groups):
                if n_rows := fragment.metadata.row_group(group).num_rows:
                    self.parts.append((fragment, group))
                    self.boundaries.append(self.boundaries[-1] + n_rows)
        self.n_rows = self.boundaries[-1]

    def pieces(self, start: int) -> Iterator[np.ndarray]:
        """Yield the rows from a boundary on."""
        import pyarrow.parquet

        first = self.boundaries.index(start)
        size = max(1, BATCH_CELLS // self.n_features)
        for fragment, group in self.parts[first:]:
            with fragment.filesystem.open_input_file(fragment.path) as opened:
                file = pyarrow.parquet.ParquetFile(opened, pre_buffer=False)
                for batch in file.iter_batches(size, row_groups=[group], columns=self.names):
                    yield _as_matrix(batch)

    def _check_columns(self, fragment: Any) -> None:
        """Refuse a file that has other columns than the first one."""
        schema, first = fragment.physical_schema, self.fragments[0]
        if list(schema.names) != self.names or list(schema.types) != self.types:
            raise ValueError(
                f"{fragment.path!r} has the columns {_described(schema)}, but {first.path!r} has "
                f"{_described(first.physical_schema)}. All files of a table need the same ones."
            )

    @staticmethod
    def _where(dataset: Any) -> str:
        return repr(", ".join(map(str, getattr(dataset, "files", ()))) or "The data set")

    @staticmethod
    def _check_numeric(field: Any, types: Any) -> None:
        """Refuse a column that holds anything but numbers."""
        kind = field.type
        if not (types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind)):
            raise ValueError(
                f"The column {field.name!r} holds {kind}, but X is read as numbers. Write the "
                "table without it, or encoded as numbers."
            )


def open_parquet(path: Path) -> ParquetFiles:
    """Return the table of a Parquet file, or of all those in a folder."""
    remedy = f"{str(path)!r} is read by pyarrow. Install it: pip install sk-autoencoder[parquet]"
    with installed_by(remedy):
        import pyarrow.dataset
    try:
        return ParquetFiles(pyarrow.dataset.dataset(str(path), format="parquet"))
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ValueError(f"{str(path)!r} cannot be read as Parquet: {error}") from error


def _as_matrix(batch: Any) -> np.ndarray:
    """Return a record batch row by row, missing cells as NaN."""
    kinds = {column.type for column in batch.columns}
    if len(kinds) == 1 and str(kinds.copy().pop()) in ("float", "double"):
        return batch.to_tensor(null_to_nan=True).to_numpy()
    columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
    return np.stack([column.astype(np.float64) for column in columns], axis=1)


def _described(schema: Any) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in list(schema)[:8])
