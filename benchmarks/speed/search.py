"""What a second process saves of a grid search.

The first search with two processes also starts them, and each of them imports torch; it is
told apart. They stay for the searches that follow, which are compared.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.model_selection import GridSearchCV

from benchmarks.speed.data import Case
from benchmarks.speed.measuring import Answer, Bar, in_turns, medians
from benchmarks.speed.rivals import textbook

GRID = {"n_components": [4, 8], "lr": [1e-3, 3e-3]}
FOLDS = 3
EPOCHS = 50
LEAST_GAIN = 1.6


def ask(case: Case, rounds: int) -> Answer:
    """Search with one and with two processes."""
    print(f"\ngrid search on {case.name}, {FOLDS} folds, 4 candidates, {EPOCHS} epochs")
    X = case.load()
    runs = {
        f"n_jobs={n_jobs}": partial(search, X, textbook(case, max_epochs=EPOCHS), n_jobs)
        for n_jobs in (1, 2)
    }
    first = medians(in_turns(runs, 1))
    seconds = in_turns(runs, rounds)
    middle = medians(seconds)
    for name in runs:
        print(f"  {name:<24} {middle[name]:8.3f} s, the first time {first[name]:.3f} s", flush=True)
    gain = middle["n_jobs=1"] / middle["n_jobs=2"]
    bar = Bar("grid search, n_jobs=1 / n_jobs=2", gain, LEAST_GAIN, at_least=True)
    figures = {f"first time, {name}": of for name, of in first.items()}
    return Answer(seconds, figures, [bar])


def search(X: np.ndarray, model, n_jobs: int) -> GridSearchCV:
    return GridSearchCV(model, GRID, cv=FOLDS, n_jobs=n_jobs, refit=False).fit(X)
