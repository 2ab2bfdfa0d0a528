"""Processes that a launcher has started train together, and end with the same model."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._utils.processes import ALONE, find_processes
from sk_autoencoder._utils.shared_memory import SharedMemory, SharedSums, shared_memory
from tests.launched import CASES, curved

LAUNCHED = Path(__file__).with_name("launched.py")
LIMIT = 240  # seconds until a run is given up


def launch(case, folder, n=2):
    """Start processes; they end with this one, or at the limit."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(n), str(LAUNCHED), case, str(folder)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(LAUNCHED.parents[1]),
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process, limit=LIMIT):
    """Wait for processes to end; give the exit code and what they have printed."""
    try:
        out, err = process.communicate(timeout=limit)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What two processes tell of each case."""
    folder = tmp_path_factory.mktemp("launched")
    np.save(folder / "X.npy", curved())
    code, out, err = ended(launch("fits", folder))
    assert code == 0, err[-3000:]
    found = {}
    # Lines of two processes may be one behind the other.
    for line in re.findall(r"\[\d[^\]]*\]", out):
        rank, name, hashed, score = json.loads(line)
        found.setdefault(name, {})[rank] = hashed, score
    return found


NAMES = [
    *CASES,
    *("few rows", "weights", "classes", "groups", "missing", "variational", "parts"),
    *("warm start", "wide warm start", "streamed", "alone"),
]


@pytest.mark.slow
def test_all_processes_end_with_equal_weights_and_the_errors_of_one(told):
    assert set(told) == set(NAMES)
    assert [name for name in NAMES if set(told[name]) != {0, 1}] == []
    assert [name for name in NAMES if told[name][0] != told[name][1]] == []
    new = curved(8000)[6000:]
    for name in (*CASES, "streamed"):
        params = {"n_components": 2, "max_epochs": 6, "random_state": 0} | CASES.get(name, {})
        alone = AutoencoderTransformer(**params).fit(curved()).score(new)
        assert 1 - told[name][0][1] < 1.2 * (1 - alone), name
        if name == "default":
            assert told["alone"][0][1] == pytest.approx(alone, rel=1e-6)


REFUSED = [
    ("other_rows", ["Process 1 was given other rows than process 0"]),
    (
        "missing_cell",
        [
            "(block 1) of X have missing cells, the first of them in row 4000",
            "In process 1 of 2",
        ],
    ),
    pytest.param("checkpoint", ["checkpoint is the state of one process"], marks=pytest.mark.slow),
    pytest.param(
        "two_launchers", ["Start the script by one launcher alone"], marks=pytest.mark.slow
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "messages"), REFUSED)
def test_what_cannot_be_trained_together_is_refused(tmp_path, case, messages):
    code, _, err = ended(launch(case, tmp_path))
    assert code != 0
    assert [message for message in messages if message not in err] == []


@pytest.mark.slow
def test_callbacks_that_look_at_batches_change_nothing(tmp_path):
    code, out, err = ended(launch("watched", tmp_path))
    assert code == 0, err[-3000:]
    told = [json.loads(line) for line in re.findall(r"\[\d[^\]]*\]", out)]
    assert len(told) == 2
    assert told[0][1:] == told[1][1:]


@pytest.mark.slow
def test_a_search_in_each_process_has_workers_of_its_own(tmp_path):
    code, out, err = ended(launch("searched", tmp_path))
    assert code == 0, err[-3000:]
    assert out.count('"search"') == 2


def kill_one(folder, rng):
    """Kill a process in the middle of a fit; give the exit code and the seconds until the end."""
    process = launch("long_fit", folder)
    deadline = time.monotonic() + LIMIT
    files = [folder / f"{rank}.pid" for rank in range(2)]
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1][-3000:]
        time.sleep(0.05)
    time.sleep(rng.uniform(0, 0.5))
    os.kill(int(rng.choice(files).read_text()), signal.SIGKILL)
    began = time.monotonic()
    code, _, err = ended(process, limit=60)
    return code, time.monotonic() - began, err


@pytest.mark.slow
def test_a_process_that_dies_ends_the_others(tmp_path):
    code, seconds, err = kill_one(tmp_path, random.Random(0))
    assert code != 0
    assert seconds < 60
    assert not list(tmp_path.glob("*.safetensors*"))
    assert not list(tmp_path.glob(".model*"))
    assert "SIGKILL" in err or "signal 9" in err.lower()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_no_kill_leaves_a_process_waiting(tmp_path, seed):
    code, seconds, _ = kill_one(tmp_path, random.Random(seed))
    assert code != 0
    assert seconds < 60
    assert not list(tmp_path.glob("*.safetensors*"))


def test_a_launcher_is_needed_where_one_is_asked_for():
    with pytest.raises(ValueError, match="no launcher has started this process"):
        AutoencoderTransformer(2, distributed=True).fit(curved(600))
    assert find_processes("auto") is ALONE
    assert find_processes(False) is ALONE


def test_one_process_sums_and_agrees_with_itself():
    assert ALONE.sum(2.0) == 2.0
    assert ALONE.sum(1, 2) == (1, 2)
    assert ALONE.of_all("x") == ["x"]
    assert ALONE.of_first("x") == "x"
    tensor = torch.ones(3)
    ALONE.sum_(tensor)
    ALONE.equalize([tensor])
    assert tensor.tolist() == [1, 1, 1]


def test_sums_in_shared_memory_are_those_of_all():
    n, size = 3, 20
    memory = torch.zeros(8 * n * 8 + 8 * n * size, dtype=torch.uint8)
    pids = [os.getpid()] * n
    sums = [SharedSums(SharedMemory(memory, rank, pids), size) for rank in range(n)]
    for step in range(1, 4):
        tensors = [torch.full((size,), float(10**rank * step)) for rank in range(n)]
        for rank in range(1, n):  # the others have come as far already
            torch.mul(tensors[rank], 0.5, out=sums[rank].parts[(step - 1) % 2, rank])
            sums[rank].memory.n_met = step
            sums[rank].memory.counters[rank, 0] = step
        sums[0].sum_(tensors[0], 0.5, timeout=5)
        assert tensors[0].tolist() == [55.5 * step] * size


def test_a_process_that_is_gone_or_silent_is_told():
    memory = torch.zeros(8 * 2 * 8 + 8 * 2 * 4, dtype=torch.uint8)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(RuntimeError, match="has ended"):
        SharedMemory(memory, 0, [os.getpid(), gone.pid]).meet(timeout=30)
    with pytest.raises(RuntimeError, match="not answered in time"):
        SharedMemory(memory, 0, [os.getpid(), os.getpid()]).meet(timeout=1.5)


def test_processes_of_other_machines_share_no_memory():
    def told(value):
        return [value, (*value[:1], "another", *value[2:])] if isinstance(value, tuple) else [value]

    assert shared_memory(0, told, torch.ones(4), 16) is None
    doubles = torch.ones(4, dtype=torch.float64)
    assert shared_memory(0, lambda value: [value], doubles, 16) is None
