"""Tables that are larger than memory, as a fit takes them: checked, with rows drawn that judge."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.utils.random import sample_without_replacement

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._sources import find
from sk_autoencoder._sources.files import MappedArray
from sk_autoencoder._sources.find import find_source
from sk_autoencoder._sources.source import Source
from sk_autoencoder._sources.table import Table
from sk_autoencoder._training.few_rows import FEW
from sk_autoencoder._training.split import VALIDATION_FRACTION
from sk_autoencoder._utils.processes import Alone
from sk_autoencoder._utils.sizes import check_cells, largest_cell
from sk_autoencoder._validation import Passed, check_domain

# Of the rows that are kept in memory to judge, and of those that stand for all where few will do.
MAX_JUDGES, MAX_FEW = 50_000, 5_000
MAX_BYTES = 2**26


def read_or_stream(passed: Passed, config: Config, processes: Alone) -> Passed:
    """Return what a fit is given, with X in memory where it is small, else as a `Table`.

    Each process has a share of a table. Few rows of all shares are gathered.
    """
    source = find_source(passed.X)
    if source is None:
        return passed

    def check(rows: np.ndarray) -> None:
        check_domain(rows, config.objective.found)
        # In NumPy, since this thread is not the one whose threads of torch are set.
        check_cells(np.array([rows.min(), rows.max()]), reset=False, dtype=rows.dtype)

    table, has_share = Table.of(source, check), getattr(source, "is_share", False)
    if has_share and processes.sum(len(table)) < FEW:
        return passed._replace(X=np.concatenate(processes.of_all(table.whole())))
    if not has_share and table.nbytes <= find.IN_MEMORY_BYTES:
        return passed._replace(X=_named(table.whole(), source))
    others = _others(passed, config)
    if isinstance(source, MappedArray) and (others or _misses_cells(table)):
        return passed  # what a map can do as an array
    if others:
        raise ValueError(
            f"X is larger than memory, and then no {' and '.join(others)} can be passed. Leave it "
            "out, or pass rows in memory."
        )
    return passed._replace(X=table if has_share else table.share(processes.rank, processes.size))


def check_width(estimator, table: Table) -> None:
    """Refuse a table of another width than that of the fit, as scikit-learn does an array."""
    if table.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {table.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )


def check_table(estimator, table: Table, *, reset: bool) -> Data:
    """Return the rows of a table, and tell the estimator of its columns."""
    names = getattr(table.source, "feature_names", None)
    if reset:
        estimator.n_features_in_ = table.shape[1]
        if names is not None:
            estimator.feature_names_in_ = np.asarray(names, dtype=object)
    check_width(estimator, table)
    return Data(table, table, range(len(table)))


def check_alone(config: Config, processes: Alone) -> None:
    """Refuse what only a process that trains alone can do."""
    if processes.size > 1 and config.runtime.checkpoint is not None:
        raise ValueError(
            "checkpoint is the state of one process, but several train together. Leave it out, or "
            "set distributed=False to train each by itself."
        )


def check_same_rows(data: Data, processes: Alone) -> None:
    """Refuse other rows in one process than in another, since each of them trains on a part."""
    if processes.size == 1:
        return
    told = str(float(data.X.sum(dtype=np.float64)))  # NaN is equal to itself as a text
    found = processes.of_all((data.X.shape, told))
    others = [rank for rank, one in enumerate(found) if one != found[0]]
    if others:
        raise ValueError(
            f"Process {others[0]} was given other rows than process 0: its X has the shape "
            f"{found[others[0]][0]}, and that of 0 {found[0][0]}. Pass the same X in each of them, "
            "of which they take parts, or set distributed=False to train each by itself."
        )


def draw_judges(
    data: Data, judges: Data | None, config: Config, processes: Alone, rng
) -> tuple[Data, Data | None]:
    """Return the data of a table without some of its rows, and these, in memory, as judges.

    They are drawn from all over the shares of all processes, in one pass, which also looks at the
    largest cell. None are drawn where there are `judges`, or where none are asked.
    """
    table, n_judges = data.X, 0
    most = max(2, MAX_BYTES // (table.dtype.itemsize * data.n_features))
    if config.schedule.early_stopping and judges is None:
        fraction = config.schedule.validation_fraction
        fraction = VALIDATION_FRACTION if fraction == "auto" else fraction
        wanted = math.ceil(fraction * len(table))
        n_judges = min(wanted, MAX_JUDGES // processes.size, most, len(table) - 1)
    n_few = min(MAX_FEW, most, len(table) - n_judges)
    drawn = sample_without_replacement(len(table), n_judges + n_few, random_state=rng)
    order = np.argsort(drawn)
    drawn, judge = drawn[order], order < n_judges
    few, largest = _looked_at(table, drawn)
    largest = max(processes.of_all(largest))
    check_cells(np.array([[largest]], dtype=table.dtype), reset=True)
    rest = replace(table.without(drawn[judge]), few=few[~judge], largest=largest)
    n_total = None if processes.size == 1 else int(processes.sum(len(rest)))
    of_rest = {"X": rest, "y": rest, "rows": range(len(rest)), "n_total": n_total}
    data = replace(data, **of_rest, processes=processes)
    if n_judges:
        rows = np.concatenate(processes.of_all(few[judge]))
        judges = Data(rows, rows, np.arange(len(rows)))
    return data, judges


def _looked_at(table: Table, drawn: np.ndarray) -> tuple[np.ndarray, float]:
    """Return rows by their ascending numbers, and the largest size of all cells."""
    found, begin, largest = [], 0, 0.0
    for piece in table.scan():
        some = drawn[np.searchsorted(drawn, begin) : np.searchsorted(drawn, begin + len(piece))]
        found.append(piece[some - begin])
        begin += len(piece)
        largest = max(largest, largest_cell(piece))
    return np.concatenate(found), largest


def _named(X: np.ndarray, source: Source):
    """Return an array, under the names of the columns where the source has some."""
    names = getattr(source, "feature_names", None)
    return X if names is None else pd.DataFrame(X, columns=names)


def _others(passed: Passed, config: Config) -> list[str]:
    """Return the names of what was passed with each row of X."""
    given = {"sample_weight": passed.sample_weight, "groups": passed.groups}
    if config.penalties.supervised_weight:
        given["y"] = passed.y
    return [name for name, value in given.items() if value is not None]


def _misses_cells(table: Table) -> bool:
    """Whether a table has missing cells, in a pass that ends at the first of them."""
    return any(np.isnan(piece).any() for piece in replace(table, may_miss=True).scan())
