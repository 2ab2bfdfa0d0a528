"""The file of a saved estimator: one of safetensors, whose metadata is its description.

Such a file holds the length of a header, the header, which is JSON with the names, dtypes, shapes
and places of tensors, and then their bytes. It is read as numbers and texts, and nothing of it is
ever run. It is read as a whole, and its tensors share that memory: that the file is cut or replaced
later does not matter.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from sk_autoencoder._utils.facts import FactError, count, fact
from sk_autoencoder._utils.plain import Plain

# Of the text of the metadata that is ours, and in it of the check of all else.
NAME = "sk-autoencoder"
CHECK = "crc32"
# A version that reads version 1 reads it for ever. `READABLE_FROM` is the first version of the
# format that a reader has to know, so that later ones may add what others need not understand.
VERSION = 1
READABLE_FROM = 1
LENGTH_OF_HEADER = 8  # bytes, little-endian

DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "I16": np.dtype(np.int16),
    "I32": np.dtype(np.int32),
    "I64": np.dtype(np.int64),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
}


class FileError(ValueError):
    """A file that is not one of a saved estimator, or not a whole one."""


@dataclass(frozen=True)
class Written:
    """What a file holds: a description, and the versions that wrote it."""

    plain: Plain
    versions: dict[str, str]


def dump(written: Written) -> bytes:
    """Return the content of a file."""
    arrays, same_as = _without_copies(written.plain.arrays)
    description: dict[str, Any] = {
        "version": VERSION,
        "readable_from": READABLE_FROM,
        "versions": written.versions,
        "estimator": written.plain.facts,
        "same_as": same_as,
    }
    # The places of the tensors are the same whatever the description is.
    header, data = _divided(safetensors.numpy.save(arrays))
    description[CHECK] = check(header, description, data)
    return safetensors.numpy.save(arrays, {NAME: _dumped(description)})


def read_file(path: Path) -> Written:
    """Read a file, of which nothing is taken for granted.

    Raises
    ------
    FileError
        If it is none of a saved estimator, is damaged, or of a later format.
    """
    # Asked before it is opened, which would wait for the other end of a pipe.
    if not (path.is_file() or path.is_dir() or not path.exists()):
        raise FileError(f"{path} is not a file of its own.")
    with path.open("rb") as file:
        # Unlike a bytearray it is not filled with zeros first, which takes longer than to read.
        content = np.empty(os.fstat(file.fileno()).st_size, dtype=np.uint8).data
        content = content[: file.readinto(content)]
    return parse(path, content)


def parse(path: Path, content: memoryview | bytes) -> Written:
    """Return what the content of a file holds."""
    try:
        header, data = _divided(content)
        metadata = header.pop("__metadata__", None)
        if not isinstance(metadata, dict) or NAME not in metadata:
            raise FactError("it is one of safetensors, but none of a saved estimator")
        description = _parsed(fact(metadata, NAME, str))
        _check_version(description)
        if fact(description, CHECK, int) != check(header, description, data):
            raise FactError("it is damaged: its checksum is another one")
        arrays = {name: _array(name, told, data) for name, told in header.items()}
        for name, other in fact(description, "same_as", dict).items():
            if name in arrays or not isinstance(other, str) or other not in arrays:
                raise FactError(f"the array {name!r:.60} is the same as none")
            arrays[name] = arrays[other]
        plain = Plain(fact(description, "estimator", dict), arrays)
        return Written(plain, fact(description, "versions", dict))
    except (FactError, RecursionError) as error:
        told = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise FileError(f"{path} is not the file of a saved estimator: {told}.") from error


def _divided(content: memoryview | bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the header and the bytes of the tensors."""
    view = memoryview(content)
    end = LENGTH_OF_HEADER + int.from_bytes(view[:LENGTH_OF_HEADER], "little")
    if len(view) < LENGTH_OF_HEADER or end > len(view):
        raise FactError("it is cut, or of another kind")
    header = _parsed(bytes(view[LENGTH_OF_HEADER:end]))
    if not isinstance(header, dict):
        raise FactError("its header is no JSON object")
    return header, view[end:]


def check(header: dict[str, Any], description: dict[str, Any], data: memoryview) -> int:
    """Return the checksum of all that a file holds, but for itself."""
    told = {name: value for name, value in description.items() if name != CHECK}
    text = _dumped([sorted(header.items()), told])
    return zlib.crc32(text.encode("utf-8", "surrogatepass"), zlib.crc32(data))


def _check_version(description: Any) -> None:
    """Refuse files of a format that is not known yet."""
    least = count(description, "readable_from")
    if count(description, "version") < least:
        raise FactError("'readable_from' is later than 'version'")
    if least > VERSION:
        raise FactError(
            f"its format is version {least}, and this version of sk-autoencoder reads up to "
            f"{VERSION}. Update sk-autoencoder"
        )


def _array(name: str, told: Any, data: memoryview) -> np.ndarray:
    """Return the tensor of a name, as an array that shares the memory of the file."""
    dtype, shape = fact(told, "dtype", str), fact(told, "shape", list)
    begin, end = _offsets(fact(told, "data_offsets", list), len(data))
    sizes = [count({"shape": size}, "shape", least=0) for size in shape]
    if dtype not in DTYPES:
        raise FactError(f"the array {name!r:.60} is of dtype {dtype!r:.20}")
    if math.prod(sizes) * DTYPES[dtype].itemsize != end - begin or len(sizes) > 8:
        raise FactError(f"the array {name!r:.60} is not as large as it is told to be")
    flat: np.ndarray = np.frombuffer(data[begin:end], dtype=DTYPES[dtype])
    if begin % DTYPES[dtype].itemsize:
        flat = flat.copy()  # which torch and BLAS want in its place
    return flat.reshape(sizes)


def _offsets(offsets: list, size: int) -> tuple[int, int]:
    if len(offsets) != 2:
        raise FactError("a tensor has no two offsets")
    begin, end = (count({"offset": offset}, "offset", least=0) for offset in offsets)
    if not begin <= end <= size:
        raise FactError("it is cut, or a tensor of it lies outside")
    return begin, end


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


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FactError("its metadata is no JSON") from error
