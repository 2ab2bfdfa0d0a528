"""What figures depend on: the machine, and the versions of packages."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = ("sk-autoencoder", "torch", "skorch", "scikit-learn", "numpy", "pyod", "encdr")


def machine() -> dict:
    """Return what the figures depend on, beside versions."""
    return {
        "processor": processor(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def processor() -> str:
    """Return the name of the processor, which platform does not tell on Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe() -> str:
    """Return all of it in a line."""
    return ", ".join(f"{name} {value}" for name, value in (machine() | versions()).items())
