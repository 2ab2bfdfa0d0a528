"""Damaged files into the loader: each is refused with a ValueError, or gives an estimator.

    python -m benchmarks.fuzz.files --cases 1000000

Files of a few estimators are cut, changed in some bytes, or changed in a value of their
description, mostly with a checksum that is right again. What is counted: errors of another kind,
loads that take longer than a second of the processor, and the memory that the process has taken at
most beside that before.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from sk_autoencoder._saving.file import CHECK, NAME, check, parse
from sk_autoencoder._saving.mixin import estimator_of

SLOW = 1.0  # seconds of the processor
MOST_MEGABYTES = 512
STRANGE = (
    None, True, False, 0, -1, 1, 2**31, 2**40, 2**63, 10**30, -0.5, 1e308, 1e400, "", "x", "nan",
    "os.system", [], {}, [[]], {"kind": "tuple", "value": []}, {"kind": "dict", "value": [[{}, 1]]},
    {"kind": "torch.optim", "value": "Adam"}, {"kind": "int", "value": "9" * 5000},
    {"kind": "ndarray", "value": {"dtype": "<f8", "items": [[1], [2, 3]]}}, {"own": True},
)  # fmt: skip


def make_files() -> list[bytes]:
    """Return the files of a few estimators, as small as they get."""
    X = np.random.RandomState(0).rand(40, 5)
    small: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_epochs": 1, "random_state": 0}
    eps, generator = {"optimizer__eps": 0.1}, {"random_state": np.random.RandomState(0)}
    holed = np.where(X < 0.1, np.nan, X)
    made = [
        AutoencoderTransformer(2, nested=True, whiten=True, **small).fit(X),
        AutoencoderTransformer(2, linear_shortcut=False, **small).fit(holed.astype(np.float32)),
        AutoencoderTransformer(2, loss="poisson", net_params=eps, **small).fit(X),
        VariationalAutoencoderTransformer(2, **(small | generator)).fit(X),
        AutoencoderOutlierDetector(AutoencoderTransformer(2, **small), random_state=0).fit(X),
        AutoencoderTransformer(2),
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        files = []
        for estimator in made:
            estimator.save(path)
            files.append(path.read_bytes())
    return files


def damage(content: bytes, rng: random.Random) -> bytes:
    """Return a file with some damage."""
    return rng.choice((_cut, _flip, _put, _describe, _describe, _describe, _retype))(content, rng)


def _cut(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] if rng.random() < 0.5 else content[:place] + content[place + 1 :]


def _flip(content: bytes, rng: random.Random) -> bytes:
    # Most bytes are weights; those of the header tell more.
    end = len(content) if rng.random() < 0.3 else _split(content)[1]
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(end)] ^= 1 << rng.randrange(8)
    try:
        header, end = _split(bytes(changed))
        return _joined(header, bytes(changed[end:])) if rng.random() < 0.7 else bytes(changed)
    except (ValueError, TypeError, RecursionError):
        return bytes(changed)


def _put(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + rng.randbytes(rng.choice((1, 4, 100))) + content[place:]


def _split(content: bytes) -> tuple[dict, int]:
    """Return the header of a file, and where it ends."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), end


def _joined(header: dict, rest: bytes) -> bytes:
    """Return a file with a header, and with the checksum that belongs to it."""
    told = header.get("__metadata__")
    if isinstance(told, dict) and NAME in told:
        description = json.loads(told[NAME])
        if isinstance(description, dict) and CHECK in description:
            tensors = {name: value for name, value in header.items() if name != "__metadata__"}
            description[CHECK] = check(tensors, description, memoryview(rest))
            told[NAME] = json.dumps(description)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + rest


def _describe(content: bytes, rng: random.Random) -> bytes:
    """Change values of the description: swap them, leave them out, or put strange ones there."""
    header, end = _split(content)
    description = json.loads(header["__metadata__"][NAME])
    for _ in range(rng.choice((1, 1, 2, 5))):
        owner, key = rng.choice(list(_places(description)))
        kind = rng.random()
        if kind < 0.2:
            del owner[key]
        elif kind < 0.5:
            other, its = rng.choice(list(_places(description)) or [({0: 0}, 0)])
            owner[key] = copy.deepcopy(other[its])
        else:
            owner[key] = copy.deepcopy(rng.choice(STRANGE))
        if not description:
            break
    header["__metadata__"][NAME] = json.dumps(description)
    return _joined(header, content[end:])


def _places(value: Any):
    """Yield each container inside of a value, with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        yield value, key
        if isinstance(part, (dict, list)):
            yield from _places(part)


def _retype(content: bytes, rng: random.Random) -> bytes:
    """Change what is told of an array: its dtype, its shape, its name."""
    header, end = _split(content)
    name = rng.choice([name for name in header if name != "__metadata__"] or ["__metadata__"])
    if name == "__metadata__":
        return content[:-1]
    kind = rng.random()
    if kind < 0.3:
        header[rng.choice(list(header))[:-1] + "x"] = header.pop(name)
    elif kind < 0.6:
        header[name]["dtype"] = rng.choice(("F32", "F64", "I64", "BF16", "BOOL", "U8", "F8_E4M3"))
    elif kind < 0.8:
        header[name]["shape"] = header[name]["shape"][::-1]
    else:
        header[name]["shape"] = [*header[name]["shape"], rng.choice((1, 0, 2**40))]
    return _joined(header, content[end:])


def run(n_cases: int, seed: int) -> Counter:
    """Load damaged files, and count what comes of it."""
    torch.set_num_threads(1)
    files, rng, found = make_files(), random.Random(seed), Counter()
    X = np.random.RandomState(1).rand(3, 5)
    before = _megabytes()
    for _ in range(n_cases):
        content = damage(rng.choice(files), rng)
        began = time.process_time()  # of this process alone, however busy the machine is
        found[_load(content, X)] += 1
        if time.process_time() - began > SLOW:
            found["SLOW"] += 1
    if _megabytes() - before > MOST_MEGABYTES:
        found["MEMORY"] += 1
    found["megabytes"] = max(0, round(_megabytes() - before))
    return found


def _load(content: bytes, X: np.ndarray) -> str:
    """Load a file, and use what it gives; return what came of it."""
    try:
        estimator = estimator_of(Path("a file"), parse(Path("a file"), bytearray(content)), {})
    except ValueError:
        return "refused"
    except Exception as error:
        return f"FAILED by {type(error).__name__}: {error}"[:200]
    if not hasattr(estimator, "n_features_in_"):
        return "loaded, not fitted"
    try:
        estimator.score_samples(X)
        repr(estimator)
    except ValueError:
        return "loaded, results are not finite"
    except Exception as error:
        return f"USE FAILED by {type(error).__name__}: {error}"[:200]
    return "loaded"


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Run, and fail where something is found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    sizes = [args.cases // args.jobs] * args.jobs
    seeds = [args.seed + i for i in range(args.jobs)]
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        parts = list(pool.map(run, sizes, seeds))
    megabytes = max(part.pop("megabytes") for part in parts)
    found = sum(parts, Counter())
    for name, count in found.most_common():
        print(f"{count:9d} {name}")
    print(f"{megabytes} MB at most beside those before")
    faults = [name for name in found if name.split(" ")[0].isupper()]
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
