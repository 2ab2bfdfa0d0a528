"""Memory that a fit takes on top of its rows."""

import threading
from pathlib import Path

import numpy as np
import pytest

from sk_autoencoder._training import rows as _rows

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell it there")


def megabytes():
    """What is in memory now and belongs to no file."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def added_by(function):
    """Megabytes that a call adds at its peak."""
    before, peak, done = megabytes(), [0.0], threading.Event()

    def watch():
        while not done.wait(0.005):
            peak[0] = max(peak[0], megabytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        function()
    finally:
        done.set()
        thread.join()
    return peak[0] - before


@pytest.fixture
def wide(quick):
    """A quick autoencoder of a single epoch, which has trained once: torch loads parts late."""
    model = quick(max_epochs=1, batch_size=512)
    return model.fit(np.random.default_rng(0).standard_normal((300, 200), dtype=np.float32))


@pytest.mark.parametrize("params", [{}, {"linear_shortcut": False, "early_stopping": False}])
def test_a_fit_makes_no_copy_of_its_rows(wide, monkeypatch, params):
    X = np.random.default_rng(0).standard_normal((160_000, 200), dtype=np.float32)
    monkeypatch.setattr(_rows, "KEPT_BYTES", 2**20)
    assert added_by(lambda: wide.set_params(**params).fit(X)) < X.nbytes / 2**20 / 2


def test_rows_mapped_from_a_file_are_not_read_in_whole(wide, monkeypatch, tmp_path):
    X = np.random.default_rng(0).standard_normal((160_000, 200), dtype=np.float32)
    np.save(tmp_path / "X.npy", X)
    n_bytes = X.nbytes
    del X
    monkeypatch.setattr(_rows, "KEPT_BYTES", 2**20)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert added_by(lambda: wide.fit(mapped)) < n_bytes / 2**20 / 2


@pytest.mark.slow
def test_memory_does_not_grow_with_calls_of_partial_fit(quick, X):
    model = quick(hidden_layer_sizes=(64,))
    for _ in range(100):
        model.partial_fit(X)

    def more():
        for _ in range(1000):
            model.partial_fit(X)

    assert added_by(more) < 10
