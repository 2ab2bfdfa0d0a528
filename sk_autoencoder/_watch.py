"""A training as scikit-learn's callbacks are told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sk_autoencoder._data import Data


@dataclass(frozen=True)
class Watch:
    """A task of a fit, of which callbacks are told, and that they or Ctrl-C may stop.

    Parameters
    ----------
    estimator : estimator
    data : Data
        The rows of the fit, of which callbacks are told.
    attributes : callable
        Returns the fitted attributes of a state, a `Setup` or a `Training`, by name.
    interrupted : callable
        Tells whether the user asks to stop.
    context : object or None
        scikit-learn's context of the task; None before there is one.
    """

    estimator: Any
    data: Data
    attributes: Callable[[Any], dict]
    interrupted: Callable[[], bool] = lambda: False
    context: Any = None

    def begin(self, name: str, n_subtasks: int = 0) -> Watch:
        """Begin a task, or a part of this one, and return it."""
        if self.context is None:
            start, fit = self.estimator._init_callback_context, {"task_name": name}
            return self._begun(start(**fit, max_subtasks=n_subtasks))
        return self._begun(self.context.subcontext(task_name=name, max_subtasks=n_subtasks))

    def begin_epoch(self) -> Watch:
        """Begin an epoch, and return it."""
        return self._begun(self.context.subcontext(task_name="epoch"))

    def end(self, state: Any) -> bool:
        """End the task in a state; return whether a callback, or the user, asks to stop."""
        told = {"estimator": self.estimator, "X": self.data.X, "y": self.data.y}
        if self.context.task_name == "epoch":
            told["reconstruction_attributes"] = lambda: self.attributes(state)
        return self.context.call_on_fit_task_end(**told) or self.interrupted()

    def _begun(self, context: Any) -> Watch:
        """Tell of a task, and return it."""
        context.call_on_fit_task_begin(estimator=self.estimator, X=self.data.X, y=self.data.y)
        return replace(self, context=context)
