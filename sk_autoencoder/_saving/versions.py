"""The versions of this package and of those that a fit depends on."""

from __future__ import annotations

import importlib
import platform
from importlib import metadata
from typing import Any

LIBRARIES = ("torch", "skorch", "scikit-learn", "numpy", "pandas", "safetensors")


def version() -> str:
    """Return the version of this package."""
    module: Any = importlib.import_module("sk_autoencoder")
    return module.__version__


def versions() -> dict[str, str]:
    """Return the versions of this package and of those that a fit depends on, by name."""
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return {"sk-autoencoder": version(), "python": platform.python_version()} | libraries
