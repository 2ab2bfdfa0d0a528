"""Files that the command line writes: looked at before the work, replaced whole after it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sk_autoencoder._cli.reading import check_installed
from sk_autoencoder._cli.stopping import stop_later
from sk_autoencoder._utils.files import temporary_beside, write_whole

if TYPE_CHECKING:
    import pandas as pd

PICTURES = (".png", ".pdf", ".svg", ".jpg")
TABLES = (".csv", ".json")
PAGES = (".html",)
RESULTS = (".csv", ".json", ".parquet", ".feather", ".npy")
FITTED = (".safetensors", ".skops")
MODELS = (*FITTED, ".joblib")


def find_output(name: str | None, suffixes: tuple[str, ...], option: str) -> Path | None:
    """Return the path of a file to write, where its folder lets it be written."""
    if name is None:
        return None
    path = Path(name).resolve()  # so that a link is followed and not replaced
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{option} {name} does not end in {', '.join(suffixes)}")
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        raise OSError(f"{option} {name} cannot be written: it is not a file open to writing")
    try:
        with temporary_beside(path, stop_later):
            pass
    except OSError as error:
        raise OSError(f"{option} {name} cannot be written: {error.strerror}") from error
    return path


def find_model(
    name: str | None, suffixes: tuple[str, ...], *, standardized: bool, what: str
) -> Path | None:
    """Return the path that --save names, where a model, behind a scaler or not, fits into it."""
    path = find_output(name, suffixes, "--save")
    suffix = None if path is None else path.suffix.lower()
    if suffix == ".safetensors" and standardized:
        others = " or ".join(other for other in suffixes if other != suffix)
        raise ValueError(
            f"--save {name} holds {what} alone, and not the scaler of --standardize; choose a file "
            f"that ends in {others}"
        )
    if suffix == ".skops":
        check_installed("skops", f"--save {name}")
    return path


def check_not_data(path: Path | None, source: str | Path, option: str) -> None:
    """Refuse to write over the data."""
    if isinstance(source, Path) and path == source.resolve():
        raise ValueError(f"{option} is the data itself; choose another file")


def write(path: Path, write_to: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all, whatever signal asks for the end."""
    write_whole(path, write_to, stop_later)


def write_table(table: pd.DataFrame, path: Path, file: BinaryIO) -> None:
    """Write a table, as the ending of its file asks for."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        file.write(table.to_csv(index=False).encode())
    elif suffix == ".json":
        file.write(f"{_json_of(table)}\n".encode())
    elif suffix == ".parquet":
        table.to_parquet(file, index=False)
    elif suffix == ".feather":
        table.to_feather(file)
    else:
        import numpy as np

        np.save(file, table.to_numpy(), allow_pickle=False)


def _json_of(table: pd.DataFrame) -> str:
    """Return a list of rows, with all digits: of small cells the 15 decimals of pandas are few."""
    # JSON has no infinite numbers either.
    known = table.notna() & ~table.isin([math.inf, -math.inf])
    cells = table.astype(object).where(known, None)
    return json.dumps(cells.to_dict(orient="records"), indent=2, default=_text_of)


def _text_of(cell: object) -> str:
    return cell.isoformat() if isinstance(cell, date) else str(cell)
