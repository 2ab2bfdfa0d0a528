"""The way from PCA to a network in training, and the rows that judge it in turn."""

import copy

import numpy as np
import pytest
import torch
from seams import wrap_runs
from skorch.callbacks import Callback
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import evidence
from sk_autoencoder._training.baseline import Baseline
from sk_autoencoder._training.evidence import PCA, Evidence, Line, Point, best_of, judged_epochs
from sk_autoencoder._training.selection import Gains

pytestmark = pytest.mark.quick


@pytest.fixture
def layer():
    return nn.Linear(3, 2)


def state(module):
    return copy.deepcopy(module.state_dict())


def test_a_line_joins_the_weights_of_then_and_now(layer):
    start, line = state(layer), Line(layer.parameters())
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(1.0)
    end = state(layer)
    with line.at(0.25):
        for name, value in layer.state_dict().items():
            torch.testing.assert_close(value, 0.75 * end[name] + 0.25 * start[name])
    assert all(torch.equal(value, end[name]) for name, value in layer.state_dict().items())
    line.shrink(0.0)
    assert all(torch.equal(value, end[name]) for name, value in layer.state_dict().items())
    line.shrink(1.0)
    assert all(torch.equal(value, start[name]) for name, value in layer.state_dict().items())


def test_weights_are_put_back_where_a_loss_raises(layer):
    line = Line(layer.parameters())
    nn.init.ones_(layer.weight)
    with pytest.raises(ZeroDivisionError), line.at(0.5):
        raise ZeroDivisionError
    assert (layer.weight == 1).all()


def test_a_line_joins_weights_that_have_changed_their_dtype(layer):
    start, line = state(layer), Line(layer.parameters())
    layer.double()
    nn.init.ones_(layer.weight)
    line.shrink(0.5)
    torch.testing.assert_close(layer.weight.detach(), (1 + start["weight"].double()) / 2)


def evidence_of(rows, saved, baseline, weight):
    return Evidence({p: Gains(np.array(rows)) for p in saved}, saved, baseline, weight)


def test_evidence_adds_up_by_the_weight_of_its_rows():
    point, other = Point(1, 0.0), Point(2, 0.5)
    one = evidence_of([1.0, 2.0], {point: 1.5, other: 0.0}, Baseline(4.0, 8.0), 2.0)
    two = evidence_of([3.0] * 6, {point: 3.0}, Baseline(8.0, 16.0), 6.0)
    both = one + two
    assert list(both.gains) == [point]  # the one that both have judged
    assert both.gains[point].of_each.tolist() == [1, 2, 3, 3, 3, 3, 3, 3]
    assert both.saved[point] == pytest.approx(2.625)
    assert both.baseline == Baseline(7.0, 14.0)
    assert both.weight == 8
    assert both.score(PCA) == pytest.approx(0.5)
    assert both.score(point) == pytest.approx(1 - (7 - 2.625) / 14)


def test_the_best_point_gains_most_and_more_than_chance():
    rng = np.random.RandomState(0)
    noise = rng.standard_normal(200)
    noise -= noise.mean()
    gains = {
        Point(1, 0.0): Gains(1.0 + noise),
        Point(2, 0.0): Gains(1.2 + noise),
        Point(3, 0.5): Gains(1.3 + 20 * noise),  # hardly more, and far less sure
        Point(4, 0.0): Gains(-1.0 + noise),
    }
    assert best_of(gains, few=True) == Point(2, 0.0)
    assert best_of({p: gains[p] for p in gains if p != (2, 0.0)}, few=True) == Point(1, 0.0)
    # Of many rows the mean decides.
    del gains[Point(3, 0.5)]
    assert best_of(gains, few=False) == Point(2, 0.0)
    assert best_of({Point(4, 0.0): gains[Point(4, 0.0)]}, few=False) == PCA
    assert best_of({Point(3, 0.5): Gains(0.01 + noise)}, few=False) == PCA
    assert best_of({}, few=False) == PCA
    assert best_of({Point(1, 0.0): Gains(np.ones(1))}, few=False) == PCA


def test_later_epochs_are_asked_of_until_they_gain_less_than_the_best_for_sure():
    noise = np.random.RandomState(0).standard_normal((5, 50))
    noise -= noise.mean(axis=1, keepdims=True)
    means = {1: 1.0, 2: 2.0, 3: 1.9, 4: 0.5, 5: 0.4}

    def last_epoch(means):
        gains = {
            Point(epoch, 0.0): Gains(mean + of_rows)
            for (epoch, mean), of_rows in zip(means.items(), noise, strict=False)
        }
        return Evidence(gains, {}, Baseline(1.0, 1.0), 1.0).last_epoch()

    assert last_epoch(means) == 3  # which may be better than 2 by other rows
    assert last_epoch(means | {5: 1.9}) == 5
    assert last_epoch(dict.fromkeys(means, 0.0)) == 5  # nothing tells them apart
    assert last_epoch({epoch: -mean for epoch, mean in means.items()}) == 5  # of no gain, the least
    assert last_epoch({1: 1.0}) == 1
    # An epoch may be the best with its weights moved back to PCA. Of a single row nothing is sure.
    shrunk = {Point(1, 0.0): 2.0, Point(2, 0.0): 0.1, Point(2, 0.5): 2.0, Point(3, 0.5): 0.1}
    gains = {point: Gains(mean + noise[i]) for i, (point, mean) in enumerate(shrunk.items())}
    assert Evidence(gains, {}, Baseline(1.0, 1.0), 1.0).last_epoch() == 2
    gains = {point: Gains(np.array([mean])) for point, mean in shrunk.items()}
    assert Evidence(gains, {}, Baseline(1.0, 1.0), 1.0).last_epoch() == 3


@pytest.mark.parametrize("n_epochs", [1, 2, 9, 10, 11, 63, 400])
def test_some_ten_epochs_are_judged_the_last_of_them(n_epochs):
    epochs = judged_epochs(n_epochs)
    assert len(epochs) == min(n_epochs, 10)
    assert epochs[-1] == n_epochs
    assert 1 <= epochs[0] <= max(1, n_epochs / 10)
    assert epochs == sorted(set(epochs))


@pytest.mark.parametrize("groups", [None, np.arange(120) // 4], ids=["rows", "groups"])
def test_each_row_is_asked_once_by_a_net_that_is_new_to_it(quick, X, courses, groups, monkeypatch):
    monkeypatch.setattr(evidence, "SETTLED", np.inf)
    quick(max_epochs=12).fit(X, groups=groups)
    *turns, last = courses
    assert last.asked is None
    assert len(last.train.rows) == 120
    assert len(turns) == 3
    asked = np.concatenate([turn.asked.rows for turn in turns])
    assert sorted(asked) == list(range(120))
    units = np.arange(120) if groups is None else groups
    for turn in turns:
        train, rows = turn.train.rows, turn.asked.rows
        assert len(train) + len(rows) == 120
        assert not np.isin(units[rows], units[train]).any()


def test_other_rows_are_not_asked_of_epochs_that_have_lost(quick, X, courses, monkeypatch):
    monkeypatch.setattr(evidence, "SETTLED", np.inf)
    monkeypatch.setattr(Evidence, "last_epoch", lambda self: 5)
    autoencoder = quick(max_epochs=12).fit(X)
    first, *turns, last = [(course.plan.n_epochs, course.plan.length) for course in courses]
    assert first == (12, 12)
    assert turns == [(12, 5), (12, 5)]
    assert last[0] == 12  # of the same schedule, in each of them
    assert last[1] <= 5
    assert len(autoencoder.history_) == 13
    told = autoencoder.history_.set_index("epoch")["shrinkage"]
    assert told.loc[1:5].notna().any()
    assert told.loc[6:].isna().all()


def test_no_further_rows_are_asked_where_the_gain_is_sure(quick, X, courses):
    autoencoder = quick(max_epochs=40).fit(X)
    assert not autoencoder.is_pca_
    assert len(courses) == 2


@pytest.mark.parametrize(
    "params",
    [
        {"refit": False},
        {"linear_shortcut": False},
        {"sparsity_penalty": 0.1},
        {"callbacks": [Callback()]},
        {"warm_start": True},
        {"early_stopping": False},
    ],
    ids=lambda params: next(iter(params)),
)
def test_where_rows_do_not_judge_in_turn(quick, X, courses, params):
    quick(max_epochs=12, **params).fit(X)
    assert all(course.asked is None for course in courses)


def test_the_last_weights_are_moved_back_along_the_line(quick, X, monkeypatch):
    ends = []

    def watched(run, setup, course, task):
        ends.append([parameter.detach().clone() for parameter in setup.net.parameters()])
        ended = run(setup, course, task)
        ends.append([parameter.detach().clone() for parameter in setup.net.parameters()])
        return ended

    wrap_runs(monkeypatch, watched)
    monkeypatch.setattr("sk_autoencoder._training.run.judged_epochs", lambda n_epochs: [n_epochs])
    X = X.astype(np.float32)
    for shrinkage in (0.0, 0.25):
        quick(shrinkage=shrinkage, max_epochs=40).fit(X)
    start, free, _, shrunk = ends[2], ends[3], ends[-2], ends[-1]
    for begun, trained, moved in zip(start, free, shrunk, strict=True):
        torch.testing.assert_close(moved, 0.75 * trained + 0.25 * begun)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("shrinkage", [0.0, 0.25, 0.5])
def test_a_shrinkage_that_is_given_is_that_of_the_result(quick, X, refit, shrinkage):
    autoencoder = quick(max_epochs=40, shrinkage=shrinkage, refit=refit).fit(X)
    assert not autoencoder.is_pca_
    assert autoencoder.shrinkage_ == shrinkage
    plain = quick(max_epochs=40, shrinkage=0.0, refit=refit).fit(X)
    assert (autoencoder.score(X) < plain.score(X)) == (shrinkage > 0)


def test_a_validated_score_is_that_of_the_shrunk_weights(quick, X):
    X = X.astype(np.float64)
    autoencoder = quick(max_epochs=40, shrinkage=0.5, refit=False).fit(X, X_val=X[:40] + 0.01)
    assert autoencoder.shrinkage_ == 0.5
    left = autoencoder.reconstruct(X[:40] + 0.01) - (X[:40] + 0.01)
    mean = X[:40] + 0.01 - autoencoder.mean_
    explained = 1 - np.square(left).sum() / np.square(mean).sum()
    assert autoencoder.validation_score_ == pytest.approx(explained, rel=1e-5)


def test_pca_is_the_whole_way_back(quick, X):
    linear = X @ np.diag([5, 3, 0.1, 0.1, 0.1, 0.1]) * np.array([1, 1, 0, 0, 0, 0])
    autoencoder = quick(max_epochs=3).fit(linear + 1e-3 * np.random.RandomState(0).randn(120, 6))
    assert autoencoder.is_pca_
    assert autoencoder.shrinkage_ == 1
    assert quick(max_epochs=0).fit(X).shrinkage_ == 1


@pytest.mark.parametrize("shrinkage", [-0.1, 1.0, "pca", None])
def test_a_shrinkage_that_makes_no_sense_is_refused(quick, X, shrinkage):
    with pytest.raises(ValueError, match="shrinkage"):
        quick(shrinkage=shrinkage).fit(X)


def test_a_default_fit_falls_no_further_below_pca_than_chance_allows():
    # Rows without structure, of as many features as a network likes to learn by heart.
    for seed in range(3):
        rng = np.random.RandomState(seed)
        X, X_new = rng.standard_normal((60, 10)), rng.standard_normal((2000, 10))
        autoencoder = AutoencoderTransformer(3, max_epochs=40, random_state=0).fit(X)
        pca = AutoencoderTransformer(3, max_epochs=0).fit(X)
        assert autoencoder.score(X_new) > pca.score(X_new) - 0.01
