"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

# What holds back a stop, as of the signals of the command line, between two statements.
Guard = Callable[[], AbstractContextManager]


def write_whole(
    path: Path, write_to: Callable[[BinaryIO], object], guard: Guard = nullcontext
) -> None:
    """Write a file whole or not at all: what stood there stays until the new one is complete."""
    with temporary_beside(path, guard) as (file, temporary):
        write_to(file)
        file.flush()
        os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
        _sync_folder(path.parent)


@contextmanager
def temporary_beside(path: Path, guard: Guard = nullcontext) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file beside the one to write, and remove it in the end where it is left."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with ExitStack() as stack:
        with guard():  # between the making of the file and the care for its removal
            file = stack.enter_context(temporary.open("xb"))
            stack.callback(temporary.unlink, missing_ok=True)
        yield file, temporary


def clear_leftovers(path: Path) -> None:
    """Remove what processes that were killed have left beside a file that they were to write."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.[0-9a-f]{{8}}")
    for other in path.parent.iterdir():
        found = pattern.fullmatch(other.name)
        if found and not _is_running(int(found[1])):
            with suppress(OSError):
                other.unlink()


def _is_running(process: int) -> bool:
    """Whether there is a process of a number, as far as that can be told."""
    if os.name != "posix":
        return True  # a signal would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        pass
    return True


def _sync_folder(folder: Path) -> None:
    """Let the name of a file last as its content does, where folders can be asked to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
