"""Supervised codes: what y adds to them, and how it is read."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from seams import data_of, head_of, split_rows, target_encoder_of
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from skorch.callbacks import Callback

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import supervision as _supervised


def drowned(n_samples=300, seed=0):
    """Rows whose label is in the last feature, which varies less than any other."""
    rng = np.random.RandomState(seed)
    value = rng.uniform(-1, 1, n_samples)
    X = rng.standard_normal((n_samples, 5)) * [5, 4, 3, 2, 0.1]
    X[:, 4] += 0.7 * value
    return X, value


@pytest.fixture
def taught(quick):
    """Give a function that makes an autoencoder that learns a label in an instant."""

    def make(n_components=2, **params):
        defaults = {"supervised_weight": 5.0, "max_epochs": 25, "batch_size": 32}
        return quick(n_components, **(defaults | params))

    return make


def accuracy(autoencoder, y, y_new):
    X, _ = drowned()
    X_new, _ = drowned(seed=1)
    neighbors = KNeighborsClassifier().fit(autoencoder.transform(X), y)
    return neighbors.score(autoencoder.transform(X_new), y_new)


@pytest.mark.quick
def test_codes_tell_a_class_that_is_drowned(taught):
    (X, value), (_, value_new) = drowned(), drowned(seed=1)
    y, y_new = (np.where(v > 0, "more", "less") for v in (value, value_new))
    assert accuracy(taught(supervised_weight=0).fit(X, y), y, y_new) < 0.65
    assert accuracy(taught().fit(X, y), y, y_new) > 0.8


@pytest.mark.parametrize("n_outputs", [None, 1, 2])
def test_codes_tell_a_value_that_is_drowned(taught, n_outputs):
    (X, value), (X_new, value_new) = drowned(), drowned(seed=1)
    y = 1000 + 50 * value
    if n_outputs is not None:
        y = np.repeat(y[:, None], n_outputs, axis=1)

    def score(autoencoder):
        neighbors = KNeighborsRegressor().fit(autoencoder.transform(X), value)
        return neighbors.score(autoencoder.transform(X_new), value_new)

    assert score(taught(supervised_weight=0).fit(X, y)) < 0.3
    assert score(taught().fit(X, y)) > 0.6


@pytest.mark.parametrize("dtype", [int, object])
def test_rows_without_a_label_count_for_the_reconstruction_alone(taught, dtype):
    (X, value), (_, value_new) = drowned(), drowned(seed=1)
    y, y_new = (value > 0).astype(int), (value_new > 0).astype(int)
    known = y.astype(dtype)
    known[:150] = -1
    autoencoder = taught().fit(X, known)
    assert target_encoder_of(autoencoder).n_outputs == 2
    assert target_encoder_of(autoencoder).share == 0.5
    assert accuracy(autoencoder, y, y_new) > 0.75


def test_values_that_are_missing_are_left_out(taught):
    (X, value), (_, value_new) = drowned(), drowned(seed=1)
    y = np.where(np.arange(300) < 150, np.nan, value)
    autoencoder = taught().fit(X, y)
    assert target_encoder_of(autoencoder).share == 0.5
    assert np.isfinite(autoencoder.history_["train_loss"]).all()
    assert accuracy(autoencoder, value > 0, value_new > 0) > 0.75


@pytest.mark.quick
def test_a_label_less_row_has_no_part_in_the_loss_of_the_head():
    answers = _supervised.TargetEncoder.fit(np.array([0, 1, 1, -1]), None)
    head = head_of(2, answers)
    torch.nn.init.eye_(head.weight)
    z = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0], [5.0, 5.0]])
    y = torch.from_numpy(answers.encode(np.array([0, 1, 1, -1])))
    other = z.clone()
    other[3] = -100.0
    assert head.loss(z, y, None) == head.loss(other, y, None)
    assert head.loss(z, y, None) != head.loss(other.flip(0), y, None)


@pytest.mark.quick
@pytest.mark.parametrize(
    "y", [np.arange(40) % 3, np.arange(40.0) + 0.5, np.where(np.arange(40) < 20, -1, 1) % 5]
)
@pytest.mark.parametrize("weight", [None, torch.full((40,), 2.0)])
def test_a_head_that_knows_the_frequencies_alone_loses_1(y, weight):
    answers = _supervised.TargetEncoder.fit(y, None)
    head = head_of(2, answers)
    if answers.are_classes:
        counts = np.bincount(answers.encode(y))
        head.bias.data = torch.from_numpy(np.log(counts / counts.sum())).float()
    loss = head.loss(torch.randn(40, 2), torch.from_numpy(answers.encode(y)), weight)
    assert loss.item() == pytest.approx(1, rel=1e-5)


def test_weights_of_rows_count_for_the_head(taught):
    X, value = drowned()
    weight = np.where(np.arange(300) < 200, 1.0, 1e-6)
    y = np.where(np.arange(300) < 200, value > 0, value < 0).astype(int)
    right, wrong = (value > 0).astype(int), None
    weighted = taught().fit(X, y, sample_weight=weight)
    wrong = taught().fit(X, y)
    _, value_new = drowned(seed=1)
    new = (value_new > 0).astype(int)
    assert accuracy(weighted, right, new) > 0.78
    assert accuracy(weighted, right, new) > accuracy(wrong, right, new)


def test_rows_that_do_not_count_take_their_labels_with_them(taught):
    X, value = drowned()
    y = (value > 0).astype(int)
    kept = np.arange(300) % 3 > 0
    whole = taught().fit(X, y, sample_weight=kept.astype(float))
    np.testing.assert_array_equal(whole.transform(X), taught().fit(X[kept], y[kept]).transform(X))


@pytest.mark.quick
@pytest.mark.parametrize(
    ("y", "share"),
    [
        (["more", "less"], 1),
        (np.array(["more", "less"], dtype=object), 1),
        (np.array(["more", "less", -1], dtype=object), 2 / 3),
        (pd.Series(["more", "less", None]), 2 / 3),
        (pd.Series([1, 0, pd.NA], dtype="Int64"), 2 / 3),
        (pd.Series(["more", "less"], dtype="category"), 1),
        ([True, False], 1),
        ([0.0, 1.0, np.nan], 2 / 3),
        ([0, 1, -1], 2 / 3),
    ],
    ids=str,
)
def test_all_forms_of_two_classes_are_read(taught, X, y, share):
    times = 120 // len(y)
    y = pd.concat([y] * times) if isinstance(y, pd.Series) else np.tile(y, times)
    answers = target_encoder_of(taught(max_epochs=1).fit(X, y))
    assert answers.are_classes
    assert answers.n_outputs == 2
    assert answers.share == pytest.approx(share)


def test_a_column_of_classes_is_read_with_a_warning(taught, X):
    y = np.arange(120) % 2
    with pytest.warns(DataConversionWarning):
        column = taught().fit(X, y[:, None])
    np.testing.assert_array_equal(column.transform(X), taught().fit(X, y).transform(X))


@pytest.mark.sampled(every=2)
@pytest.mark.parametrize(
    ("y", "match"),
    [
        (None, "requires y to be passed"),
        (np.arange(50) % 2, "inconsistent numbers of samples"),
        (np.full(120, -1), "0 classes"),
        (np.full(120, np.nan), "no known label"),
        (["a", "-1"] * 60, "dtype=object"),
        (["a"] * 120, "1 classes"),
        (np.eye(2)[np.arange(120) % 2], "class a row"),
        ([{}] * 120, "type 'unknown'"),
    ],
    ids=["None", "short", "all -1", "all NaN", "text -1", "one class", "indicator", "objects"],
)
def test_a_y_that_says_nothing_is_refused(taught, X, y, match):
    fitted = taught().fit(X, X[:, 0])
    codes = fitted.transform(X)
    with pytest.raises(ValueError, match=match):
        fitted.fit(X, y)
    np.testing.assert_array_equal(fitted.transform(X), codes)


CLASSES = np.arange(120) % 2
WORDS = np.where(CLASSES, "ab", "cd")
VALUES = np.linspace(0, 1.9, 120)


@pytest.mark.parametrize(
    ("first", "later", "match"),
    [
        (CLASSES, CLASSES + 1, r"classes 2, but .* saw only 0, 1\. Set such rows to -1"),
        (CLASSES, np.arange(120), r"classes 2, 3, 4, 5, 6 and 113 more, but"),
        (CLASSES, VALUES, r"continuous values, but .* classes, which were 0, 1\. Pass classes"),
        (CLASSES, WORDS, r"classes 'cd', 'ab', but .* saw only 0, 1\."),
        (CLASSES, np.eye(2)[CLASSES], r"class a row"),
        (WORDS, np.where(CLASSES, "abacus", "cdrom"), r"classes 'cdrom', 'abacus', but"),
        (WORDS, np.where(CLASSES, "abacus", "cd").astype(object), r"classes 'abacus', but"),
        (WORDS, CLASSES, r"classes 0, 1, but .* saw only 'ab', 'cd'"),
        (VALUES, WORDS, r"such as 'cd', but .* continuous values\. Pass numbers"),
        (VALUES, WORDS.astype(object), r"such as 'cd', but .* continuous values\. Pass numbers"),
        (VALUES, VALUES.astype(str), r"such as '0.0', but .* continuous values\. Pass numbers"),
        (VALUES, CLASSES > 0, r"such as False, but .* continuous values\. Pass numbers"),
        (VALUES, VALUES[:, None] + [0, 1], r"2 columns of values, but 1 in .*\. Pass as many"),
        (VALUES[:, None] + [0, 1], VALUES, r"1 columns of values, but 2 in .*\. Pass as many"),
        (VALUES, np.where(CLASSES, np.inf, VALUES), r"Input y contains infinity"),
    ],
)
def test_a_later_y_that_the_first_fit_would_not_have_read_so_is_refused(
    taught, X, first, later, match
):
    autoencoder = taught(max_epochs=1, warm_start=True).fit(X, first)
    codes = autoencoder.transform(X)
    for fit in (autoencoder.fit, autoencoder.partial_fit):
        with pytest.raises(ValueError, match=match):
            fit(X, later)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (CLASSES, CLASSES.astype(float)),
        (CLASSES, CLASSES > 0),
        (CLASSES, np.ones(120)),
        (CLASSES, np.where(CLASSES, -1, np.nan)),
        (CLASSES, [1, None, -1] * 40),
        (WORDS, WORDS.astype(object)),
        (WORDS, [None, -1, "ab"] * 40),
        (VALUES, np.arange(120)),
        (VALUES, np.full(120, np.nan)),
        (VALUES, [None, 0.5, 2] * 40),
        (VALUES, VALUES[:, None]),
    ],
)
def test_a_later_y_may_be_written_otherwise(taught, X, first, later):
    autoencoder = taught(max_epochs=1).fit(X, first)
    autoencoder.partial_fit(X, later)
    assert np.isfinite(autoencoder.transform(X)).all()


@pytest.mark.parametrize("dtype", [int, float, object])
def test_whole_numbers_that_look_like_values_are_classes_with_a_warning(taught, X, dtype):
    y = np.arange(120) // 2
    with pytest.warns(UserWarning, match="59 different .* in 118 .*standardise") as told:
        autoencoder = taught(max_epochs=1).fit(X, np.where(y == 0, -1, y + 1).astype(dtype))
    assert target_encoder_of(autoencoder).are_classes
    assert told[0].filename == __file__
    assert (
        not taught(max_epochs=1)
        .fit(X, (y - y.mean()) / y.std())
        ._training.resumable.target.are_classes
    )


@pytest.mark.parametrize(
    "y", [np.arange(120) % 20, np.arange(120) % 24, [f"{i}" for i in range(120)]]
)
def test_there_is_no_warning_of_fewer_classes_or_of_words(taught, X, y):
    assert target_encoder_of(taught(max_epochs=1).fit(X, y)).are_classes


@pytest.mark.quick
@pytest.mark.parametrize("weight", [0, 0.0, 1, 0.5])
def test_y_is_required_where_codes_are_supervised(weight):
    assert get_tags(AutoencoderTransformer(supervised_weight=weight)).target_tags.required is (
        weight > 0
    )


@pytest.mark.quick
def test_supervision_cannot_begin_halfway(quick, X):
    autoencoder = quick().fit(X).set_params(supervised_weight=1.0)
    with pytest.raises(ValueError, match="supervised_weight changed"):
        autoencoder.partial_fit(X, np.arange(120) % 2)


def test_a_copy_goes_on_as_the_original_does(taught, X):
    y = np.arange(120) % 3
    autoencoder = taught(warm_start=True).fit(X, y)
    other = pickle.loads(pickle.dumps(autoencoder))
    codes = [a.partial_fit(X, y).fit(X, y).transform(X) for a in (autoencoder, other)]
    np.testing.assert_array_equal(*codes)


def test_a_watched_training_and_a_lean_one_make_the_same_steps(smooth, X):
    y = np.arange(120) % 3
    params = {"supervised_weight": 5.0, "early_stopping": False}
    lean, watched = (
        smooth(callbacks=callbacks, **params).fit(X, y) for callbacks in (None, [Callback()])
    )
    np.testing.assert_allclose(lean.transform(X), watched.transform(X), atol=1e-5)


def test_the_validation_score_is_that_of_the_reconstruction(taught):
    X, value = drowned(1000)
    autoencoder = taught(refit=False, validation_fraction=0.5).fit(X, value)
    assert autoencoder.validation_score_ == pytest.approx(autoencoder.score(X), abs=0.03)
    assert len(autoencoder.history_) == 26


def test_a_search_tunes_the_weight(taught):
    X, value = drowned()
    y = np.where(value > 0, "more", "less")
    pipeline = make_pipeline(taught(), KNeighborsClassifier())
    grid = {"autoencodertransformer__supervised_weight": [0.0, 5.0]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_ == {"autoencodertransformer__supervised_weight": 5.0}


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize(
    "params",
    [
        {"variational": True},
        {"nested": True},
        {"whiten": True},
        {"linear_shortcut": False},
        {"loss": "absolute_error", "supervised_weight": 10.0},
        {"early_stopping": False},
    ],
)
def test_it_goes_with_other_parameters(taught, params):
    (X, value), (_, value_new) = drowned(), drowned(seed=1)
    y, y_new = value > 0, value_new > 0
    autoencoder = taught(**params).fit(X, y)
    assert accuracy(autoencoder, y, y_new) > 0.7


def test_it_goes_with_missing_cells(taught):
    X, value = drowned()
    X[::4, 0] = np.nan
    autoencoder = taught().fit(X, value > 0)
    assert np.isfinite(autoencoder.transform(X)).all()


def test_a_module_keeps_its_own_attributes(X):
    class OwnModule(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.decode = torch.nn.Linear(6, 2), torch.nn.Linear(2, 6)

    y = np.arange(120) % 2
    params = {"supervised_weight": 1.0, "max_epochs": 2, "random_state": 0}
    module = OwnModule()
    AutoencoderTransformer(2, module=module, **params).fit(X, y)
    module.supervised_head = head = torch.nn.Linear(2, 2)
    before = head.weight.detach().clone()
    fitted = AutoencoderTransformer(2, module=module, **params).fit(X, y)
    assert fitted.net_.module_.supervised_head.weight.shape == (2, 2)
    np.testing.assert_array_equal(head.weight.detach(), before)


@pytest.mark.quick
def test_classes_are_split_in_their_shares(taught):
    X, value = drowned()
    y = np.where(value > 0.8, "rare", "often").astype(object)
    y[:30] = -1
    data = _supervised.encode_target(replace(data_of(X), y=y), y, 1.0)
    autoencoder = taught(validation_fraction=0.2)
    for seed in range(5):
        parts = split_rows(autoencoder, data, np.random.RandomState(seed))
        shares = [[np.mean(y[part] == name) for name in ("rare", -1)] for part in parts]
        np.testing.assert_allclose(*shares, atol=0.02)


@pytest.mark.parametrize("rare", [1, 2])
def test_a_class_may_be_too_rare_to_be_split(taught, rare):
    X, _ = drowned(60)
    y = np.arange(60) % 7
    y[:rare] = 7
    for fraction in (0.2, 0.05):
        taught(validation_fraction=fraction, max_epochs=1).fit(X, y)
