"""Files that the command line writes: looked at before the work, replaced whole after it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from sk_autoencoder._cli.stopping import stop_later

PICTURES = (".png", ".pdf", ".svg", ".jpg")
TABLES = (".csv", ".json")
MODELS = (".joblib",)


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
        with _temporary(path):
            pass
    except OSError as error:
        raise OSError(f"{option} {name} cannot be written: {error.strerror}") from error
    return path


def write(path: Path, write_to: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all: what stood there stays until the new one is complete."""
    with _temporary(path) as (file, temporary):
        write_to(file)
        file.flush()
        os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file beside the one to write, and remove it in the end where it is left."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with ExitStack() as stack:
        with stop_later():  # between the making of the file and the care for its removal
            file = stack.enter_context(temporary.open("xb"))
            stack.callback(temporary.unlink, missing_ok=True)
        yield file, temporary
