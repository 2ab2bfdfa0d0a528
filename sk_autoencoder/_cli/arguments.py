"""The arguments of the command line: what each may be, and what is said of the others."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Callable, Sequence

from sk_autoencoder import __version__
from sk_autoencoder._cli.reading import EMBEDDED, SUFFIXES
from sk_autoencoder._cli.writing import MODELS, PICTURES, TABLES

COMMANDS = ("compare",)
WRONG_USE = 2


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line, without the usage before them."""

    def error(self, message: str):
        self.exit(WRONG_USE, f"{self.prog}: error: {' '.join(message.split())}\n")


def parse(argv: list[str], program: str) -> argparse.Namespace:
    """Parse the arguments, after a look at whether a command comes first."""
    parser = _parser(program)
    first = argv[0] if argv else None
    if first is None or not (
        first in COMMANDS or _is_start_of(first, ("--help", "--version", "-h"))
    ):
        parser.error(_missing_command(argv, program))
    return parser.parse_args(argv)


def _is_start_of(text: str, options: Sequence[str]) -> bool:
    """Whether a text is one of some options, or begins one as argparse lets it."""
    return text in options or (len(text) > 2 and any(option.startswith(text) for option in options))


def _missing_command(argv: list[str], program: str) -> str:
    """Return the error about arguments that do not begin with a command."""
    choices = ", ".join(COMMANDS)
    if not argv:
        return f"a command is missing: {choices}. Run: {program} compare [DATA] [options]"
    meant = difflib.get_close_matches(argv[0], COMMANDS, n=1)
    rest = [*meant, *argv[1:]] if meant else ["compare", *argv]
    return (
        f"{argv[0]} is no command, and one has to come first: {choices}. "
        f"Did you mean: {program} {shlex.join(rest)}"
    )


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=program, description="An autoencoder that starts at PCA.")
    parser.add_argument("--version", action="version", version=f"sk-autoencoder {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser(
        "compare",
        help="compare an autoencoder with PCA on held-out rows",
        # argparse would put DATA last, where --n-components takes it for one more size.
        usage=f"{program} compare [DATA] [options]",
        description="Compare an autoencoder with PCA on held-out rows, at several sizes of the "
        "code: error, explained variance, fit and transform time.",
        epilog="A first column of texts that all differ names the rows, and is no feature. Cells "
        "may be missing; PCA is then fitted on imputed rows. True and False are 1 and 0; dates "
        "and categories are not numeric. The files are written before the table is printed. Exit "
        "code: 0; 1 where the table could not be printed; 2 after an error.",
    )
    _add_files(compare.add_argument)
    _add_fits(compare.add_argument)
    return parser


def _add_files(add: Callable) -> None:
    """Add what is read and what is written."""
    add(
        "data",
        nargs="?",
        default="digits",
        metavar="DATA",
        help=f"{', '.join(EMBEDDED)}, or a file of numbers ({', '.join(SUFFIXES)}; the first sheet "
        "of .xlsx) (default: digits)",
    )
    add(
        "--sep",
        type=_separator,
        metavar="SIGN",
        help="what separates the fields of a text file: a character, tab or space (default: "
        "found out)",
    )
    add(
        "--decimal",
        choices=(".", ","),
        metavar="SIGN",
        help="decimal sign of a text file (default: found out)",
    )
    add(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line, or row of a sheet, has names (default: found out)",
    )
    add(
        "--drop-non-numeric",
        action="store_true",
        help="leave out columns that are not numeric",
    )
    add("--output", metavar="FILE", help=f"picture to write ({', '.join(PICTURES)})")
    add("--table", metavar="FILE", help=f"table to write ({', '.join(TABLES)})")
    add(
        "--save",
        metavar="FILE",
        help=f"autoencoder with the most components to write ({', '.join(MODELS)})",
    )


def _add_fits(add: Callable) -> None:
    """Add what is fitted, and how."""
    add(
        "--n-components",
        nargs="+",
        type=_positive,
        metavar="K",
        help="sizes of the code (default: those of 2 8 16 that are smaller than the number of "
        "columns)",
    )
    add(
        "--test-size",
        type=_test_size,
        default=0.25,
        metavar="SIZE",
        help="share of the rows to hold out, or their number (default: 0.25)",
    )
    add(
        "--random-state",
        type=_seed,
        default=0,
        metavar="SEED",
        help="seed of the split and of the fits (default: 0)",
    )
    add("--standardize", action="store_true", help="scale the columns to unit variance first")
    add("--max-epochs", type=_positive, metavar="N", help="the most epochs of a fit")


def _positive(text: str) -> int:
    """Read a whole number from 1 on."""
    if text in EMBEDDED or text.lower().endswith(SUFFIXES):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; put DATA before the options")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _seed(text: str) -> int:
    """Read a seed that NumPy takes."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def _separator(text: str) -> str:
    """Read what separates fields: a character, or the name of one that shells make hard to type."""
    sep = {"tab": "\t", "\\t": "\t", "space": r"\s+", " ": r"\s+"}.get(text, text)
    if sep != r"\s+" and (len(sep) != 1 or sep.isalnum() or sep in '"#.+-\r\n'):
        raise argparse.ArgumentTypeError(
            f"{text!r} separates no fields; expected a character such as ; or the word tab or space"
        )
    return sep


def _test_size(text: str) -> float | int:
    """Read a share in (0, 1), or a number of rows."""
    try:
        size = int(text) if text.isdigit() else float(text)
    except ValueError:
        size = -1
    if not (size >= 1 if isinstance(size, int) else 0 < size < 1):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a share between 0 and 1 nor a number of rows"
        )
    return size
