"""The command line: a command, what it prints, and the exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from sk_autoencoder._cli.applying import outliers, reconstruct, sample, score, transform
from sk_autoencoder._cli.arguments import WRONG_USE, parse
from sk_autoencoder._cli.compare import compare
from sk_autoencoder._cli.fitting import fit
from sk_autoencoder._cli.stopping import Stopped, stop_on_signals

UNPRINTED = 1
INTERRUPTED = 130
SCRIPT = "sk-autoencoder"
RUN = {
    command.__name__: command
    for command in (compare, fit, transform, reconstruct, score, sample, outliers)
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and give its exit code.

    It is 0, 1 where the table could not be printed, 2 after an error, and 128 plus the number of
    the signal after one: 130 after Ctrl-C, 143 after SIGTERM.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    program = called = _program()
    try:
        with stop_on_signals():
            args = _parse(argv, program)
            called = f"{program} {args.command}"
            with _open_streams():
                lines = RUN[args.command](args)
    except KeyboardInterrupt:
        _complain(f"{program}: interrupted")
        return INTERRUPTED
    except Stopped as stop:
        _complain(f"{program}: {stop}")
        return stop.exit_code
    except (ValueError, OSError, ImportError) as error:
        _complain(f"{called}: error: {_one_line(error)}")
        return WRONG_USE
    except MemoryError:
        _complain(f"{called}: error: the memory does not suffice. Pass fewer rows")
        return WRONG_USE
    return _print(lines, called)


def _parse(argv: list[str], program: str) -> argparse.Namespace:
    """Parse the arguments; what --help and --version print is written at once."""
    try:
        return parse(argv, program)
    except SystemExit as done:
        if not done.code:
            done.code = _print([], program)
        raise


def _print(lines: list[str], program: str) -> int:
    """Print lines, and return the exit code; who stops reading early has read enough."""
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        print(*lines, sep="\n", end="\n" if lines else "", flush=True)
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        done = " ".join(line for line in lines if line.startswith("wrote "))
        reason = error.strerror or error
        _complain(f"{program}: error: the output cannot be printed: {reason}. {done}".rstrip())
        return UNPRINTED
    return 0


@contextmanager
def _open_streams() -> Iterator[None]:
    """Let libraries print to nowhere where a standard stream is closed, and None."""
    with ExitStack() as stack:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
            if getattr(sys, name) is None:
                nowhere = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(redirect(nowhere))
        yield


def _forget_stdout() -> None:
    """Send what is left to print nowhere, so that Python does not try it again at its end."""
    with suppress(AttributeError, OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _complain(message: str) -> None:
    """Print a message for the user, where there is a place for it."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()


def _program() -> str:
    """Return how the user has called the command line."""
    called = Path(sys.argv[0]).stem if sys.argv else ""
    return SCRIPT if called == SCRIPT else "python -m sk_autoencoder"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
