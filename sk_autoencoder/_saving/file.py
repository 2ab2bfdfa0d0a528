"""The file of a saved estimator: one of safetensors, whose metadata is its description.

Such a file holds a header, JSON with the names, dtypes, shapes and places of tensors, and then
their bytes. It is read as numbers and texts, and nothing of it is ever run.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from sk_autoencoder._utils.facts import FactError, count, fact
from sk_autoencoder._utils.files import write_whole
from sk_autoencoder._utils.plain import Plain

FORMAT = "sk-autoencoder"
# A version that reads version 1 reads it for ever. `READABLE_FROM` is the first version of the
# format that a reader has to know, so that later ones may add what others need not understand.
VERSION = 1
READABLE_FROM = 1
LENGTH_OF_HEADER = 8  # bytes, little-endian

DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "F32": np.float32,
    "F64": np.float64,
}


class FileError(ValueError):
    """A file that is not one of a saved estimator, or not a whole one."""


@dataclass(frozen=True)
class Written:
    """What a file holds: a description, and the versions that wrote it."""

    plain: Plain
    versions: dict[str, str]


def write_file(path: Path, written: Written) -> None:
    """Write a file whole or not at all."""
    arrays, same_as = _without_copies(written.plain.arrays)
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "readable_from": str(READABLE_FROM),
        "versions": _dumps(written.versions),
        "estimator": _dumps(written.plain.facts),
        "same_as": _dumps(same_as),
    }
    content = safetensors.numpy.save(arrays, metadata)
    write_whole(path, lambda file: file.write(content))


def read_file(path: Path) -> Written:
    """Read a file, of which nothing is taken for granted.

    Raises
    ------
    FileError
        If it is none of a saved estimator, is truncated or of a later format.
    """
    content = _bytes_of(path)
    try:
        tensors = safetensors.deserialize(content)
        metadata = _metadata(content)
        _check_format(metadata)
        facts = _loads(metadata, "estimator")
        versions = _loads(metadata, "versions")
        arrays = {name: _array(name, tensor) for name, tensor in tensors}
        for name, other in _loads(metadata, "same_as").items():
            if name in arrays or not isinstance(other, str) or other not in arrays:
                raise FactError(f"the array {name!r} is the same as none")
            arrays[name] = arrays[other]
    except (safetensors.SafetensorError, FactError) as error:
        raise FileError(f"{path} is not the file of a saved estimator: {error}.") from error
    return Written(Plain(facts, arrays), versions)


def _bytes_of(path: Path) -> bytes:
    """Return the content of a file, read as a whole: one that is cut later does not matter."""
    with path.open("rb") as file:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileError(f"{path} is not a file of its own.")
        return file.read()


def _metadata(content: bytes) -> dict[str, Any]:
    """Return the metadata of a file that safetensors has found to be one."""
    length = int.from_bytes(content[:LENGTH_OF_HEADER], "little")
    header = _parsed(content[LENGTH_OF_HEADER : LENGTH_OF_HEADER + length])
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__"), dict):
        raise FactError("it has no metadata")
    return header["__metadata__"]


def _check_format(metadata: dict[str, Any]) -> None:
    """Refuse the files of others, and those of a format that is not known yet."""
    if metadata.get("format") != FORMAT:
        raise FactError(f"its format is not {FORMAT!r}")
    versions = {
        name: _whole_number(fact(metadata, name, str)) for name in ("version", "readable_from")
    }
    least = count(versions, "readable_from")
    if count(versions, "version") < least:
        raise FactError("'readable_from' is later than 'version'")
    if least > VERSION:
        raise FactError(
            f"its format is version {least}, and this version of sk-autoencoder reads up to "
            f"{VERSION}. Update sk-autoencoder"
        )


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise FactError("its version is no number")
    return int(text)


def _array(name: str, tensor: dict[str, Any]) -> np.ndarray:
    """Return a tensor as an array that may be written to."""
    if tensor["dtype"] not in DTYPES:
        raise FactError(f"the array {name!r} is of dtype {tensor['dtype']}")
    flat: np.ndarray = np.frombuffer(bytearray(tensor["data"]), dtype=DTYPES[tensor["dtype"]])
    return flat.reshape(tensor["shape"])


def _without_copies(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return arrays that all differ, and for each of the others the name of its like."""
    kept: dict[str, np.ndarray] = {}
    names: dict[tuple, str] = {}
    same_as = {}
    for name, value in arrays.items():
        value = np.asarray(value, order="C")
        key = (value.dtype.str, value.shape, value.tobytes())
        if (first := names.setdefault(key, name)) == name:
            kept[name] = value
        else:
            same_as[name] = first
    return kept, same_as


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _loads(metadata: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object in a text of the metadata."""
    found = _parsed(fact(metadata, name, str))
    if not isinstance(found, dict):
        raise FactError(f"{name!r} is no JSON object")
    return found


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FactError("its metadata is no JSON") from error
