"""Files that are damaged, of others, or made to do harm: a clear error, and nothing is changed."""

import json
import os
import random
import zlib

import numpy as np
import pytest
import safetensors.numpy
from make_format_1 import ASSETS, rows_for

from benchmarks.fuzz.files import make_files, run
from sk_autoencoder import AutoencoderTransformer, load

pytestmark = pytest.mark.quick


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(X, path):
    estimator = AutoencoderTransformer(2, hidden_layer_sizes=(4,), max_epochs=1, random_state=0)
    estimator.fit(X).save(path)
    return path


def rewrite(path, change):
    """Change what a file tells, and make its checksum right again."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    description = json.loads(header.pop("__metadata__")["sk-autoencoder"])
    change(description, header)
    description.pop("crc32")
    text = json.dumps(
        [sorted(header.items()), description], ensure_ascii=False, separators=(",", ":")
    )
    description["crc32"] = zlib.crc32(text.encode(), zlib.crc32(content[end:]))
    metadata = {"sk-autoencoder": json.dumps(description, ensure_ascii=False)}
    text = json.dumps({"__metadata__": metadata} | header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])


def change(path, *keys, to):
    """Change a value of the description."""

    def put(description, header):
        *owners, key = keys
        for owner in owners:
            description = description[owner]
        description[key] = to

    rewrite(path, put)


MODEL = ("estimator", "fit", "model")
ARCHITECTURE = (*MODEL, "module", "architecture")

FAULTS = {
    "a class of another package": (("estimator", "class"), "os.system", "holds os.system"),
    "a kind of another package": (("estimator", "kind"), "os.system", "'kind' is 'os.system'"),
    "a parameter that is none": (("estimator", "params", "shell"), "x", "no parameter 'shell'"),
    "a value of no kind": (("estimator", "params", "lr"), {"kind": "eval"}, "'kind' is 'eval'"),
    "an optimizer that is none": (
        ("estimator", "params", "optimizer"),
        {"kind": "torch.optim", "value": "__loader__"},
        "'value' is '__loader__'",
    ),
    "more weights than there are": (
        (*ARCHITECTURE, "hidden_layer_sizes"),
        [2**30],
        "more weights than the arrays hold",
    ),
    "a width that is too large": (
        (*ARCHITECTURE, "hidden_layer_sizes"),
        [10**30],
        "'hidden_layer_sizes' is too large",
    ),
    "other layers": ((*ARCHITECTURE, "hidden_layer_sizes"), [5], "is of shape"),
    "another activation": ((*ARCHITECTURE, "activation"), "exec", "'activation' is 'exec'"),
    "no scale": ((*MODEL, "input", "scale"), 0.0, "'scale' is 0.0, not positive"),
    "a bool for a number": ((*MODEL, "input", "scale"), True, "'scale' is True"),
    "more components than the code": ((*MODEL, "n_components"), 9, "of a code of width 2"),
    "another dtype": ((*MODEL, "dtype"), "float32", "is of dtype float64"),
    "an attribute that is none": (
        ("estimator", "fit", "numbers", "__class__"),
        1,
        "'__class__' is no attribute",
    ),
    "an array that is another": (("same_as", "fit.model.mean"), "none", "is the same as none"),
    "a format of the future": (("readable_from",), 2, "Update sk-autoencoder"),
    "a format of the past": (("version",), 0, "'version' is 0"),
}


@pytest.mark.parametrize(("keys", "value", "told"), FAULTS.values(), ids=FAULTS)
def test_what_does_not_fit_is_told(saved, keys, value, told):
    if keys == ("readable_from",):
        change(saved, "version", to=2)
    change(saved, *keys, to=value)
    with pytest.raises(ValueError, match=told):
        load(saved)


def test_a_file_of_the_next_version_that_this_one_can_read_is_read(saved, X):
    expected = load(saved).transform(X)

    def add(description, header):
        description |= {"version": 2, "readable_from": 1, "news": {"of": "version 2"}}
        description["estimator"]["fit"]["model"]["more"] = [1, 2]

    rewrite(saved, add)
    np.testing.assert_array_equal(load(saved).transform(X), expected)


def test_a_file_that_is_cut_anywhere_is_refused(saved):
    content = saved.read_bytes()
    places = {0, 1, 7, 8, 9, len(content) - 1, *random.Random(0).sample(range(len(content)), 100)}
    for place in places:
        saved.write_bytes(content[:place])
        with pytest.raises(ValueError, match="is not the file of a saved estimator"):
            load(saved)


def test_a_bit_that_is_flipped_anywhere_is_found(saved):
    content = saved.read_bytes()
    rng = random.Random(0)
    end = 8 + int.from_bytes(content[:8], "little")
    places = rng.sample(range(end), 150) + rng.sample(range(end, len(content)), 150)
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        saved.write_bytes(changed)
        with pytest.raises(ValueError, match="is not the file of a saved estimator"):
            load(saved)


OTHERS = {
    "empty": b"",
    "text": b"a,b\n1,2\n",
    "pickle": b"\x80\x04cos\nsystem\n(S'exit 1'\ntR.",
    "of safetensors": safetensors.numpy.save({"a": np.zeros(3)}),
    "of safetensors, with metadata": safetensors.numpy.save({"a": np.zeros(3)}, {"format": "pt"}),
    "a header without end": (2**63).to_bytes(8, "little") + b"{}",
    "nested without end": (200_000).to_bytes(8, "little") + b"[" * 200_000,
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_files_of_others_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not the file of a saved estimator"):
        load(path)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.safetensors")
    with pytest.raises(OSError, match="directory"):
        load(tmp_path)
    with pytest.raises(ValueError, match="is not a file of its own"):
        load("/dev/zero")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a file of its own"):
        load(tmp_path / "pipe")


def test_damaged_files_are_refused_or_loaded():
    found = run(600, seed=1)
    assert found.pop("megabytes") < 512
    assert set(found) <= {
        "refused",
        "loaded",
        "loaded, not fitted",
        "loaded, results are not finite",
    }
    assert found["refused"] > 300
    assert found["loaded"] > 30


def test_the_files_that_are_damaged_are_whole_before(path):
    for content in make_files():
        path.write_bytes(content)
        load(path)


@pytest.mark.parametrize(
    "path", sorted(ASSETS.glob("format_1_*.safetensors")), ids=lambda p: p.stem
)
def test_files_of_format_1_are_read_for_ever(path):
    estimator, name = load(path), path.stem.removeprefix("format_1_")
    expected = np.load(ASSETS / "format_1.npz")
    methods = {"scores": "score_samples", "codes": "transform", "rows": "reconstruct"}
    asked = [what for what in methods if hasattr(estimator, methods[what])]
    assert asked
    for what in asked:
        found = getattr(estimator, methods[what])(rows_for(name))
        np.testing.assert_allclose(found, expected[f"{name} {what}"], rtol=1e-4, atol=1e-5)
