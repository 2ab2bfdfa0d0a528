"""How many threads the steps of a training take: one or all, whichever are quicker by now."""

from __future__ import annotations

import math
import time
from collections.abc import Generator

from sk_autoencoder._utils.threads import OneThread

# Steps that are timed with each number of threads. They are timed again after so many steps, and so
# many times the seconds that they took, since a step of threads that wait can be very long.
N_TIMED, N_STEPS, RARELY = 4, 200, 30.0


class Pace:
    """Finds by timing steps whether one thread is quicker than all, again from time to time.

    On an idle machine all are. Beside other busy processes threads wait for each other at each
    product, and a step can take ten times as long as with one of them.
    """

    def __init__(self):
        self.one = OneThread()
        self.is_alone = False
        self.seconds, self.began = 0.0, None
        self.steps = self._steps()

    def next_step(self) -> None:
        """Choose the threads of the step that begins now."""
        self.pause()
        next(self.steps)
        self.began = time.perf_counter()

    def pause(self) -> None:
        """Stop the clock, which goes on with the next step."""
        if self.began is not None:
            self.seconds += time.perf_counter() - self.began
            self.began = None

    def end(self) -> None:
        """Leave the threads as they were."""
        self._set(alone=False)
        self.steps.close()

    def _steps(self) -> Generator[None]:
        """Yield before each step, with its threads set."""
        while True:
            alone = yield from self._timed(alone=True)
            together = yield from self._timed(alone=False, most=alone)
            self._set(alone=alone < together)
            self.seconds, n_steps = 0.0, 0
            while n_steps < N_STEPS or self.seconds < RARELY * (alone + together):
                yield
                n_steps += 1

    def _timed(self, *, alone: bool, most: float = math.inf) -> Generator[None, None, float]:
        """Yield before some steps, and return the seconds they took, once these are over `most`."""
        self._set(alone)
        self.seconds = 0.0
        for _ in range(N_TIMED):
            yield
            if self.seconds > most:
                break
        return self.seconds

    def _set(self, alone: bool) -> None:
        if alone is not self.is_alone:
            if alone:
                self.one.__enter__()
            else:
                self.one.__exit__()
            self.is_alone = alone
