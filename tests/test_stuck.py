"""Nets that the noise of small batches keeps at PCA, and how they leave it."""

import numpy as np
import pytest
from sklearn.datasets import make_s_curve

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import budget, repeats
from sk_autoencoder._training.evidence import Evidence, judged_epochs

N_EPOCHS = 48


def curve(n_rows, seed, noise=0.0):
    """Give a plane that is bent to an S, and new rows of it."""
    return (
        make_s_curve(n, noise=noise, random_state=seed + more)[0]
        for n, more in ((n_rows, 0), (1000, 100))
    )


def plans_of(courses):
    """Give the plans of trainings, and whether each is on all rows."""
    return [(course.plan, course.held_out is None and course.asked is None) for course in courses]


@pytest.mark.quick
@pytest.mark.parametrize("seed", [1, 4, 7])
def test_a_bent_plane_of_a_thousand_rows_is_found(seed):
    rows, new = curve(1000, seed)
    fit = AutoencoderTransformer(2, random_state=seed).fit(rows)
    assert fit.score(new) > 0.99


@pytest.mark.slow
def test_a_bent_plane_of_more_rows_is_found():
    rows, new = curve(2500, 1, noise=0.2)
    fit = AutoencoderTransformer(2, random_state=1).fit(rows)
    assert fit.score(new) > 0.97


def test_a_net_that_stays_at_pca_is_trained_in_larger_batches(courses):
    rows, _ = curve(1000, 1)
    AutoencoderTransformer(2, random_state=1).fit(rows)
    (first, _), (calmer, _), *_, (last, on_all) = plans_of(courses)
    assert calmer.batch_size == 4 * first.batch_size
    assert calmer.n_epochs == 4 * first.n_epochs
    assert on_all
    assert last.batch_size >= calmer.batch_size


def test_a_training_on_all_rows_that_stays_at_pca_is_repeated(courses, monkeypatch):
    rows, new = curve(300, 0)
    monkeypatch.setattr(repeats, "_is_unfinished", lambda attempt: False)
    plain = AutoencoderTransformer(2, random_state=0).fit(rows)
    n_plans = len(plans_of(courses))
    # As if it had saved nothing.
    monkeypatch.setattr(repeats, "LEAST_SAVED", np.inf)
    repeated = AutoencoderTransformer(2, random_state=0).fit(rows)
    (before, _), (last, on_all) = plans_of(courses)[-2:]
    assert len(plans_of(courses)) == 2 * n_plans + 1
    assert on_all
    assert last.batch_size == 4 * before.batch_size
    assert last.last == 4 * before.last
    assert repeated.best_epoch_ == plain.best_epoch_
    assert repeated.score(new) > 0.97


def test_epochs_of_larger_batches_tell_of_those_of_the_first_training(courses, monkeypatch):
    rows, _ = curve(300, 0)
    monkeypatch.setattr(repeats, "_is_unfinished", lambda attempt: False)
    monkeypatch.setattr(repeats, "LEAST_SAVED", np.inf)
    monkeypatch.setattr(Evidence, "is_settled", False)
    monkeypatch.setattr(Evidence, "last_epoch", lambda evidence: N_EPOCHS)
    monkeypatch.setattr(budget, "AUTO_EPOCHS", (N_EPOCHS, N_EPOCHS))
    fit = AutoencoderTransformer(2, random_state=0).fit(rows)
    sizes, lasts = zip(
        *[(plan.batch_size, plan.last) for plan, _ in plans_of(courses)[:5]], strict=True
    )
    size, last = sizes[0], N_EPOCHS
    assert sizes == (size, size, 4 * size, size, 4 * size)
    assert lasts == (None, last, 4 * last, last, 4 * last)
    told = fit.history_.set_index("epoch")["shrinkage"].dropna()
    assert told.index.tolist() == [0, *judged_epochs(N_EPOCHS)]


@pytest.mark.quick
@pytest.mark.parametrize(
    "params",
    [{"batch_size": 32}, {"max_epochs": 20}, {"warm_start": True}, {"early_stopping": False}],
    ids=lambda params: next(iter(params)),
)
def test_what_is_given_or_judged_by_none_is_kept(courses, params):
    rows, _ = curve(1000, 1)
    AutoencoderTransformer(2, random_state=1, **params).fit(rows)
    assert len({plan.batch_size for plan, on_all in plans_of(courses) if not on_all}) <= 1
    assert len({plan.n_epochs for plan, _ in plans_of(courses) if plan.n_epochs > 0}) == 1


@pytest.mark.quick
def test_rows_that_pca_reconstructs_ask_for_no_larger_batches(courses):
    random = np.random.RandomState(0)
    rows = random.standard_normal((300, 2)) @ random.standard_normal((2, 6))
    assert AutoencoderTransformer(2, random_state=0).fit(rows).is_pca_
    assert len({plan.batch_size for plan, _ in plans_of(courses) if plan.n_epochs > 0}) == 1
