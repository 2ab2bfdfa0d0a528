"""Tables in text files, whose encoding, separator, decimal sign and header are found out."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sk_autoencoder._cli.cells import is_missing, is_number, number
from sk_autoencoder._cli.options import Options

WHITE_SPACE = r"\s+"
# Where two of them fit alike, the one that stands less often in the midst of a text.
SEPARATORS = ("\t", ";", "|", ",", WHITE_SPACE)
DECIMALS = (".", ",")

SAMPLE_BYTES = 2**22
SAMPLE_CHARACTERS = 2**18
SAMPLE_LINES = 200
SAMPLE_FIELDS = 1000
MAX_COLUMNS = 100_000
# Of `pandas.read_csv`, and of what makes no difference where a table can be read without.
DEFAULTS = {
    "sep": ",",
    "decimal": ".",
    "encoding": "utf-8",
    "header": 0,
    "index_col": False,
    "skiprows": 0,
    "comment": None,
}


class Line(NamedTuple):
    """The fields of a line, and its number in the file, from 1 on."""

    number: int
    fields: list[str]


@dataclass(frozen=True)
class Format:
    """How a table is written in a text file."""

    encoding: str
    sep: str
    decimal: str
    n_skipped: int  # lines before the table
    commented: bool  # whether lines that begin with # are no rows
    has_header: bool
    has_index: bool  # whether the first column has no name, as pandas writes its index

    def notes(self, options: Options) -> list[str]:
        """Return what was found out and could have been otherwise, as options that say it."""
        sep = {"\t": "tab", WHITE_SPACE: "space"}.get(self.sep, self.sep)
        found = []
        if options.sep is None and self.sep not in (",", "\t"):
            found.append(f"--sep '{sep}'")
        if options.decimal is None and self.decimal != ".":
            found.append(f"--decimal '{self.decimal}'")
        if options.header is None and not self.has_header:
            found.append("--no-header")
        return [f"read with {' '.join(found)}"] if found else []

    def given(self) -> dict[str, Any]:
        """Return what pandas is told of the file to read it."""
        return {
            "sep": self.sep,
            "decimal": self.decimal,
            "encoding": self.encoding,
            "header": 0 if self.has_header else None,
            "index_col": False,  # else surplus fields would become an index
            "skiprows": self.n_skipped,
            "comment": "#" if self.commented else None,
            "na_values": ["?"],
            "skipinitialspace": True,
        }

    def code(self, path: Path) -> str:
        """Return the Python that reads the file, without what pandas takes by default."""
        given = {n: v for n, v in self.given().items() if n not in DEFAULTS or v != DEFAULTS[n]}
        if self.has_index:
            given |= {"index_col": 0}
        told = "".join(f", {name}={value!r}" for name, value in given.items())
        return f"pd.read_csv({str(path)!r}{told})"


def read_delimited(path: Path, options: Options) -> tuple[pd.DataFrame, Format]:
    """Return the table in a text file, and how it is written."""
    encoding, lines = _sample(path)
    found = _find_format(encoding, lines, options)
    try:
        return _parse(path, found), found
    except UnicodeDecodeError:  # beyond the sample; each byte is a character of Latin-1
        found = _find_format("latin-1", lines, options)
        return _parse(path, found), found


def _sample(path: Path) -> tuple[str, list[str]]:
    """Return a text file's encoding, and its first lines."""
    with _open(path) as file:
        sample = file.read(SAMPLE_BYTES)
        complete = not file.read(1)
    encoding = _encoding(sample)
    text = codecs.getincrementaldecoder(encoding)().decode(sample)
    if "\0" in text:
        raise ValueError("it is no text")
    lines = io.StringIO(text, newline=None).readlines()
    if not complete:
        lines.pop()
        if not lines:
            raise ValueError(
                f"its first line is longer than {SAMPLE_BYTES >> 20} MiB, too long for a table in "
                "a text file. Save it as .npy"
            )
    return encoding, lines


def _open(path: Path) -> io.BufferedIOBase:
    """Open a file, and unpack it where its name says that it is packed."""
    return gzip.GzipFile(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _encoding(sample: bytes) -> str:
    """Return the encoding of a text by its first bytes, or Latin-1, which takes each of them."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),  # which begins as that of UTF-16 does
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if sample.startswith(mark):
            return encoding
    for encoding, half in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if half.count(0) > 0.4 * len(sample):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _find_format(encoding: str, lines: list[str], options: Options) -> Format:
    """Find out how a table is written, as far as the options do not say it."""
    declared = re.fullmatch(r'"?sep=(.)"?', lines[0].strip("\n")) if lines else None
    start = 1 if declared else 0  # Excel writes, and reads, such a first line
    sep = options.sep or (declared[1] if declared else None)
    body = start + _n_comments(lines[start:])
    text = _beginning(lines[body:])
    _check_number_of_columns(text, sep)
    commented = body > start or any(line.startswith("#") for line in text)
    sep, decimal = _find_signs(text, body, sep, options.decimal)
    rows = _split(text, body, sep)
    if not rows:
        raise ValueError(
            "it does not fall into fields; a quotation mark may not be closed"
            if any(line.strip() for line in text)
            else "it has no rows"
        )
    if body > start and sep != WHITE_SPACE:
        title = _split(lines[body - 1 : body], body - 1, sep)
        if title and _is_commented_header(title[0], rows, decimal):
            rows, body, commented = title + rows, body - 1, False
    header = options.header
    if header is None:
        header = has_header([row.fields for row in rows], decimal)
    first = rows[0].fields
    _check_widths(rows, header)
    has_index = header and len(first) > 1 and not first[0].strip()
    return Format(encoding, sep, decimal, body, commented, header, has_index)


def _n_comments(lines: Sequence[str]) -> int:
    """Return how many lines there are up to the last of those that begin with #."""
    n_comments = 0
    for i, line in enumerate(lines):
        if line.startswith("#"):
            n_comments = i + 1
        elif line.strip():
            break
    return n_comments


def _beginning(lines: Sequence[str]) -> list[str]:
    """Return the first lines, not many more than tell how a table is written."""
    n_characters = 0
    beginning: list[str] = []
    for line in lines[:SAMPLE_LINES]:
        if n_characters > SAMPLE_CHARACTERS and len(beginning) > 1:
            break
        beginning.append(line)
        n_characters += len(line)
    return beginning


def _split(lines: Sequence[str], n_before: int, sep: str) -> list[Line]:
    """Split lines into fields, and leave out blank ones; `n_before` lines stand before them.

    So are comments, but for the first line, which may be a header that begins with #.
    """
    lines = [line if i == 0 or line[0] != "#" else "\n" for i, line in enumerate(lines)]
    if sep == WHITE_SPACE:
        words = (re.findall(r'"[^"]*"|\S+', line) for line in lines)
        return [Line(n_before + i, fields) for i, fields in enumerate(words, 1) if fields]
    reader = csv.reader(lines, delimiter=sep, skipinitialspace=True)
    try:
        rows = [Line(n_before + reader.line_num, fields) for fields in reader]
    except csv.Error:  # a field that has no end, which pandas tells of
        return []
    return [row for row in rows if any(field.strip() for field in row.fields)]


def _find_signs(
    lines: Sequence[str], n_before: int, sep: str | None, decimal: str | None
) -> tuple[str, str]:
    """Return the separator and the decimal sign with which most cells are numbers.

    That goes by the share of numbers among the known cells, times the share of lines of the
    same width; then by the numbers in a row, the fields in a row, and the length of the numbers.
    """
    scores = {}
    for a_sep in [sep] if sep else SEPARATORS:
        rows = [row.fields for row in _split(lines, n_before, a_sep)]
        for a_decimal in [decimal] if decimal else DECIMALS:
            # A comma that is said to be the decimal sign separates nothing, except from quotes.
            if rows and (sep or not a_sep == a_decimal == decimal or '"' in "".join(lines)):
                scores[a_sep, a_decimal] = _score(rows, a_decimal)
    if not scores:
        return sep or ",", decimal or "."
    best_sep, best_decimal = max(scores, key=scores.__getitem__)
    if decimal is None and scores[best_sep, "."] == scores[best_sep, ","]:
        best_decimal = _settle_decimal(_split(lines, n_before, best_sep), best_sep)
    return best_sep, best_decimal


def _score(rows: Sequence[list[str]], decimal: str) -> tuple[float, ...]:
    """Return how well lines fall into columns of numbers, the first of them a header or not."""
    widths = Counter(map(len, rows))
    width, n_alike = widths.most_common(1)[0]
    body = rows[1:] or rows
    cells = [cell for row in body for cell in row[:SAMPLE_FIELDS] if not is_missing(cell)]
    numbers = [cell for cell in cells if is_number(cell, decimal)]
    alike = n_alike / len(rows)
    share = len(numbers) / len(cells) if cells else 0.0
    n_digits = sum(map(len, numbers))
    return round(share * alike, 9), len(numbers) / len(body), width * alike, n_digits


def _settle_decimal(rows: Sequence[Line], sep: str) -> str:
    """Return the decimal sign where all numbers can be read with either, such as 1,234."""
    ambiguous = next(
        (cell for row in rows for cell in row.fields if "," in cell and is_number(cell)), None
    )
    if ambiguous is None or sep == ",":
        return "."
    if sep == ";":  # which is there since the comma is the decimal sign
        return ","
    raise ValueError(
        f"its cell {ambiguous} can be {number(ambiguous):g} and {number(ambiguous, ','):g}. Say "
        "which sign is the decimal one with --decimal"
    )


def _is_commented_header(title: Line, rows: Sequence[Line], decimal: str) -> bool:
    """Whether a line that begins with # has the names of the columns and is no comment."""
    return len(title.fields) == len(rows[0].fields) > 1 and (
        title.fields[0].strip() == "#" or not has_header([row.fields for row in rows], decimal)
    )


def has_header(rows: Sequence[list[str]], decimal: str) -> bool:
    """Whether the first line has names. It has none where it looks like the lines below.

    A line of numbers is a row, unless the numbers are counted as pandas counts columns without
    names, or go up in even steps as years and wavelengths do, and those below do not. A line of
    texts and numbers is a row if the same columns have texts below, and one of its texts is there
    again or one of its numbers is negative.
    """
    first, body = rows[0], rows[1:]
    texts = [
        i for i, cell in enumerate(first) if not (is_missing(cell) or is_number(cell, decimal))
    ]
    if not any(is_number(cell, decimal) for cell in first):
        return True
    if not texts:
        names = first if first[0].strip() else first[1:]
        below = body[0][-len(names) :] if body else []
        return _is_counted(names) or (
            bool(below) and _is_even(names, decimal) and not _is_even(below, decimal)
        )
    columns = list(zip(*(row for row in body if len(row) == len(first)), strict=True))
    if not columns:
        return True
    same_kinds = all(
        (i in texts) != any(is_number(cell, decimal) for cell in column)
        or (i not in texts and all(map(is_missing, column)))
        for i, column in enumerate(columns)
    )
    # No name is a negative number.
    is_row = any(cell.startswith("-") and is_number(cell, decimal) for cell in first) or any(
        first[i] in columns[i] for i in texts
    )
    return not (same_kinds and is_row)


def _is_counted(names: Sequence[str]) -> bool:
    """Whether names are 0, 1, 2, ..."""
    return [name.strip() for name in names] == [str(i) for i in range(len(names))]


def _is_even(names: Sequence[str], decimal: str) -> bool:
    """Whether at least three names are numbers that go up in even steps."""
    values = [number(name, decimal) or 0.0 for name in names if is_number(name, decimal)]
    if len(values) < 3 or len(values) < len(names):
        return False
    steps = [b - a for a, b in pairwise(values)]
    return min(steps) > 0 and max(steps) - min(steps) <= 1e-6 * max(steps)


def _check_number_of_columns(lines: Sequence[str], sep: str | None) -> None:
    """Refuse lines with more fields than can be read in a short time."""
    signs = [sep if sep and sep != WHITE_SPACE else " "] if sep else ["\t", ";", "|", ",", " "]
    width = 1 + max((line.count(sign) for line in lines[:2] for sign in signs), default=0)
    if width > MAX_COLUMNS:
        raise ValueError(
            f"it has {width} columns; at most {MAX_COLUMNS} are read from a text file. Save it "
            "as .npy"
        )


def _check_widths(rows: Sequence[Line], has_header: bool) -> None:
    """Refuse lines that have more fields than the first."""
    width = len(rows[0].fields)
    for row in rows:
        if any(field.strip() for field in row.fields[width:]):
            raise ValueError(_surplus(row.number, len(row.fields), width, has_header))


def _surplus(line: int, n_fields: int, width: int, has_header: bool) -> str:
    """Return the error about a line with too many fields."""
    remedy = "Correct the line"
    if has_header:
        remedy += ", or, where rows begin with their names, give these a name in the header"
    return (
        f"line {line} has {n_fields} fields, but the {'header' if has_header else 'first line'} "
        f"has {width}. {remedy}; or say with --sep what separates the fields"
    )


def _parse(path: Path, found: Format) -> pd.DataFrame:
    """Read the whole of a text file, and tell of its faults in the user's words."""
    with warnings.catch_warnings():
        # Fields without a column would be lost.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(path, **found.given(), low_memory=False)
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            raise ValueError(_fault(str(error), found.has_header)) from error
    if not found.has_index:
        return table
    return table.iloc[:, 1:].set_axis(pd.Index(table.iloc[:, 0].to_numpy()), axis=0)


def _fault(message: str, has_header: bool) -> str:
    """Return what pandas says of a fault in words that name the line."""
    if match := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message):
        width, line, n_fields = map(int, match.groups())
        return _surplus(line, n_fields, width, has_header)
    if match := re.search(r"EOF inside string starting at row (\d+)", message):
        return f"a quotation mark that opens in row {match[1]} is not closed. Close or remove it"
    return message
