"""Signals that stop the command line."""

import os
import signal
import threading
from contextlib import suppress

import pytest

from sk_autoencoder._cli.stopping import SIGNALS, Stopped, stop_later, stop_on_signals


@pytest.fixture(autouse=True)
def _handlers():
    """Handlers as a process has them that was started without any, put back afterwards."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_raises_what_no_handler_of_exceptions_holds_up(number):
    def work():
        with suppress(Exception), stop_on_signals():
            os.kill(os.getpid(), number)

    with pytest.raises(Stopped, match=f"stopped by {number.name}") as caught:
        work()
    assert caught.value.exit_code == 128 + number
    assert all(signal.getsignal(number) is signal.SIG_DFL for number in SIGNALS)


def test_a_second_signal_does_not_hold_up_what_clears_away():
    cleared = []

    def work():
        with stop_on_signals():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                cleared.append(True)

    with pytest.raises(Stopped):
        work()
    assert cleared


def test_a_signal_waits():
    reached = []

    def work():
        with stop_on_signals():
            with stop_later():
                os.kill(os.getpid(), signal.SIGTERM)
                reached.append("inside")
            reached.append("after")

    with pytest.raises(Stopped):
        work()
    assert reached == ["inside"]
    with stop_on_signals(), stop_later():
        pass


def test_an_ignored_signal_and_an_own_handler_stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with stop_on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_other_threads_are_let_alone():
    failures = []

    def run():
        try:
            with stop_on_signals():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failures
