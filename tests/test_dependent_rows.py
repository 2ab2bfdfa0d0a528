"""Rows that depend on each other: exact copies, groups, and validation rows of the user's own."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import make_autoencoder
from removing import with_missing
from scipy import sparse
from seams import data_of, rows_to_confirm, split_rows
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import AutoencoderTransformer, compare_with_pca
from sk_autoencoder._comparison import run_comparison
from sk_autoencoder._training import selection as _evidence
from sk_autoencoder._training.selection import ENOUGH_ROWS, Gains, better_than_chance
from sk_autoencoder._training.split import draw_rows
from sk_autoencoder._utils.copies import count_distinct, find_copies


@pytest.fixture
def routed():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def noise():
    """Rows of which PCA with 5 components explains a quarter, and no network more: (300, 20)."""
    return np.random.RandomState(0).standard_normal((300, 20))


@pytest.fixture
def new_noise():
    return np.random.RandomState(1).standard_normal((2000, 20))


def over_pca(autoencoder, X, X_new):
    """Error of new rows over that of PCA of the rows fitted."""
    pca = PCA(autoencoder.n_components_, svd_solver="full").fit(X)
    baseline = np.square(pca.inverse_transform(pca.transform(X_new)) - X_new).mean()
    return np.square(autoencoder.reconstruct(X_new) - X_new).mean() / baseline


# Copies are found.

CONTAINERS = {
    "array": np.asarray,
    "float32": lambda X: X.astype(np.float32),
    "Fortran": np.asfortranarray,
    "csr": lambda X: sparse.csr_array(X),
    "csr matrix": lambda X: sparse.csr_matrix(X),
}


@pytest.mark.quick
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_copies_share_a_number_and_other_rows_do_not(container):
    rng = np.random.RandomState(0)
    distinct = rng.randint(-1, 2, (200, 7)).astype(float)
    distinct[3] = 0.0
    distinct = np.unique(distinct, axis=0)
    order = rng.randint(len(distinct), size=500)
    numbers = find_copies(container(distinct[order]))
    pairs = {(int(a), int(b)) for a, b in zip(order, numbers, strict=True)}
    assert len(pairs) == len(set(order.tolist())) == len(set(numbers.tolist()))


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_rows_of_a_large_table_without_copies_are_told_apart(container):
    X = np.random.RandomState(0).standard_normal((20_000, 3))
    assert find_copies(container(X)) is None


def test_small_whole_numbers_are_told_apart():
    # Their bits end in many zeros, which a hash must not lose.
    grid = np.stack(np.meshgrid(*[np.arange(32.0)] * 3), axis=-1).reshape(-1, 3)
    assert find_copies(grid) is None
    assert find_copies(sparse.csr_array(grid)) is None
    assert find_copies(grid.astype(np.float32)) is None


def test_rows_with_the_same_cells_in_other_columns_are_no_copies():
    assert find_copies(np.array([[1.0, 2.0], [2.0, 1.0]])) is None
    assert find_copies(sparse.csr_array([[1.0, 0.0], [0.0, 1.0]])) is None


def test_zeros_of_both_signs_and_missing_cells_of_all_bits_are_equal():
    bits = np.array([0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000], dtype=np.uint64)
    X = np.column_stack([bits.view(np.float64), [0.0, -0.0, 0.0]])
    np.testing.assert_array_equal(find_copies(X), [0, 0, 0])


def test_a_zero_that_is_stored_is_one_that_is_not():
    rows = sparse.csr_array(([1.0, 0.0, 1.0], [0, 1, 0], [0, 2, 3, 3]), shape=(3, 2))
    np.testing.assert_array_equal(find_copies(rows), [0, 0, 1])


def test_distinct_rows_are_counted():
    copies = np.array([0, 1, 0, 2, 1])
    assert count_distinct(copies, np.array([0, 2, 4])) == 2
    assert count_distinct(None, np.arange(4)) == 4


# Copies of a row stay on one side.

REPEATED = {
    "repeated": lambda X, rng: np.repeat(X, 10, axis=0),
    "bootstrap": lambda X, rng: X[rng.randint(len(X), size=900)],
    "oversampled": lambda X, rng: np.vstack([X, np.repeat(X[:60], 9, axis=0)]),
    "missing cells": lambda X, rng: np.repeat(with_missing(X, 0.1), 10, axis=0),
    "sparse": lambda X, rng: sparse.csr_array(np.repeat(np.where(X > 1, X, 0), 10, axis=0)),
    "float32": lambda X, rng: np.repeat(X, 10, axis=0).astype(np.float32),
}


@pytest.mark.quick
@pytest.mark.parametrize("repeat", REPEATED.values(), ids=REPEATED)
def test_copies_never_stand_on_both_sides(noise, repeat):
    X = repeat(noise, np.random.RandomState(0))
    data = data_of(X, copies=find_copies(X))
    for seed in range(3):
        rng = np.random.RandomState(seed)
        train, valid = split_rows(AutoencoderTransformer(5), data, rng)
        others, asked = rows_to_confirm(data, train, 90, rng)
        np.testing.assert_array_equal(np.sort(np.r_[others, asked]), np.arange(len(data)))
        others = np.setdiff1d(others, valid)
        numbers = [set(data.copies[rows].tolist()) for rows in (valid, asked, others)]
        assert sum(map(len, numbers)) == len(set.union(*numbers)) == data.copies.max() + 1
        assert 80 < len(numbers[0]) <= 100
        assert len(numbers[1]) == 90


@pytest.mark.slow
@pytest.mark.parametrize("repeat", ["repeated", "bootstrap", "oversampled"])
def test_repeated_rows_are_no_worse_than_pca(noise, new_noise, repeat):
    X = REPEATED[repeat](noise, np.random.RandomState(0))
    autoencoder = AutoencoderTransformer(5, max_epochs=60, random_state=0).fit(X)
    assert over_pca(autoencoder, X, new_noise) < 1.01
    assert autoencoder.validation_score_ < 0.35


@pytest.mark.slow
def test_repeated_rows_give_what_their_weights_give(noise):
    repeated = AutoencoderTransformer(5, max_epochs=60, random_state=0).fit(np.repeat(noise, 10, 0))
    weighted = AutoencoderTransformer(5, max_epochs=60, random_state=0)
    weighted.fit(noise, sample_weight=np.full(300, 10.0))
    assert repeated.is_pca_
    assert weighted.is_pca_
    np.testing.assert_allclose(
        repeated.reconstruct(noise), weighted.reconstruct(noise), rtol=0, atol=1e-9
    )


def test_repeated_rows_of_a_curved_surface_still_beat_pca(X, X_new):
    X = np.repeat(X, 5, axis=0)
    autoencoder = AutoencoderTransformer(2, max_epochs=100, random_state=0).fit(X)
    assert not autoencoder.is_pca_
    assert over_pca(autoencoder, X, X_new) < 0.7


def test_rows_without_copies_are_split_as_ever(quick, X):
    data = data_of(X, copies=find_copies(X))
    assert data.copies is None
    train, valid = split_rows(quick(), data, np.random.RandomState(0))
    _, expected = sklearn.model_selection.train_test_split(
        np.arange(120), test_size=40, random_state=np.random.RandomState(0)
    )
    np.testing.assert_array_equal(valid, np.sort(expected))
    np.testing.assert_array_equal(np.sort(np.r_[train, valid]), np.arange(120))


def test_a_row_that_most_rows_copy_is_trained_on(quick, X):
    X = np.vstack([np.zeros((200, 6)), X])
    data = data_of(X, copies=find_copies(X))
    for seed in range(10):
        train, valid = split_rows(quick(), data, np.random.RandomState(seed))
        assert set(range(200)) <= set(train.tolist())
        assert len(valid) > 30


def test_a_table_of_copies_of_one_row_is_pca(quick):
    X = np.tile(np.arange(6.0), (50, 1))
    autoencoder = quick().fit(X)
    assert autoencoder.is_pca_
    np.testing.assert_array_equal(autoencoder.reconstruct(X), X)


def test_as_few_distinct_rows_as_components_are_not_split(quick, X):
    rows = np.repeat(X[:4], 30, axis=0)
    autoencoder = quick(4).fit(rows)
    assert autoencoder.is_pca_
    assert autoencoder.validation_score_ is None
    np.testing.assert_allclose(autoencoder.reconstruct(rows), rows, atol=1e-12)


def test_copies_with_classes_are_split_in_the_shares_of_the_classes(X):
    y = np.where(np.arange(120) % 4 == 0, "rare", "often")
    X, y = np.repeat(X, 3, axis=0), np.repeat(y, 3)
    autoencoder = AutoencoderTransformer(2, max_epochs=1, supervised_weight=1.0, random_state=0)
    seen = []

    def spy(*args):
        seen.append(draw_rows(*args))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sk_autoencoder._training.split.draw_rows", spy)
        autoencoder.fit(X, y)
    for rows in (part.rows for part in seen[0]):
        assert np.mean(y[rows] == "rare") == pytest.approx(0.25, abs=0.02)


def test_a_comparison_holds_out_all_copies_of_a_row_or_none(X):
    repeated = np.repeat(X, 4, axis=0)
    for test_size, n_test in ((0.25, 120), (0.3, 144), (100, 100)):
        comparison = run_comparison(
            pd.DataFrame(repeated),
            (2,),
            estimator=AutoencoderTransformer(max_epochs=0),
            test_size=test_size,
            random_state=0,
        )
        held_out = comparison.X_test.to_numpy()
        assert len(held_out) == n_test == len(repeated) - len(comparison.X_train)
        assert len(np.unique(held_out, axis=0)) == n_test / 4


def test_a_comparison_of_copies_of_one_row_is_made(X):
    table = compare_with_pca(np.repeat(X[:1], 20, axis=0), 1, random_state=0)
    assert (table["error"] < 1e-20).all()


# Copies count once where evidence is asked for, and groups are what is independent.


@pytest.mark.quick
def test_copies_count_once():
    gains = Gains.of_rows(np.array([1.0, 2.0, 1.0, 5.0]), np.array([4, 7, 4, 9]), None)
    np.testing.assert_array_equal(gains.of_each, [1.0, 2.0, 5.0])
    assert gains.n_independent == 3


def test_nine_gains_repeated_are_no_more_evidence_than_nine():
    values = np.arange(10.0, 19)
    assert not better_than_chance(Gains(values), few=True)
    repeated, copies = np.repeat(values, 5), np.repeat(np.arange(9), 5)
    assert better_than_chance(Gains(repeated), few=True)
    assert not better_than_chance(Gains.of_rows(repeated, copies, None), few=True)


def test_rows_of_a_group_do_not_add_to_its_evidence():
    rng = np.random.RandomState(0)
    of_groups = rng.standard_normal(8)
    of_groups += 1.2 / np.sqrt(8) * of_groups.std(ddof=1) - of_groups.mean()
    values, groups = np.repeat(of_groups, 50), np.repeat(np.arange(8), 50)
    assert Gains(of_groups).standard_errors() == pytest.approx(1.2)
    assert Gains(values).standard_errors() == pytest.approx(1.2 * np.sqrt(50), rel=0.1)
    # As likely by chance as what Student's distribution of seven degrees gives.
    by_groups = Gains(values, groups).standard_errors()
    assert by_groups == pytest.approx(1.2, rel=0.1)
    assert by_groups < 1.2
    assert Gains(values, groups).n_independent == 8


@pytest.mark.quick
def test_groups_of_one_row_are_rows():
    values = np.random.RandomState(0).standard_normal(4000) + 0.05
    alone, groups = Gains(values), Gains(values, np.arange(4000))
    assert groups.standard_errors() == pytest.approx(alone.standard_errors(), rel=1e-3)


def test_the_mean_gain_of_groups_has_to_pass_where_the_ranks_of_rows_would():
    # The rows of 40 groups, whose mean is 2.5 standard errors of theirs above zero.
    of_groups = np.linspace(-1, 1, 40)
    of_groups += 2.5 / np.sqrt(40) * of_groups.std(ddof=1)
    values, groups = np.repeat(of_groups, 20), np.repeat(np.arange(40), 20)
    assert better_than_chance(Gains(values), few=True)
    assert not better_than_chance(Gains(values, groups), few=True)
    assert better_than_chance(Gains(values + of_groups.std() / 3, groups), few=True)


def test_gains_of_two_parts_have_different_groups():
    both = Gains(np.ones(3), np.array([0, 0, 1])) + Gains(np.ones(2))
    np.testing.assert_array_equal(both.groups, [0, 0, 1, 2, 3])
    assert (Gains(np.ones(2)) + Gains(np.zeros(2))).groups is None


# Groups.


def measures(n_subjects, seed, n_each=20, n_features=12):
    """Repeated measures of subjects, which hardly differ, and the subject of each."""
    rng = np.random.RandomState(seed)
    rows = np.repeat(rng.standard_normal((n_subjects, n_features)), n_each, axis=0)
    return rows + 0.05 * rng.standard_normal(rows.shape), np.repeat(np.arange(n_subjects), n_each)


@pytest.mark.quick
def test_groups_stay_on_one_side_and_a_part_of_them_is_set_aside():
    X, groups = measures(30, 0)
    data = data_of(X, groups=groups)
    rng = np.random.RandomState(0)
    train, valid = split_rows(AutoencoderTransformer(3), data, rng)
    others, asked = rows_to_confirm(data, train, 10, rng)
    parts = [set(groups[rows]) for rows in (valid, asked, np.setdiff1d(others, valid))]
    assert [len(part) for part in parts] == [10, 10, 10]
    assert len(set.union(*parts)) == 30


@pytest.mark.slow
@pytest.mark.parametrize("given", ["groups", "X_val"])
def test_near_copies_are_no_worse_than_pca_where_the_fit_is_told(given):
    X, groups = measures(30, 0)
    X_new, _ = measures(200, 1)
    params = {"max_epochs": 60, "random_state": 0}
    untold = AutoencoderTransformer(3, **params).fit(X)
    assert over_pca(untold, X, X_new) > 1.1
    told = {"groups": groups}
    if given == "X_val":
        told = dict(zip(("X_val", "groups_val"), measures(15, 2), strict=True))
    told = AutoencoderTransformer(3, **params).fit(X, **told)
    assert over_pca(told, X, X_new) < 1.01


def test_groups_of_a_curved_surface_still_beat_pca(X, X_new):
    groups = np.repeat(np.arange(24), 5)
    autoencoder = AutoencoderTransformer(2, max_epochs=100, random_state=0).fit(X, groups=groups)
    assert not autoencoder.is_pca_
    assert over_pca(autoencoder, X, X_new) < 0.7


NAMES_OF_GROUPS = {
    "numbers": lambda g: g,
    "list": lambda g: g.tolist(),
    "strings": lambda g: np.array([f"subject {i}" for i in g]),
    "objects": lambda g: np.array([f"subject {i}" for i in g], dtype=object),
    "categories": lambda g: pd.Series([f"subject {i}" for i in g], dtype="category"),
    "dates": lambda g: pd.Timestamp("2024-01-01") + pd.to_timedelta(g, unit="D"),
    "floats": lambda g: g + 0.5,
}


@pytest.mark.parametrize("name", NAMES_OF_GROUPS.values(), ids=NAMES_OF_GROUPS)
def test_groups_may_be_named_by_anything(quick, X, name):
    groups = np.repeat(np.arange(24), 5)
    expected = quick().fit(X, groups=groups).transform(X)
    np.testing.assert_array_equal(quick().fit(X, groups=name(groups)).transform(X), expected)


def test_groups_without_early_stopping_change_nothing(quick, X):
    params = {"early_stopping": False}
    expected = quick(**params).fit(X).transform(X)
    got = quick(**params).fit(X, groups=np.repeat(np.arange(24), 5)).transform(X)
    np.testing.assert_array_equal(got, expected)


def test_rows_that_weigh_nothing_take_their_groups_with_them(quick, X):
    groups = np.repeat(np.arange(24), 5)
    weight = np.where(groups % 3 == 0, 0.0, 1.0)
    counted = weight > 0
    expected = quick().fit(X[counted], groups=groups[counted]).transform(X)
    got = quick().fit(X, groups=groups, sample_weight=weight).transform(X)
    np.testing.assert_array_equal(got, expected)


def test_copies_that_groups_part_do_not_judge(X):
    X = np.vstack([X, X[:60]])
    groups = np.repeat(np.arange(36), 5)
    data = data_of(X, copies=find_copies(X), groups=groups)
    train, valid = split_rows(AutoencoderTransformer(2), data, np.random.RandomState(0))
    assert not set(data.copies[train]) & set(data.copies[valid])
    assert not set(groups[train]) & set(groups[valid])


CUT_BY_GROUPS = {
    "one group": np.repeat(36, 60),
    "groups of a few": 36 + np.arange(60) % 7,
    "groups of one": 36 + np.arange(60),
}


@pytest.mark.parametrize("cut", CUT_BY_GROUPS.values(), ids=CUT_BY_GROUPS)
def test_rows_that_confirm_share_no_group_and_no_copy_with_those_trained_on(X, cut):
    groups = np.r_[np.arange(120) // 5, cut]
    X = np.vstack([X, X[:60]])
    data = data_of(X, copies=find_copies(X), groups=groups)
    for seed in range(5):
        rng = np.random.RandomState(seed)
        train, _ = split_rows(AutoencoderTransformer(2), data, rng)
        others, asked = rows_to_confirm(data, train, 8, rng)
        assert len(asked) > 0
        assert not set(groups[others]) & set(groups[asked])
        assert not set(data.copies[others]) & set(data.copies[asked])


FEW_GROUPS = {
    "two": (lambda X: X, np.arange(120) % 2),
    "one beside rows without a known cell": (
        lambda X: np.where(np.arange(120)[:, None] < 40, np.nan, X),
        np.arange(120) // 40,
    ),
    "all rows twice": (lambda X: np.vstack([X[:60], X[:60]]), np.arange(120) // 5),
}


@pytest.mark.parametrize(("rows", "groups"), FEW_GROUPS.values(), ids=FEW_GROUPS)
def test_no_row_has_to_be_left_to_confirm_a_gain(X, rows, groups, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._training.evidence.SETTLED", np.inf)
    autoencoder = AutoencoderTransformer(2, max_epochs=20, random_state=0)
    autoencoder.fit(rows(X), groups=groups)
    assert np.isfinite(autoencoder.transform(X)).all()
    assert np.isfinite(autoencoder.validation_score_)


@pytest.mark.parametrize("params", [{"linear_shortcut": False}, {"variational": True}])
def test_a_network_that_does_not_start_at_pca_is_trained_where_copies_alone_judge(X, params):
    autoencoder = make_autoencoder(2, max_epochs=20, random_state=0, **params)
    twice, groups = np.vstack([X, X]), np.repeat(np.arange(4), 60)
    autoencoder.fit(twice, groups=groups)
    assert autoencoder.n_iter_ == 20
    assert autoencoder.validation_score_ > 0.5
    # A start at PCA stays there.
    autoencoder = AutoencoderTransformer(2, max_epochs=20, random_state=0)
    assert autoencoder.fit(twice, groups=groups).is_pca_


WRONG_GROUPS = {
    "too few": (np.zeros(3), r"groups has the shape \(3,\), but each of the 120 rows"),
    "a matrix": (np.zeros((120, 2)), r"groups has the shape \(120, 2\).*of shape \(120,\)"),
    "a frame": (pd.DataFrame(np.zeros((120, 2))), r"groups has the shape \(120, 2\)"),
    "tuples": ([(i // 5, "a") for i in range(120)], r"groups has the shape \(120, 2\)"),
    "a number": (3, r"groups has the shape \(\)"),
    "a name": ("subject", r"groups has the shape \(\)"),
    "one group": (np.zeros(120), "none of the 1 groups to train on.*pass more groups or X_val"),
    "a missing one": (np.r_[np.arange(119.0), np.nan], "groups has no value in row 119"),
    "None": ([*range(119), None], "groups has no value in row 119"),
}


@pytest.mark.quick
@pytest.mark.parametrize(("groups", "message"), WRONG_GROUPS.values(), ids=WRONG_GROUPS)
def test_wrong_groups_are_refused_in_words(quick, X, groups, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X, groups=groups)


# Validation rows of the user's own.


def test_no_row_is_set_aside_beside_rows_of_ones_own(quick, X, X_new):
    autoencoder = quick(refit=False, max_epochs=20).fit(X, X_val=X_new)
    np.testing.assert_array_equal(autoencoder.mean_, quick(max_epochs=0).fit(X).mean_)
    pca = PCA(2, svd_solver="full").fit(X)
    errors = np.square(pca.inverse_transform(pca.transform(X_new)) - X_new)
    history = autoencoder.history_
    assert history["valid_loss"][0] == pytest.approx(errors.mean())
    variance = np.square(X_new - X.mean(axis=0)).mean()
    score = 1 - history["valid_loss"][autoencoder.best_epoch_] / variance
    assert autoencoder.validation_score_ == pytest.approx(score)
    assert autoencoder.score(X_new) == pytest.approx(score, abs=1e-3)


def test_rows_of_ones_own_are_not_trained_on(quick, X, X_new, monkeypatch):
    monkeypatch.setattr(_evidence, "better_than_chance", lambda gains, few=False: True)
    validated = quick(refit=False, max_epochs=20).fit(X, X_val=X_new)
    confirmed = quick(max_epochs=20).fit(X, X_val=X_new)
    assert not confirmed.is_pca_
    assert len(X_new) < ENOUGH_ROWS  # which would ask others, and train without them
    np.testing.assert_array_equal(confirmed.transform(X), validated.transform(X))
    np.testing.assert_array_equal(confirmed.mean_, validated.mean_)


def test_a_fit_that_falls_back_to_pca_is_pca_of_x_alone(quick, X, X_new, monkeypatch):
    monkeypatch.setattr(_evidence, "better_than_chance", lambda gains, few=False: False)
    autoencoder = quick(max_epochs=20).fit(X, X_val=X_new)
    assert autoencoder.is_pca_
    expected = quick(max_epochs=0).fit(X)
    np.testing.assert_allclose(autoencoder.reconstruct(X), expected.reconstruct(X), atol=1e-12)


VALIDATION_ROWS = {
    "float32": lambda X: X.astype(np.float32),
    "list": lambda X: X.tolist(),
    "sparse": lambda X: sparse.csr_array(X),
    "missing cells": lambda X: with_missing(X, 0.1),
    "copies": lambda X: np.repeat(X, 3, axis=0),
    "one row": lambda X: X[:1],
    "as many as X": lambda X: np.repeat(X, 3, axis=0),
}
CONFIGURATIONS = {
    "default": {},
    "nested": {"nested": True},
    "whitened": {"whiten": True},
    "textbook": {"linear_shortcut": False},
    "corrupted": {"corruption": "masking"},
    "variational": {"variational": True},
    "huber": {"loss": "huber"},
    "penalised": {"sparsity_penalty": 0.1},
    "float n_components": {"n_components": 0.7},
    "warm start": {"warm_start": True},
}


@pytest.mark.parametrize("container", VALIDATION_ROWS.values(), ids=VALIDATION_ROWS)
def test_rows_of_ones_own_come_in_any_container(quick, X, X_new, container):
    autoencoder = quick().fit(X, X_val=container(X_new))
    assert np.isfinite(autoencoder.transform(X)).all()
    assert np.isfinite(autoencoder.validation_score_)
    assert autoencoder.history_["valid_loss"].notna().all()


@pytest.mark.parametrize("container", ["sparse", "missing cells", "float32"])
@pytest.mark.parametrize("training", ["sparse", "missing cells", "float32"])
def test_containers_of_both_may_differ(quick, X, X_new, container, training):
    train, valid = VALIDATION_ROWS[training](X), VALIDATION_ROWS[container](X_new)
    autoencoder = quick().fit(train, X_val=valid)
    assert np.isfinite(autoencoder.transform(train)).all()
    assert np.isfinite(autoencoder.validation_score_)


@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_each_configuration_takes_groups_and_rows_of_ones_own(quick, X, X_new, params):
    autoencoder = quick(**params)
    groups = np.repeat(np.arange(24), 5)
    for given in ({"groups": groups}, {"X_val": X_new}, {"X_val": X_new, "groups": groups}):
        assert np.isfinite(autoencoder.fit(X, **given).transform(X_new)).all()
        assert np.isfinite(autoencoder.validation_score_)


def test_labels_of_rows_of_ones_own_are_read_as_those_of_x(quick, X, X_new):
    y, y_new = (np.where(rows[:, 0] > 0, "right", "left") for rows in (X, X_new))
    autoencoder = quick(supervised_weight=1.0).fit(X, y, X_val=X_new, y_val=y_new)
    assert np.isfinite(autoencoder.validation_score_)
    with pytest.raises(ValueError, match="y_val is None"):
        quick(supervised_weight=1.0).fit(X, y, X_val=X_new)
    with pytest.raises(ValueError, match="classes 'up'"):
        quick(supervised_weight=1.0).fit(X, y, X_val=X_new, y_val=["up"] * len(X_new))


def test_weights_of_rows_of_ones_own_are_repetitions(quick, X, X_new):
    weight = np.random.RandomState(0).randint(0, 4, len(X_new)).astype(float)
    weighted = quick(refit=False).fit(X, X_val=X_new, sample_weight_val=weight)
    repeated = quick(refit=False).fit(X, X_val=np.repeat(X_new, weight.astype(int), axis=0))
    np.testing.assert_allclose(
        weighted.history_["valid_loss"], repeated.history_["valid_loss"], rtol=1e-6
    )
    plain = quick(refit=False).fit(X, X_val=X_new)
    assert not np.allclose(weighted.history_["valid_loss"], plain.history_["valid_loss"], rtol=1e-3)


WRONG_ROWS = {
    "too narrow": ({"X_val": np.zeros((5, 3))}, "X_val cannot judge.*3 features"),
    "infinite": ({"X_val": np.full((5, 6), np.inf)}, "X_val cannot judge.*infinity"),
    "no rows": ({"X_val": np.zeros((0, 6))}, "X_val cannot judge.*0 sample"),
    "wrong groups": (
        {"X_val": np.zeros((5, 6)), "groups_val": np.zeros(4)},
        r"X_val cannot judge.*groups has the shape \(4,\), but each of the 5 rows",
    ),
    "groups alone": ({"groups_val": np.zeros(5)}, "groups_val is passed without X_val"),
    "labels alone": ({"y_val": np.zeros(5)}, "y_val is passed without X_val"),
    "weights alone": ({"sample_weight_val": np.ones(5)}, "sample_weight_val is passed without"),
    "too few weights": (
        {"X_val": np.zeros((5, 6)), "sample_weight_val": np.ones(4)},
        "X_val cannot judge.*sample_weight.shape",
    ),
    "no weight": (
        {"X_val": np.zeros((5, 6)), "sample_weight_val": np.zeros(5)},
        "X_val cannot judge.*non-zero",
    ),
}


@pytest.mark.quick
@pytest.mark.parametrize(("given", "message"), WRONG_ROWS.values(), ids=WRONG_ROWS)
def test_wrong_validation_rows_are_refused_in_words(quick, X, given, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X, **given)


def test_rows_of_ones_own_need_early_stopping(quick, X, X_new):
    with pytest.raises(ValueError, match="X_val is passed, but with early_stopping=False"):
        quick(early_stopping=False).fit(X, X_val=X_new)


def test_an_error_leaves_what_was_fitted(quick, X):
    autoencoder = quick().fit(X)
    codes = autoencoder.transform(X)
    for given in ({"X_val": np.zeros((5, 3))}, {"groups": np.zeros(120)}):
        with pytest.raises(ValueError, match=r"X_val|groups"):
            autoencoder.fit(X, **given)
        np.testing.assert_array_equal(autoencoder.transform(X), codes)


OWN_COPIES = {
    "array": lambda X: X,
    "csr": lambda X: sparse.csr_array(X),
    "missing cells": lambda X: with_missing(X, 0.05),
    "float32": lambda X: X.astype(np.float32),
}


@pytest.mark.parametrize("container", OWN_COPIES.values(), ids=OWN_COPIES)
def test_copies_of_training_rows_among_rows_of_ones_own_do_not_judge(quick, X, X_new, container):
    X, X_new = container(X), container(X_new)
    stack = sparse.vstack if sparse.issparse(X) else np.vstack
    fitted = quick(max_epochs=20).fit(X, X_val=X_new)
    beside = quick(max_epochs=20).fit(X, X_val=stack([X[:50], X_new]))
    assert beside.validation_score_ == pytest.approx(fitted.validation_score_)
    np.testing.assert_array_equal(beside.transform(X_new), fitted.transform(X_new))


def test_a_split_of_repeated_rows_by_hand_is_no_worse_than_pca(noise, new_noise):
    rows = np.repeat(noise, 3, axis=0)[np.random.RandomState(0).permutation(900)]
    autoencoder = AutoencoderTransformer(5, max_epochs=60, random_state=0)
    autoencoder.fit(rows[:600], X_val=rows[600:])
    assert autoencoder.validation_score_ < 0.35
    assert over_pca(autoencoder, rows[:600], new_noise) < 1.01


def test_rows_of_ones_own_that_are_all_copies_are_told(quick, X, capsys):
    with pytest.warns(UserWarning, match="Each row of X_val is a copy of a row of X") as caught:
        autoencoder = quick(max_epochs=20, verbose=1).fit(X, X_val=X[:50])
    assert caught[0].filename == __file__
    assert autoencoder.is_pca_
    assert autoencoder.validation_score_ is None
    assert "too few distinct rows to validate on" in capsys.readouterr().out
    with pytest.warns(UserWarning, match="Each row of X_val is a copy of a row of X"):
        textbook = quick(max_epochs=20, linear_shortcut=False).fit(X, X_val=X[:50])
    assert textbook.n_iter_ == 20


@pytest.mark.parametrize(
    ("y", "y_val", "message"),
    [
        ([0, 1], [0, 1] * 2, "y_val does not suit X_val and y: .*inconsistent numbers"),
        ([0, 1], [2, 1], r"y_val does not .*classes 2, but .*which is no label\.$"),
        ([0, 1], [0.5, 1], r"y_val does not .*continuous values.*Pass classes\.$"),
        ([0.5, 1], ["a", "b"], r"y_val does not .*such as 'a'.*Pass numbers\.$"),
    ],
)
def test_labels_of_rows_of_ones_own_that_do_not_suit_are_refused(
    quick, X, X_new, y, y_val, message
):
    y, y_val = np.array(y * (len(X) // 2)), np.array(y_val * (len(X_new) // 2))
    with pytest.raises(ValueError, match=message):
        quick(supervised_weight=1.0).fit(X, y, X_val=X_new, y_val=y_val)


def test_cells_of_rows_of_ones_own_that_the_dtype_of_X_cannot_square_are_named(quick, X, X_new):
    with pytest.raises(ValueError, match=r"X_val cannot judge.* size of .*e\+6., but in float32"):
        quick().fit(X.astype(np.float32), X_val=X_new * 1e60)


# In Pipelines and searches.


@pytest.mark.usefixtures("routed")
def test_a_pipeline_transforms_and_routes_validation_rows_and_groups(quick, X, X_new):
    groups = np.repeat(np.arange(24), 5)
    autoencoder = quick().set_fit_request(X_val=True, groups=True)
    pipeline = make_pipeline(StandardScaler(), autoencoder, transform_input=["X_val"])
    pipeline.fit(X, X_val=X_new, groups=groups)
    scaler = StandardScaler().fit(X)
    alone = quick().fit(scaler.transform(X), X_val=scaler.transform(X_new), groups=groups)
    np.testing.assert_array_equal(pipeline.transform(X), alone.transform(scaler.transform(X)))
    assert pipeline[-1].validation_score_ == alone.validation_score_


@pytest.mark.usefixtures("routed")
def test_a_search_routes_groups_to_the_splitter_and_to_the_fits(quick, X):
    groups = np.repeat(np.arange(24), 5)
    search = GridSearchCV(
        quick().set_fit_request(groups=True),
        {"n_components": [1, 2]},
        cv=GroupKFold(3),
        error_score="raise",
    ).fit(X, groups=groups)
    alone = quick(2)
    scores = [
        alone.fit(X[train], groups=groups[train]).score(X[test])
        for train, test in GroupKFold(3).split(X, groups=groups)
    ]
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(scores), abs=1e-9)


@pytest.mark.usefixtures("routed")
def test_a_search_routes_validation_rows_to_the_fits(quick, X, X_new):
    autoencoder = quick().set_fit_request(X_val=True)
    search = GridSearchCV(autoencoder, {"n_components": [1, 2]}, cv=3, error_score="raise")
    search.fit(X, X_val=X_new)
    alone = quick(search.best_params_["n_components"]).fit(X, X_val=X_new)
    np.testing.assert_array_equal(search.transform(X), alone.transform(X))


def test_without_routing_a_pipeline_hands_both_to_its_step(quick, X, X_new):
    groups = np.repeat(np.arange(24), 5)
    pipeline = make_pipeline(quick()).fit(
        X, autoencodertransformer__groups=groups, autoencodertransformer__X_val=X_new
    )
    alone = quick().fit(X, groups=groups, X_val=X_new)
    np.testing.assert_array_equal(pipeline.transform(X), alone.transform(X))
    codes = quick().fit_transform(X, groups=groups, X_val=X_new)
    np.testing.assert_array_equal(codes, alone.transform(X))


# Where the result is PCA, it is said.


@pytest.mark.parametrize(
    ("params", "table", "why"),
    [
        ({"max_epochs": 0}, None, "max_epochs is 0"),
        ({}, np.ones((30, 6)), "X is constant"),
        ({"n_components": 5}, np.random.RandomState(0).randn(6, 6), "too few distinct rows"),
        (
            {"lr": 1e-12, "max_epochs": 2},
            None,
            "no epoch had a lower validation loss|may be chance",
        ),
    ],
    ids=["no epochs", "constant", "few rows", "nothing learned"],
)
def test_a_result_that_is_pca_is_told_in_one_line(quick, X, capsys, params, table, why):
    X = X if table is None else table
    quick(**params).fit(X)
    assert capsys.readouterr().out == ""
    autoencoder = quick(verbose=1, **params).fit(X)
    assert autoencoder.is_pca_ is True
    lines = capsys.readouterr().out.splitlines()
    said = [line for line in lines if line.startswith("The result is PCA with")]
    assert len(said) == 1
    assert pd.Series(said).str.contains(why).all()


def test_a_gain_that_may_be_chance_is_told(quick, X, capsys, monkeypatch):
    monkeypatch.setattr(_evidence, "better_than_chance", lambda gains, few=False: False)
    for refit, n_rows in ((False, 40), (True, 120)):
        assert quick(verbose=1, refit=refit).fit(X).is_pca_
        told = f"gain over PCA on {n_rows} validation rows may be chance"
        assert told in capsys.readouterr().out


def test_a_result_that_is_not_pca_is_not_called_so(quick, X, capsys):
    for autoencoder in (
        quick(max_epochs=20, verbose=1),
        quick(early_stopping=False, verbose=1),
        quick(linear_shortcut=False, max_epochs=0, verbose=1),
        quick(variational=True, max_epochs=0, verbose=1),
    ):
        assert autoencoder.fit(X).is_pca_ is False
    assert quick(verbose=1).partial_fit(X).is_pca_ is False
    assert "The result is PCA" not in capsys.readouterr().out
