"""Who is told of a training: nobody, where it is called by itself."""

from __future__ import annotations

from typing import Any


class Unwatched:
    """A task of which nobody is told, and that nobody stops.

    The estimators put one in its place that tells scikit-learn's callbacks.
    """

    def begin(self, name: str, n_subtasks: int = 0) -> Unwatched:
        """Begin a task, or a part of this one, and return it."""
        return self

    def begin_epoch(self) -> Unwatched:
        """Begin an epoch, and return it."""
        return self

    def end(self, state: Any) -> bool:
        """End the task in a state, a `Setup` or a `Training`; return whether to stop."""
        return False
