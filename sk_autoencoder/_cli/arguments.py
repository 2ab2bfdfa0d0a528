"""The arguments of the command line: the commands, and what each is given."""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Callable, Sequence

from sk_autoencoder import __version__
from sk_autoencoder._cli.reading import EMBEDDED, SUFFIXES
from sk_autoencoder._cli.values import positive, seed, separator, setting, test_size, width
from sk_autoencoder._cli.writing import FITTED, MODELS, PAGES, PICTURES, RESULTS, TABLES

WRONG_USE = 2
ESTIMATORS = ("transformer", "variational", "detector")
ON_FILES = (
    "A first column of texts that all differ names the rows, and is no feature. Cells may be "
    "missing. True and False are 1 and 0; dates and categories are not numeric. Files are written "
    "before anything is printed. Exit code: 0; 1 where nothing could be printed; 2 after an error."
)


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
    for name, (what, usage, add_arguments) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=what,
            # argparse would put DATA last, where --n-components takes it for one more size.
            usage=f"{program} {name} {usage}",
            description=f"{what[0].upper()}{what[1:]}.",
            epilog=ON_FILES,
        )
        add_arguments(command.add_argument)
    return parser


def _add_compare(add: Callable) -> None:
    _add_data(add, default="digits")
    _add_columns(add)
    add("--output", metavar="FILE", help=f"picture to write ({', '.join(PICTURES)})")
    add("--table", metavar="FILE", help=f"table to write ({', '.join(TABLES)})")
    add(
        "--report",
        metavar="FILE",
        help=f"page to write ({', '.join(PAGES)}): the verdict, curves, features, codes, odd rows",
    )
    add(
        "--save",
        metavar="FILE",
        help=f"autoencoder with the most components to write ({', '.join(MODELS)})",
    )
    add(
        "--n-components",
        nargs="+",
        type=positive,
        metavar="K",
        help="sizes of the code (default: those of 2 8 16 that are smaller than the number of "
        "columns)",
    )
    add(
        "--test-size",
        type=test_size,
        default=0.25,
        metavar="SIZE",
        help="share of the rows to hold out, or their number (default: 0.25)",
    )
    _add_training(add)


def _add_fit(add: Callable) -> None:
    _add_data(add)
    _add_columns(add)
    add(
        "--save",
        required=True,
        metavar="FILE",
        help=f"model to write ({', '.join(FITTED)}; with --standardize .skops)",
    )
    add(
        "--estimator",
        choices=ESTIMATORS,
        default=ESTIMATORS[0],
        help="what to fit: AutoencoderTransformer, VariationalAutoencoderTransformer or "
        "AutoencoderOutlierDetector (default: transformer)",
    )
    add(
        "--n-components",
        type=width,
        metavar="K",
        help="size of the code, the share of the variance that it has to explain, or auto, with "
        "--set nested=true (default: that of the estimator)",
    )
    add(
        "--set",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another parameter of the estimator, such as whiten=true; may be given often",
    )
    _add_training(add)


def _add_apply(add: Callable) -> None:
    _add_data(add)
    _add_model(add)


def _add_sample(add: Callable) -> None:
    _add_model(add)
    add(
        "--n-samples",
        type=positive,
        default=1,
        metavar="N",
        help="number of rows (default: 1)",
    )
    _add_seed(add, "of the rows")


def _add_data(add: Callable, default: str | None = None) -> None:
    """Add the data, and how a file of them is read."""
    add(
        "data",
        nargs="?" if default else None,
        default=default,
        metavar="DATA",
        help=f"{', '.join(EMBEDDED)}, or a file of numbers ({', '.join(SUFFIXES)}; the first sheet "
        f"of .xlsx){f' (default: {default})' if default else ''}",
    )
    add(
        "--sep",
        type=separator,
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


def _add_columns(add: Callable) -> None:
    """Add which columns are taken, where no model tells."""
    add(
        "--drop-non-numeric",
        action="store_true",
        help="leave out columns that are not numeric",
    )


def _add_model(add: Callable) -> None:
    """Add a model to read, and a table to write."""
    add(
        "--model",
        required=True,
        metavar="FILE",
        help=f"model that fit has saved ({', '.join(FITTED)})",
    )
    add(
        "--output",
        "--table",
        required=True,
        metavar="FILE",
        help=f"table to write ({', '.join(RESULTS)})",
    )


def _add_training(add: Callable) -> None:
    """Add how to train."""
    _add_seed(add, "of all that is random")
    add("--standardize", action="store_true", help="scale the columns to unit variance first")
    add("--max-epochs", type=positive, metavar="N", help="the most epochs of a fit")


def _add_seed(add: Callable, of: str) -> None:
    add(
        "--random-state",
        type=seed,
        default=0,
        metavar="SEED",
        help=f"seed {of} (default: 0)",
    )


_ON_ROWS = "DATA --model FILE --output FILE [options]"

# Of each command what it does, its usage, and what adds its arguments.
COMMANDS: dict[str, tuple[str, str, Callable[[Callable], None]]] = {
    "compare": (
        "compare an autoencoder with PCA on held-out rows, at several sizes of the code",
        "[DATA] [options]",
        _add_compare,
    ),
    "fit": ("fit a model to all rows, and save it", "DATA --save FILE [options]", _add_fit),
    "transform": ("write the codes of rows", _ON_ROWS, _add_apply),
    "reconstruct": ("write what comes back of rows", _ON_ROWS, _add_apply),
    "score": ("write how well a model explains each row", _ON_ROWS, _add_apply),
    "sample": (
        "write new rows, as the training rows were",
        "--model FILE --output FILE [options]",
        _add_sample,
    ),
    "outliers": ("tell the outliers among rows, by a detector", _ON_ROWS, _add_apply),
}
