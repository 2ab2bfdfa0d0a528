"""Signals that stop the command line end it as an error does, so that nothing is left over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(BaseException):
    """A signal asked for the end, and no handler of exceptions is to hold it up."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


class _State:
    """Whether a signal has to wait, and which one does."""

    held = False
    waiting: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `Stopped` on a signal that would else end the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread alone
        return
    # One that is ignored, as nohup asks for, stays so.
    caught = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_later() -> Iterator[None]:
    """Let a signal wait until the end of a few statements."""
    _State.held = True
    try:
        yield
    finally:
        _State.held = False
        if (number := _State.waiting) is not None:
            _State.waiting = None
            raise Stopped(number)


def _stop(number: int, frame: FrameType | None) -> None:
    """Stop now, or where that has to wait, then."""
    if _State.held:
        _State.waiting = number
        return
    for other in SIGNALS:  # which would hold up what the first one has to clear away
        if signal.getsignal(other) is _stop:
            signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)
