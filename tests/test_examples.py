"""The benchmark notebook and the gallery scripts run, in a small mode of few rows and epochs.

The notebook is committed with the outputs of its full mode. This executes it anew, in place:

    python tests/test_examples.py
"""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from sk_autoencoder.datasets import load_fashion_mnist

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "benchmark_pca.ipynb"
SCRIPTS = sorted(EXAMPLES.glob("plot_*.py"))
READS_FASHION_MNIST = [path for path in SCRIPTS if "load_fashion_mnist" in path.read_text()]

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
def fashion_mnist():
    """Skip where the data set is not on the machine and cannot be fetched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns before it tries again
        try:
            load_fashion_mnist("test")
        except OSError as error:
            pytest.skip(f"Fashion-MNIST cannot be fetched: {error}")


@pytest.mark.usefixtures("fashion_mnist")
def test_notebook_runs(monkeypatch, tmp_path):
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)
    notebook = execute(nbformat.read(NOTEBOOK, as_version=4), tmp_path)
    assert "small mode" in streams(notebook, "stdout")
    assert streams(notebook, "stderr") == ""  # where warnings go


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs(path, request, tmp_path):
    if path in READS_FASHION_MNIST:
        request.getfixturevalue("fashion_mnist")
    environment = {**os.environ, **SMALL, "MPLBACKEND": "Agg"}
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
    assert READS_FASHION_MNIST


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
    assert not [root for root in ("/home/", "/root/", "/tmp/", "/work/") if root in outputs]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        executed = execute(nbformat.read(NOTEBOOK, as_version=4), Path(folder))
    nbformat.write(executed, NOTEBOOK)
