"""From what the command line names as data to a table of numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sk_autoencoder._cli.options import ALL_FOUND_OUT, Options

if TYPE_CHECKING:
    from sk_autoencoder._cli.columns import Columns

EMBEDDED = ("digits", "fashion-mnist")
TEXTS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
READERS = {
    ".npy": "import numpy as np\n\nX = np.load({name!r})",
    ".parquet": "import pandas as pd\n\nX = pd.read_parquet({name!r})",
    ".feather": "import pandas as pd\n\nX = pd.read_feather({name!r})",
    ".xlsx": "import pandas as pd\n\nX = pd.read_excel({name!r})",
}
SUFFIXES = (*TEXTS, ".parquet", ".feather", ".xlsx", ".npy")


@dataclass(frozen=True)
class Data:
    """A table, its name, and the shape of the images that its rows are, where they are."""

    name: str
    X: Any  # ndarray, or DataFrame with the names of a file's columns; NaN where cells are missing
    image_shape: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()  # on how a file was read
    code: str = ""  # of Python that makes X


def find_data(name: str, options: Options = ALL_FOUND_OUT) -> str | Path:
    """Return the name of an embedded data set, or the path of a file that can be read."""
    if name in EMBEDDED:
        _check_options(name, options, "")
        return name
    path = Path(name)
    suffix = _suffix(path)
    if suffix is None:
        raise ValueError(
            f"{name} is no data that can be read; expected {', '.join(EMBEDDED)} or a file "
            f"that ends in {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{name} is {'not a file' if path.exists() else 'not there'}")
    _check_options(name, options, suffix)
    return path


def read_data(
    source: str | Path, options: Options = ALL_FOUND_OUT, columns: Columns | None = None
) -> Data:
    """Read what `find_data` found, and check that it holds numbers only.

    With `columns`, those of a model, these are chosen, and no row is left out.
    """
    data = _read(source, options, columns)
    if columns is None or hasattr(data.X, "columns"):
        return data
    try:
        return replace(data, X=columns.of_array(data.X))
    except ValueError as error:
        raise ValueError(f"{data.name} {error}") from error


def _read(source: str | Path, options: Options, columns: Columns | None) -> Data:
    if source == "digits":
        from sklearn.datasets import load_digits

        code = "from sklearn.datasets import load_digits\n\nX, _ = load_digits(return_X_y=True)"
        return Data("digits", load_digits(return_X_y=True)[0], (8, 8), code=code)
    if source == "fashion-mnist":
        import numpy as np

        from sk_autoencoder.datasets import load_fashion_mnist

        parts = [load_fashion_mnist(subset)[0] for subset in ("train", "test")]
        code = (
            "import numpy as np\nfrom sk_autoencoder.datasets import load_fashion_mnist\n\n"
            "parts = [load_fashion_mnist(subset)[0] for subset in ('train', 'test')]\n"
            "X = np.concatenate(parts)"
        )
        return Data("Fashion-MNIST", np.concatenate(parts), (28, 28), code=code)
    return _read_file(Path(source), options, columns)


def _suffix(path: Path) -> str | None:
    """Return the ending by which a file is read, None where it is not."""
    return next((s for s in SUFFIXES if path.name.lower().endswith(s)), None)


def _check_options(name: str, options: Options, suffix: str) -> None:
    """Refuse options that say nothing of the data."""
    said = {"--sep": options.sep is not None, "--decimal": options.decimal is not None}
    wrong = [option for option, given in said.items() if given and suffix not in TEXTS]
    if options.header is not None and suffix not in (*TEXTS, ".xlsx"):
        wrong.append("--header" if options.header else "--no-header")
    if wrong:
        raise ValueError(
            f"{' and '.join(wrong)} cannot be said of {name}, which is no text. Leave "
            f"{'them' if len(wrong) > 1 else 'it'} out"
        )


def _read_file(path: Path, options: Options, columns: Columns | None) -> Data:
    """Read a file by its ending."""
    suffix = _suffix(path)
    decimal, notes = ".", []
    code = READERS.get(suffix or "", "").format(name=str(path))
    try:
        if suffix == ".npy":
            X = _read_npy(path)
        elif suffix in TEXTS:
            from sk_autoencoder._cli.delimited import read_delimited

            X, found = read_delimited(path, options)
            decimal = found.decimal
            notes = found.notes(options)
            code = f"import pandas as pd\n\nX = {found.code(path)}"
        else:
            X = _read_frame(path, suffix, options.header)
            if suffix == ".xlsx" and list(X.columns) == list(range(X.shape[1])):
                code = code[:-1] + ", header=None)"
    except MemoryError as error:
        raise ValueError(f"{path} cannot be read: it does not fit into memory") from error
    except Exception as error:  # what a damaged file raises is up to the library that reads it
        raise ValueError(f"{path} cannot be read: {error or type(error).__name__}") from error
    try:
        if suffix == ".npy":
            _check_array(X)
        elif columns is not None:
            X, more = columns.of(X, decimal=decimal)
            notes = notes + more
        else:
            from sk_autoencoder._cli.numeric_table import numeric_table

            before = None if suffix == ".xlsx" else X.shape
            X, more = numeric_table(X, decimal=decimal, drop_non_numeric=options.drop_non_numeric)
            notes = notes + more
            code += _chosen(X, before)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
    return Data(path.name, X, notes=tuple(notes), code=code)


def _chosen(X: Any, shape: tuple[int, int] | None) -> str:
    """Return the Python that leaves the columns and rows of a table, out of so many or any."""
    code = ""
    if shape is None or X.shape[1] < shape[1]:
        code += f"\nX = X[{list(X.columns)!r}]"
    if shape is None or X.shape[0] < shape[0]:
        code += "\nX = X.dropna(how='all')"
    return code


def _read_frame(path: Path, suffix: str | None, header: bool | None):
    """Read a table with a library that pandas asks for."""
    import pandas as pd

    if suffix == ".xlsx":
        check_installed("openpyxl")
        from sk_autoencoder._cli.workbook import read_workbook

        return read_workbook(path, header)
    check_installed("pyarrow")
    if suffix == ".feather":
        return pd.read_feather(path)
    return pd.read_parquet(path, engine="pyarrow")


def check_installed(package: str, what: str = "it") -> None:
    """Raise with the remedy where an optional package is not there that something needs."""
    from importlib import import_module

    try:
        import_module(package)
    except ImportError as error:
        raise ValueError(
            f"{what} needs {package}, which is not installed. Run: pip install {package}"
        ) from error


def _read_npy(path: Path):
    """Read an array, but never a pickled one, which could run code."""
    import numpy as np

    with path.open("rb") as file:
        _check_npy_header(file, path.stat().st_size)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_npy_header(file, n_bytes: int) -> None:
    """Refuse objects, and more cells than the file holds before room is made for them.

    Versions of the format above 2.0 are for names of fields, which no matrix has.
    """
    import math

    from numpy.lib import format as npy

    read_header = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }.get(npy.read_magic(file))
    if read_header is None:
        return
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError(
            "its array holds Python objects, which are not read, since that can run code. Save an "
            "array of float, such as X.astype(float)"
        )
    there = n_bytes - file.tell()
    told = math.prod(shape) * dtype.itemsize
    if told > there:
        raise ValueError(
            f"its header tells of an array of shape {shape}, which takes {told} bytes, but only "
            f"{there} follow. The file is damaged; save it again"
        )


def _check_array(X) -> None:
    """Refuse an array that is no matrix, is empty, or has cells that are no numbers."""
    from sk_autoencoder._cli.numeric_table import check_finite

    if X.ndim != 2:
        raise ValueError(
            f"has an array of shape {X.shape}; expected two dimensions, a row a sample"
        )
    if 0 in X.shape:
        raise ValueError(f"is empty: it has {X.shape[0]} rows and {X.shape[1]} columns")
    if X.dtype.kind not in "fiub":
        raise ValueError(
            f"has an array that is not numeric: its dtype is {X.dtype}, its first cell "
            f"{X[0, 0].item()!r}. Save an array of float"
        )
    check_finite(X)
