"""The benchmark notebook and the gallery scripts run, in a small mode of few rows and epochs.

The notebook is committed with the outputs of its full mode. This executes it anew, in place:

    python tests/test_examples.py
"""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from ipykernel.kernelspec import write_kernel_spec
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

import sk_autoencoder

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "benchmark_pca.ipynb"
SCRIPTS = sorted(EXAMPLES.glob("plot_*.py"))

LARGEST_NOTEBOOK = 2_000_000
SMALL = {
    "SK_AUTOENCODER_EXAMPLES_SMALL": "1",
    # On a busy machine two threads spin for longer than the small arrays take to compute.
    "OMP_NUM_THREADS": "1",
}


def execute(notebook, folder: Path):
    """Execute a notebook with the running interpreter, whatever kernels the user has."""
    write_kernel_spec(folder / "kernels" / "python3")
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    client = NotebookClient(notebook, timeout=None, record_timing=False)
    client.km = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    environment = {**os.environ, "IPYTHONDIR": str(folder)}
    environment.pop("MPLBACKEND", None)  # the kernel has a backend that puts figures in cells
    return client.execute(cwd=str(EXAMPLES), env=environment)


def streams(notebook, name: str) -> str:
    """Give what the cells of a notebook have written to stdout or to stderr."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "".join(output.text for output in outputs if output.get("name") == name)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def small_mode(tmp_path_factory):
    """Environment of a run in small mode, on images made here in the place of Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("fashion-mnist")
    rng = np.random.RandomState(0)
    for stem, n_images in (("train", 1200), ("t10k", 600)):
        labels = np.arange(n_images) % 10
        x, y = np.meshgrid(np.linspace(-1, 1, 28), np.linspace(-1, 1, 28))
        width = (0.2 + labels / 12 + 0.1 * rng.rand(n_images))[:, None, None]
        images = 255 * np.exp(-((x / width) ** 2) - (y * (1 + width)) ** 2)
        write_idx(folder / f"{stem}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{stem}-labels-idx1-ubyte.gz", labels)
    return {**SMALL, "SK_AUTOENCODER_FASHION_MNIST": str(folder)}


def write_idx(path: Path, array):
    """Write bytes as the data set has them."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


def test_notebook_runs(monkeypatch, tmp_path, small_mode):
    for name, value in small_mode.items():
        monkeypatch.setenv(name, value)
    notebook = execute(nbformat.read(NOTEBOOK, as_version=4), tmp_path)
    assert "small mode" in streams(notebook, "stdout")
    assert streams(notebook, "stderr") == ""  # where warnings go


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs(path, tmp_path, small_mode):
    environment = {**os.environ, **small_mode, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_scripts_are_found():
    assert len(SCRIPTS) >= 5


@pytest.mark.parametrize(
    "display", [name for name in sk_autoencoder.__all__ if name.endswith("Display")]
)
def test_the_gallery_shows_each_display(display):
    used = re.compile(rf"\b{display}[.(]")
    assert any(used.search(path.read_text(encoding="utf-8")) for path in SCRIPTS)


def test_committed_notebook_is_valid():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert notebook.metadata.kernelspec.name == "python3"
    assert NOTEBOOK.stat().st_size < LARGEST_NOTEBOOK


def test_committed_notebook_has_its_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "Run: python tests/test_examples.py"
    assert "full mode" in streams(notebook, "stdout")
    assert streams(notebook, "stderr") == ""
    outputs = str([cell.outputs for cell in code_cells(notebook)])
    assert not re.search(r"/(home|root|tmp|Users)/", outputs)
    assert str(EXAMPLES.parent) not in outputs


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        executed = execute(nbformat.read(NOTEBOOK, as_version=4), Path(folder))
    nbformat.write(executed, NOTEBOOK)
