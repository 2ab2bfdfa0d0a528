"""What timings depend on, in one line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

PACKAGES = ("sk-autoencoder", "torch", "scikit-learn", "numpy")


def described() -> str:
    """Return the kind of machine, its cores, and the versions of what computes."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    processor = platform.processor() or platform.machine()
    return (
        f"{platform.system()} on {processor}, {os.cpu_count()} cores; Python "
        f"{platform.python_version()}, {versions}"
    )
