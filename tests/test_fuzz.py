"""Random parameters, tables and orders of calls, the same in each run, and what they find."""

import contextlib
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings

from benchmarks.fuzz import cases, play, search, tables
from benchmarks.fuzz.cases import Case, Table
from benchmarks.fuzz.play import Finding, Refused, check
from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer

N_CASES = 200
SEED = 20


@pytest.mark.slow
@seed(SEED)
@settings(
    max_examples=N_CASES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(cases.cases())
def test_nothing_is_found_in_some_hundred_random_cases(case):
    # Parameters that do not go together are refused by the checks of the package.
    with contextlib.suppress(Refused):
        check(case)


def test_a_seed_gives_the_same_cases(monkeypatch):
    seen = []
    monkeypatch.setattr(search, "check", lambda case: seen.append(repr(case)))
    for number in (1, 1, 2):
        search.search(30, number)
    first, again, other = seen[:30], seen[30:60], seen[60:]
    assert len(set(first)) > 25
    assert first == again != other


def test_a_case_is_repeated_by_its_script(monkeypatch):
    case = Case(Table("counts", dtype="bool"), {"loss": "<log_cosh>"}, ("fit", "pickle"))
    seen = []
    monkeypatch.setattr(play, "check", seen.append)
    exec(search.repeat(case), {})
    assert seen == [case]


@pytest.mark.parametrize("container", tables.CONTAINERS)
@pytest.mark.parametrize("dtype", tables.DTYPES)
def test_all_containers_hold_the_same_cells(container, dtype):
    table = Table("counts", 6, 4, dtype=dtype, container=container)
    rows = table.rows()
    if hasattr(rows, "toarray"):
        rows = rows.toarray()
    assert (np.asarray(rows, dtype=float) == table.values()).all()
    assert tables.snapshot(table.rows()) == tables.snapshot(table.rows())


def test_each_name_of_a_call_has_what_it_does():
    names = {*cases.TRAINING, *cases.DETECTOR_CALLS}
    assert names == set(play.CALLS)
    assert set(cases.BETWEEN) == set(play.STEPS)
    assert set(cases.FAILING) == set(play.FAILURES)
    assert set(cases.DETECTOR_BETWEEN) <= set(play.STEPS | play.FAILURES)


# What a fault would do, and the kind of finding that it has to become.
def _break(monkeypatch, method, change, cls=AutoencoderTransformer):
    """Let a method do something more than it does; `change` is given its result and arguments."""
    original = getattr(cls, method)

    def broken(self, X, *args, **kwargs):
        return change(original(self, X, *args, **kwargs), self, X)

    monkeypatch.setattr(cls, method, broken)


def _in_place(result, self, X):
    X += 1
    return result


def _draws(result, self, X):
    np.random.rand()
    return result


def _warns(result, self, X):
    warnings.warn("something", RuntimeWarning, stacklevel=2)
    return result


def _sets_threads(result, self, X):
    torch.set_default_dtype(torch.float64)
    return result


def _fails(result, self, X):
    return np.ones(2) @ np.ones(3)


def _of_the_batch(result, self, X):
    return result + result.mean()


def _nan(result, self, X):
    return np.where(np.arange(len(result))[:, None] == 1, np.nan, result)


def _unseeded(result, self, X):
    self.explained_variance_ = np.abs(np.random.RandomState().randn(self.n_components_))
    return result


def _single(result, self, X):
    return result.astype(np.float32)


FAULTS = {
    "changes X": ("fit", _in_place, "fit changes its arguments"),
    "draws from NumPy's generator": ("fit", _draws, "a global setting changes: numpy"),
    "warns": ("fit", _warns, "RuntimeWarning at"),
    "changes a setting": ("fit", _sets_threads, "a global setting changes: dtype"),
    "raises NumPy's error": ("fit", _fails, "ValueError in tests/test_fuzz.py:_fails"),
    "reads the other rows": ("transform", _of_the_batch, "a row alone has another code"),
    "gives NaN": ("transform", _nan, "codes are not finite"),
    "is not seeded": ("fit", _unseeded, "the same calls"),
    "changes the dtype": ("reconstruct", _single, "codes and reconstructions differ in dtype"),
    "changes a row": ("reconstruct", _of_the_batch, "reconstruct is not inverse_transform"),
    "is wrong of errors": ("reconstruction_error", _of_the_batch, "errors are not those"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(monkeypatch, name):
    method, change, kind = FAULTS[name]
    check(Case())
    _break(monkeypatch, method, change)
    try:
        with pytest.raises(Finding, match=kind):
            check(Case())
    finally:
        torch.set_default_dtype(torch.float32)


def test_rows_that_depend_on_others_are_found(monkeypatch):
    for method in ("reconstruct", "transform"):
        _break(monkeypatch, method, lambda result, self, X: result * (1 + 1e-6 * len(result)))
    _break(monkeypatch, "reconstruction_error", lambda result, self, X: result)
    with pytest.raises(Finding):
        check(Case())


def test_what_an_error_leaves_behind_is_found(monkeypatch):
    case = Case(calls=("fit", "infinite cell"))
    check(case)
    original = AutoencoderTransformer.partial_fit

    def broken(self, X, *args):
        try:
            return original(self, X, *args)
        except ValueError:
            self.mean_ = self.mean_ + 1
            raise

    monkeypatch.setattr(AutoencoderTransformer, "partial_fit", broken)
    with pytest.raises(Finding, match="an error changes what was fitted: mean_"):
        check(case)


def test_what_pickle_loses_is_found(monkeypatch):
    case = Case(calls=("fit", "pickle"))
    check(case)

    whole = AutoencoderTransformer.__setstate__

    def lossy(self, state):
        whole(self, state)
        if hasattr(self, "mean_"):
            self.mean_ = self.mean_.astype(np.float32)

    monkeypatch.setattr(AutoencoderTransformer, "__setstate__", lossy)
    with pytest.raises(Finding, match="pickle gives other bits"):
        check(case)


def test_a_fault_of_the_detector_is_found(monkeypatch):
    case = Case(detector=True)
    check(case)
    _break(monkeypatch, "predict", lambda result, *_: -result, AutoencoderOutlierDetector)
    with pytest.raises(Finding, match="labels are not those of decision_function"):
        check(case)


def test_a_refusal_is_no_finding():
    with pytest.raises(Refused, match="n_components=9 must be at most"):
        check(Case(params={"n_components": 9}))


def test_constant_rows_are_rounded_in_units_of_one():
    table = Table("curved", 4, 5, -6, dtype="int64", seed=122)
    assert not table.values().any()
    check(Case(table, {"tied_weights": True}, ("fit with weights",)))


def test_a_fit_that_goes_on_from_constant_rows_may_diverge():
    estimator = AutoencoderTransformer(1).fit(np.ones((4, 2)))
    later = 1e12 * np.random.RandomState(0).standard_normal((2, 2))
    with pytest.raises(ValueError, match=r"^The fit diverged in epoch 1:") as error:
        estimator.partial_fit(later)
    case = Case(calls=("fit", "partial_fit a few rows"))
    with pytest.raises(Refused):
        play._judge(error.value, "partial_fit a few rows", case)
    with pytest.raises(Finding):
        play._judge(error.value, "fit", case)


def test_a_finding_is_made_small(monkeypatch):
    _break(monkeypatch, "partial_fit", _warns)
    table = Table("counts", 30, 8, 3, 1.0, "float32", "polars", 0.1, 5)
    case = Case(table, {"nested": True, "n_components": 2}, ("fit", "partial_fit", "pickle"))
    with pytest.raises(Finding) as found:
        check(case)
    smaller = search.smallest(case, found.value.kind)
    assert smaller == Case(Table(n_samples=4, seed=5), {}, ("partial_fit",))


@pytest.mark.parametrize("found", [False, True])
def test_the_command_exits_1_where_something_is_found(monkeypatch, capsys, found):
    from benchmarks.fuzz.__main__ import main

    if found:
        _break(monkeypatch, "fit", _warns)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--cases", "3", "--seed", "4"])
    assert main() == int(found)
    printed = capsys.readouterr().out
    assert "3 cases of seed 4" in printed
    assert ("check(Case(" in printed) == found
    assert ("RuntimeWarning at" in printed) == found


def test_what_lies_outside_of_the_axes_may_be_all_that_there_is_to_a_bound():
    table = Table(shape="curved", n_samples=2, n_features=5, exponent=12, seed=527)
    check(Case(table=table, params={"variational": True}, calls=("fit with weights",)))
