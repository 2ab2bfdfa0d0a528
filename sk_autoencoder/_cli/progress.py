"""A bar for who looks at a terminal."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any


def progress_bar() -> Any:
    """Return scikit-learn's progress bar, None where nobody would see it or rich is not there."""
    if not (sys.stdout.isatty() and sys.stderr.isatty() and importlib.util.find_spec("rich")):
        return None
    from sklearn.callback import ProgressBar

    return ProgressBar()
