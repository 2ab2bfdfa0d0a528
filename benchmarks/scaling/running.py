"""Runs of `benchmarks.scaling.case` in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

CASE = "benchmarks.scaling.case"


def run_case(*arguments, n_processes: int = 1, module: str = CASE) -> list[dict]:
    """Return what each process tells of a case; all take one thread."""
    command = [sys.executable, "-m"]
    if n_processes > 1:
        command += [
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={n_processes}",
            "-m",
        ]
    command += [module, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(found.stderr[-4000:])
    return [json.loads(line) for line in re.findall(r"\{[^{}]*\}", found.stdout)]
