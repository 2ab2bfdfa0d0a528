"""Ctrl-C that waits for the end of an epoch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts(held: bool) -> Iterator[Callable[[], bool]]:
    """Hold back the first Ctrl-C, and give what tells whether there was one.

    A second one does what the first would have done. Unless `held`, and outside of the main thread,
    which alone is told of signals, none is held back.
    """
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not (held and is_main and callable(before)):
        yield lambda: False
        return
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            before(number, frame)
        asked.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
