"""Denoising: what corrupts rows, that targets stay clean, and what a fit makes of it."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import sparse
from seams import data_of, rows_of
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer
from sk_autoencoder._nn.corruptions import CORRUPTIONS
from sk_autoencoder._training import masking as _hidden_cells
from sk_autoencoder._training.corruption import Clean, CorruptedRows, range_of

SHARES = [name for name, corruption in CORRUPTIONS.items() if corruption.is_share]
FRAMES = {
    "at PCA": {},
    "textbook": {"linear_shortcut": False},
    "cells of X": {"loss": "huber"},
}


def corrupted(name, x, level, learned=None):
    generator = torch.Generator().manual_seed(0)
    return CORRUPTIONS[name].apply(x, level, generator, learned)


def parts_of(autoencoder, X, *, fixed):
    """Clean rows and what is made of them, both with the rows of X."""
    data = data_of(X)
    rows = rows_of(autoencoder, data, fixed=fixed)
    coordinates = autoencoder.model_.frame
    for _, (t, target) in rows.batches(None, 3):
        clean, seen = (coordinates.inverse(part.to(coordinates.dtype)) for part in (target.rows, t))
        yield clean.numpy(), seen.numpy()


@pytest.fixture
def x():
    """Rows of which no two cells of a column are alike: (500, 6)."""
    return torch.randn(500, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.quick
def test_gaussian_noise_has_the_standard_deviation_asked_for(x):
    noise = corrupted("gaussian", x, 0.5) - x
    assert noise.std().item() == pytest.approx(0.5, rel=0.05)
    assert noise.mean().item() == pytest.approx(0, abs=0.03)


@pytest.mark.quick
def test_masking_sets_the_share_asked_for_to_the_mean(x):
    mean = torch.arange(6.0) + 10
    hit = corrupted("masking", x, 0.3, mean) != x
    assert hit.float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert (corrupted("masking", x, 0.3, mean)[hit] == mean.expand_as(x)[hit]).all()


def test_salt_and_pepper_sets_as_many_cells_to_the_least_as_to_the_greatest_value(x):
    limits = torch.tensor([-10.0, 10.0])[:, None] * torch.ones(6)
    out = corrupted("salt_and_pepper", x, 0.4, limits)
    for value in (-10, 10):
        assert (out == value).float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert (out == x).float().mean().item() == pytest.approx(0.6, abs=0.03)


@pytest.mark.quick
def test_swap_takes_the_share_asked_for_from_other_rows_of_the_same_column(x):
    out = corrupted("swap", x, 0.3)
    assert (out != x).float().mean().item() == pytest.approx(0.3, abs=0.03)
    for column in range(6):
        assert torch.isin(out[:, column], x[:, column]).all()
    assert corrupted("swap", x, 1.0).ne(x).all()
    assert corrupted("swap", x[:1], 1.0).equal(x[:1])


@pytest.mark.quick
@pytest.mark.parametrize("params", FRAMES.values(), ids=list(FRAMES))
def test_noise_is_in_the_units_of_x(quick, X, params):
    X = 50 * X + 1000
    params = params | {"corruption": "gaussian", "corruption_level": 20.0}
    autoencoder = quick(max_epochs=0, **params).fit(X)
    clean = X if autoencoder.loss == "huber" else None
    for i, (target, seen) in enumerate(parts_of(autoencoder, X, fixed=False)):
        target = target if clean is None else clean[40 * i : 40 * (i + 1)]
        assert (seen - target).std() == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize("name", SHARES)
def test_cells_are_corrupted_before_the_rows_are_rotated(quick, X, name):
    autoencoder = quick(max_epochs=0, corruption=name, corruption_level=0.25).fit(X)
    for clean, seen in parts_of(autoencoder, X, fixed=False):
        kept = np.isclose(clean, seen, atol=1e-4).mean()
        assert kept == pytest.approx(0.75, abs=0.1)


def test_salt_and_pepper_keeps_the_range_of_the_training_rows(quick, X):
    params = {"corruption": "salt_and_pepper", "corruption_level": 0.5}
    autoencoder = quick(max_epochs=0, early_stopping=False, **params).fit(X)
    seen = np.vstack([seen for _, seen in parts_of(autoencoder, X, fixed=False)])
    np.testing.assert_allclose(seen.min(axis=0), X.min(axis=0), atol=1e-4)
    np.testing.assert_allclose(seen.max(axis=0), X.max(axis=0), atol=1e-4)


@pytest.mark.quick
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_targets_stay_clean_while_inputs_are_corrupted_anew_or_once_and_for_all(quick, X, name):
    autoencoder = quick(max_epochs=0, corruption=name).fit(X)
    for fixed in (True, False):
        first, second = (list(parts_of(autoencoder, X, fixed=fixed)) for _ in range(2))
        np.testing.assert_allclose(np.vstack([clean for clean, _ in first]), X, atol=1e-5)
        alike = [np.array_equal(a, b) for (_, a), (_, b) in zip(first, second, strict=True)]
        assert alike == 3 * [fixed]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_denoising_fit_restores_rows_better_than_a_plain_one_and_pca(quick, X, X_new, name):
    rng = np.random.RandomState(0)
    X, clean = np.repeat(X, 4, axis=0), np.repeat(X_new, 10, axis=0)
    level = 0.6 if name == "gaussian" else 0.3
    x = torch.from_numpy(clean[rng.permutation(len(clean))])
    mean = X.mean(axis=0)
    learned = range_of(data_of(X), mean) if CORRUPTIONS[name].needs_range else mean
    noisy = corrupted(name, x, level, torch.from_numpy(learned)).numpy()
    pca = PCA(3).fit(X)
    by_pca = pca.inverse_transform(pca.transform(noisy))
    params = {"max_epochs": 15, "batch_size": 32, "average": False}
    plain = quick(3, **params).fit(X).reconstruct(noisy)
    denoising = quick(3, corruption=name, corruption_level=level, **params).fit(X)
    errors = [np.square(back - x.numpy()).mean() for back in (denoising.reconstruct(noisy), plain)]
    assert errors[0] < 0.9 * min(errors[1], np.square(by_pca - x.numpy()).mean())


@pytest.mark.parametrize("name", [None, *CORRUPTIONS])
def test_a_fit_repeats_and_leaves_global_generators_alone(quick, X, name):
    np.random.seed(3)
    torch.manual_seed(3)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    codes = [quick(corruption=name).fit_transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.get_rng_state().equal(before[1])


def test_callbacks_do_not_change_the_result(smooth, X):
    params = {"corruption": "swap", "early_stopping": False}
    codes = [smooth(callbacks=c, **params).fit_transform(X) for c in (None, [Callback()])]
    np.testing.assert_allclose(*codes, atol=1e-5)


@pytest.mark.quick
@pytest.mark.parametrize("params", FRAMES.values(), ids=list(FRAMES))
def test_the_yardstick_is_pca_of_corrupted_rows(quick, X, params):
    # Of rows whose cells are all masked PCA gives the mean, which explains nothing.
    everything = {"corruption": "masking", "corruption_level": 1.0, "max_epochs": 1}
    autoencoder = quick(refit=False, **params, **everything).fit(X)
    assert autoencoder.pca_validation_score_ == pytest.approx(0, abs=1e-5)
    if autoencoder.loss != "huber":
        early = quick(early_stopping=False, **params, **everything).fit(X)
        loss = np.square(X - X.mean(axis=0)).mean()
        assert early.history_["train_loss"][0] == pytest.approx(loss, rel=1e-5)


def test_the_yardstick_is_the_same_in_all_frames(quick, X):
    noisy = {"corruption": "swap", "max_epochs": 0, "refit": False}
    at_pca, by_cells = (
        quick(loss=loss, **noisy).fit(X)
        for loss in ("squared_error", lambda back, x: (back - x) ** 2)
    )
    assert at_pca.pca_validation_score_ == pytest.approx(by_cells.pca_validation_score_, rel=1e-5)
    np.testing.assert_allclose(at_pca.history_["train_loss"], by_cells.history_["train_loss"])


@pytest.mark.parametrize("kind", ["plain", "float32", "missing", "sparse"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "binary_crossentropy"])
@pytest.mark.parametrize("linear_shortcut", [True, False])
def test_the_yardstick_of_rows_that_are_left_clean_is_that_of_pca(
    quick, X, kind, loss, linear_shortcut, monkeypatch
):
    # Else cells are hidden where nothing corrupts rows with missing cells.
    monkeypatch.setattr(_hidden_cells, "make_masks", lambda *_: Clean())
    X = (X - X.min()) / np.ptp(X)
    if kind == "missing":
        X = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    rows = {"float32": X.astype(np.float32), "sparse": sparse.csr_array(X)}.get(kind, X)
    weight = np.random.RandomState(0).randint(1, 4, len(X))
    params = {"loss": loss, "linear_shortcut": linear_shortcut, "nested": True, "max_epochs": 0}
    plain, denoising = (
        quick(3, corruption=name, corruption_level=0.0, **params).fit(rows, sample_weight=weight)
        for name in (None, "masking")
    )
    for name in ("train_loss", "valid_loss"):
        np.testing.assert_allclose(denoising.history_[name], plain.history_[name], rtol=1e-4)


def test_rows_in_which_nothing_can_be_learned_are_left_to_pca():
    X = np.random.RandomState(0).standard_normal((300, 8))
    noisy = {"corruption": "gaussian", "corruption_level": 0.1, "max_epochs": 3}
    autoencoder = AutoencoderTransformer(4, random_state=0, **noisy).fit(X)
    assert autoencoder.best_epoch_ == 0
    pca = PCA(4).fit(X)
    np.testing.assert_allclose(
        autoencoder.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-6
    )


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_sparse_rows_are_corrupted_as_dense_ones(smooth, X, name):
    X = np.where(X > 0.3, X, 0.0)
    dense, thin = (
        smooth(corruption=name, early_stopping=False).fit(rows) for rows in (X, sparse.csr_array(X))
    )
    np.testing.assert_allclose(dense.transform(X), thin.transform(X), atol=1e-5)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_rows_with_missing_are_filled_before_they_are_corrupted(quick, X, name):
    X = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    autoencoder = quick(corruption=name).fit(X)
    assert np.isfinite(autoencoder.transform(X)).all()
    assert np.isfinite(autoencoder.pca_validation_score_)


def test_rows_that_are_not_kept_are_corrupted_alike(smooth, X, monkeypatch):
    params = {"corruption": "salt_and_pepper", "early_stopping": False}
    kept = smooth(**params).fit_transform(X)
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_BYTES", 0)
    np.testing.assert_allclose(smooth(**params).fit_transform(X), kept, atol=1e-5)


@pytest.mark.quick
def test_a_function_is_given_rows_of_x_and_the_generator(quick, X):
    seen = []

    def double(x, generator):
        seen.append((x.clone(), torch.rand((), generator=generator)))
        return 2 * x

    X = X.astype(np.float32)
    autoencoder = quick(corruption=double, max_epochs=1, early_stopping=False).fit(X)
    assert seen[-1][0].dtype == torch.float32
    assert (np.sort(np.vstack([x for x, _ in seen])[-len(X) :], axis=0) == np.sort(X, axis=0)).all()
    assert len({u.item() for _, u in seen}) == len(seen)
    clean, doubled = next(parts_of(autoencoder, X, fixed=True))
    np.testing.assert_allclose(doubled, 2 * clean, atol=1e-4)


@pytest.mark.parametrize("result", [torch.zeros(3, 2), np.zeros(3)], ids=["shape", "array"])
def test_a_function_that_gives_something_else_is_told(quick, X, result):
    with pytest.raises(ValueError, match=r"corruption gave .* as a tensor of that shape"):
        quick(corruption=lambda x, generator: result).fit(X)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_function_that_gives_no_finite_cells_is_told(quick, X, value):
    with pytest.raises(ValueError, match=r"corruption gave cells that are NaN or infinite"):
        quick(corruption=lambda x, generator: torch.where(x > 1, value, x)).fit(X)


@pytest.mark.parametrize("name", SHARES)
def test_a_share_above_one_is_refused(quick, X, name):
    with pytest.raises(ValueError, match=r"corruption_level=1.5 is no share.*Choose one from 0"):
        quick(corruption=name, corruption_level=1.5).fit(X)


def test_a_fit_that_goes_on_keeps_its_corruption(quick, X):
    autoencoder = quick(corruption="masking").partial_fit(X).partial_fit(X)
    with pytest.raises(ValueError, match="corruption_level changed"):
        autoencoder.set_params(corruption_level=0.1).partial_fit(X)


def test_a_search_finds_a_level(quick, X):
    search = GridSearchCV(quick(corruption="gaussian"), {"corruption_level": [0.1, 5.0]}, cv=2)
    assert search.fit(X).best_params_ == {"corruption_level": 0.1}


def test_a_module_of_the_user_is_trained_on_corrupted_rows(quick, X):
    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.decode = torch.nn.Linear(6, 2), torch.nn.Linear(2, 6)

    params = {"module": Linear, "early_stopping": False, "max_epochs": 1}
    plain = quick(**params).fit(X).history_["train_loss"]
    noisy = quick(corruption="gaussian", corruption_level=3.0, **params).fit(X)
    assert noisy.history_["train_loss"][0] > 2 * plain[0]
    assert noisy.history_["train_loss"][1] > 1.1 * plain[1]


def test_a_denoising_fit_is_pickled_and_goes_on(quick, X):
    autoencoder = quick(corruption="swap").partial_fit(X)
    copy = pickle.loads(pickle.dumps(autoencoder))
    np.testing.assert_array_equal(
        autoencoder.partial_fit(X).transform(X), copy.partial_fit(X).transform(X)
    )
    assert isinstance(rows_of(copy, data_of(X), fixed=True), CorruptedRows)


def half(x, generator):
    """Corrupt rows by a function that can be imported, and so pickled."""
    return x * (torch.rand(x.shape, generator=generator) > 0.5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fit_with_a_function_is_pickled_and_goes_on(quick, X, method, copied):
    autoencoder = getattr(quick(corruption=half), method)(X)
    other = copied(autoencoder)
    np.testing.assert_array_equal(
        autoencoder.partial_fit(X).transform(X), other.partial_fit(X).transform(X)
    )


@pytest.mark.parametrize("holder", ["pipeline", "search", "detector"])
def test_what_holds_a_fit_with_a_function_is_pickled(quick, X, holder):
    autoencoder = quick(corruption=half)
    made = {
        "pipeline": lambda: make_pipeline(StandardScaler(), autoencoder),
        "search": lambda: GridSearchCV(autoencoder, {"lr": [0.01, 0.02]}, cv=2, n_jobs=2),
        "detector": lambda: AutoencoderOutlierDetector(autoencoder, novelty=True),
    }[holder]()
    made.fit(X)
    other = pickle.loads(pickle.dumps(made))
    use = "score_samples" if holder == "detector" else "transform"
    np.testing.assert_array_equal(getattr(other, use)(X), getattr(made, use)(X))


def test_fits_with_a_function_come_back_from_other_processes(quick, X):
    params = {"cv": 2, "n_jobs": 2, "return_estimator": True}
    for autoencoder in cross_validate(quick(corruption=half), X, **params)["estimator"]:
        assert pickle.loads(pickle.dumps(autoencoder)).transform(X).shape == (120, 2)
