"""How long few rows train: for longer and longer, while rows that judge gain by it."""

import numpy as np
import pytest
from sklearn.datasets import make_swiss_roll
from test_scikit_learn_callbacks import Recorder, StopAfter

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import budget, repeats
from sk_autoencoder._training.selection import Gains

N_EPOCHS = 12


@pytest.fixture
def free(monkeypatch):
    """Give a function that makes an autoencoder which finds its budget, of a dozen epochs first."""
    monkeypatch.setattr(budget, "AUTO_EPOCHS", (N_EPOCHS, N_EPOCHS))

    def make(**params):
        defaults = {"hidden_layer_sizes": (32, 16), "batch_size": 16, "random_state": 0}
        return AutoencoderTransformer(2, **(defaults | params))

    return make


@pytest.fixture
def roll():
    """A rolled up plane without noise, which a longer training unrolls better: (400, 3)."""
    return make_swiss_roll(400, random_state=0)[0]


@pytest.fixture
def gaining(monkeypatch):
    """Let each longer training be a better one, which has more to come."""
    monkeypatch.setattr(repeats, "_gains_more", lambda longer, shorter: True)
    monkeypatch.setattr(repeats, "_is_unfinished", lambda attempt: True)


@pytest.mark.quick
def test_the_budget_is_doubled_twice_at_most(free, roll, courses, gaining):
    grown = free().fit(roll)
    longest = 4 * N_EPOCHS
    rows = [len(course.train.rows) for course in courses]
    lengths = tuple(course.plan.n_epochs for course in courses)
    assert lengths[:3] == (N_EPOCHS, 2 * N_EPOCHS, longest)
    assert rows[0] == rows[1] == rows[2]
    # All that follow take the budget found, the last of them on all rows.
    assert set(lengths[3:]) == {longest}
    assert rows[-1] == len(roll)
    assert courses[-1].plan.last == grown.best_epoch_
    assert grown.n_iter_ == longest
    assert grown.history_["epoch"].tolist() == list(range(1 + longest))


@pytest.mark.slow
def test_rows_that_gain_by_it_are_trained_on_for_longer(free, roll, monkeypatch):
    fits = [free(random_state=seed).fit(roll) for seed in range(4)]
    grown = [fit.n_iter_ > N_EPOCHS for fit in fits]
    assert sum(grown) >= 2
    monkeypatch.setattr(repeats, "MOST_LONGER", 0)
    short = [free(random_state=seed).fit(roll) for seed in range(4)]
    left, before = (np.mean([1 - fit.score(roll) for fit in each]) for each in (fits, short))
    assert left < 0.9 * before


@pytest.mark.quick
def test_a_longer_training_that_gains_nothing_leaves_the_shorter_one(
    free, roll, courses, gaining, monkeypatch
):
    monkeypatch.setattr(repeats, "_gains_more", lambda longer, shorter: False)
    fit = free().fit(roll)
    assert [course.plan.n_epochs for course in courses[:2]] == [N_EPOCHS, 2 * N_EPOCHS]
    assert all(course.plan.n_epochs == N_EPOCHS for course in courses[2:])
    assert fit.n_iter_ == N_EPOCHS


@pytest.mark.quick
def test_rows_that_are_learned_by_heart_are_not_trained_on_for_longer(free, courses):
    noise = np.random.RandomState(0).standard_normal((60, 12))
    free(hidden_layer_sizes=(128, 64)).fit(noise)
    assert all(course.plan.n_epochs == N_EPOCHS for course in courses)


@pytest.mark.quick
@pytest.mark.parametrize(("limit", "is_grown"), [(repeats.MOST_OVERFIT, False), (3.0, True)])
def test_what_may_be_noise_is_not_trained_on_for_longer(
    free, courses, monkeypatch, limit, is_grown
):
    rng = np.random.RandomState(0)
    t = rng.uniform(-1, 1, (150, 2))
    X = np.c_[t, 2 * t**2, np.sin(4 * t), np.cos(3 * t)] + 0.2 * rng.standard_normal((150, 8))
    monkeypatch.setattr(repeats, "MOST_OVERFIT", limit)
    fit = free(hidden_layer_sizes=(64, 32)).fit(X)
    assert not fit.is_pca_
    assert (courses[1].plan.n_epochs == 2 * N_EPOCHS) == is_grown


@pytest.mark.parametrize(
    "params",
    [
        {"max_epochs": N_EPOCHS},
        {"lr": 0.005},
        {"refit": False},
        {"early_stopping": False},
        {"warm_start": True},
        {"corruption": "gaussian"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_a_budget_that_is_given_or_judged_by_none_is_kept(free, roll, courses, params):
    free(**params).fit(roll)
    assert all(course.plan.n_epochs == N_EPOCHS for course in courses)


@pytest.mark.quick
def test_rows_that_judge_one_training_judge_a_whole_one(free, roll, monkeypatch):
    monkeypatch.setattr(budget, "AUTO_EPOCHS", (1, 10**6))
    monkeypatch.setattr(budget, "STEPS", 400)
    judged, alone = free(refit=False).fit(roll), free(early_stopping=False).fit(roll)
    n_steps = [fit.n_iter_ * -(-n // 16) for fit, n in ((judged, 300), (alone, 400))]
    assert n_steps[0] > 1.5 * n_steps[1]


@pytest.mark.quick
def test_groups_judge_longer_trainings(free, roll, monkeypatch):
    judged = []
    gains_more = repeats._gains_more

    def watched(longer, shorter):
        judged.append([attempt.evidence.n_independent for attempt in (longer, shorter)])
        return gains_more(longer, shorter)

    monkeypatch.setattr(repeats, "_gains_more", watched)
    monkeypatch.setattr(repeats, "_is_unfinished", lambda attempt: True)
    free(random_state=3).fit(roll, groups=np.arange(400) // 4)
    assert judged[0] == [34, 34]  # a third of a hundred


@pytest.mark.quick
def test_callbacks_are_told_of_longer_trainings_and_change_nothing(free, roll, gaining):
    plain, recorder = free().fit(roll), Recorder()
    watched = free().set_callbacks(recorder).fit(roll)
    np.testing.assert_array_equal(watched.transform(roll), plain.transform(roll))
    assert sum(call.startswith("begin longer") for call in recorder.calls) == 2


@pytest.mark.quick
def test_a_stop_in_a_longer_training_leaves_the_one_before(free, roll, gaining):
    def stop_after(n_epochs):
        return free().set_callbacks(StopAfter(n_epochs, again=False)).fit(roll)

    stopped, validated = stop_after(N_EPOCHS + 3), stop_after(N_EPOCHS)
    assert stopped.n_iter_ == N_EPOCHS
    assert stopped.best_epoch_ == validated.best_epoch_ > 0
    np.testing.assert_array_equal(stopped.transform(roll), validated.transform(roll))


def test_gains_over_another_net_keep_their_groups():
    groups = np.array([0, 0, 1, 1])
    gains = Gains(np.array([3.0, 4, 5, 6]), groups) - Gains(np.array([1.0, 1, 1, 2]), groups)
    assert gains.of_each.tolist() == [2, 3, 4, 4]
    assert gains.n_independent == 2
