"""What arguments of the command line may be: numbers, seeds, signs, values of parameters."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sk_autoencoder._cli.reading import EMBEDDED, SUFFIXES


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    if text in EMBEDDED or text.lower().endswith(SUFFIXES):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; put DATA before the options")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def seed(text: str) -> int:
    """Read a seed that NumPy takes."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def separator(text: str) -> str:
    """Read what separates fields: a character, or the name of one that shells make hard to type."""
    sep = {"tab": "\t", "\\t": "\t", "space": r"\s+", " ": r"\s+"}.get(text, text)
    if sep != r"\s+" and (len(sep) != 1 or sep.isalnum() or sep in '"#.+-\r\n'):
        raise argparse.ArgumentTypeError(
            f"{text!r} separates no fields; expected a character such as ; or the word tab or space"
        )
    return sep


def test_size(text: str) -> float | int:
    """Read a share in (0, 1), or a number of rows."""
    return _size(text, "neither a share between 0 and 1 nor a number of rows")


def width(text: str) -> float | int | str:
    """Read a number of components, a share of the variance, or "auto"."""
    if text == "auto":
        return text
    return _size(text, "neither a whole number from 1 on, a share between 0 and 1, nor 'auto'")


def _size(text: str, else_told: str) -> float | int:
    """Read a number from 1 on, or a share in (0, 1); tell what a text is where it is none."""
    try:
        size = int(text) if text.isdigit() else float(text)
    except ValueError:
        size = -1
    if not (size >= 1 if isinstance(size, int) else 0 < size < 1):
        raise argparse.ArgumentTypeError(f"{text!r} is {else_told}")
    return size


def setting(text: str) -> tuple[str, Any]:
    """Read a parameter and its value, as JSON has it or, where it is none, a text."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(
            f"{text!r} sets no parameter; expected NAME=VALUE, such as whiten=true"
        )
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
