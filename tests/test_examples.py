"""The benchmark notebook and the gallery scripts run, shrunk to few images and epochs.

The notebook is committed with the outputs of a run in full. This executes it anew, in place:

    python tests/test_examples.py
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import shrinking
from ipykernel.kernelspec import write_kernel_spec
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from sklearn.base import clone

import sk_autoencoder

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "benchmark_pca.ipynb"
SCRIPTS = sorted(EXAMPLES.glob("plot_*.py"))

# Those that a user sees: libraries give the others to their developers, some at import.
WARNINGS = ("-W", "error", "-W", "ignore::PendingDeprecationWarning")

LARGEST_NOTEBOOK = 2_000_000
FULL_SHAPES = "(60000, 784), (10000, 784)"
SHRINK = f"""
import sys
sys.path.append({str(Path(__file__).parent)!r})
import shrinking
shrinking.shrink()
"""


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
    written = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "".join(output.text for output in written if output.get("name") == name)


def outputs(notebook) -> str:
    """Give all that the cells of a notebook have put out, pictures and all."""
    return str([cell.outputs for cell in code_cells(notebook)])


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def one_thread(monkeypatch):
    """On a busy machine two threads spin for longer than the small arrays take to compute."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.slow
def test_notebook_runs(tmp_path, one_thread):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SHRINK))
    execute(notebook, tmp_path)
    assert streams(notebook, "stderr") == ""  # where warnings go
    assert FULL_SHAPES not in outputs(notebook)


# The others take longer, and call what this one calls.
@pytest.mark.sampled(only=["plot_quick_start"])
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script_runs(path, tmp_path, one_thread):
    done = subprocess.run(
        [sys.executable, *WARNINGS, shrinking.__file__, path],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("asked", "trained"), [("auto", 2), (50, 2), (1, 1), (0, 0)])
def test_a_shrunk_fit_is_short_and_keeps_its_parameters(monkeypatch, quick, X, asked, trained):
    monkeypatch.setattr(
        sk_autoencoder.AutoencoderTransformer,
        "fit",
        shrinking.briefly(sk_autoencoder.AutoencoderTransformer.fit),
    )
    autoencoder = quick(max_epochs=asked).fit(X)
    assert autoencoder.history_["epoch"].max() == trained
    assert clone(autoencoder).get_params() == quick(max_epochs=asked).get_params()


def test_made_images_are_like_those_of_the_data_set():
    X, y = shrinking.make_images("test")
    assert X.shape == (500, 784)
    assert X.dtype == "float32"
    assert 0 <= X.min() < X.max() <= 1
    assert set(y) == set(range(10))


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
    assert streams(notebook, "stderr") == ""
    assert FULL_SHAPES in outputs(notebook)
    assert not re.search(r"/(home|root|tmp|Users)/", outputs(notebook))
    assert str(EXAMPLES.parent) not in outputs(notebook)


@pytest.mark.slow
def test_the_searches_run(tmp_path, one_thread):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "scaled_search.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("explained variance") == 4


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        executed = execute(nbformat.read(NOTEBOOK, as_version=4), Path(folder))
    nbformat.write(executed, NOTEBOOK)
