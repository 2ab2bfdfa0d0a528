"""Nested components: each beginning of a code is a code, and the first explain the most."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.bottlenecks import NestedDropout, validated_sizes
from sk_autoencoder._training import selection as _evidence

K = 8


@pytest.fixture(scope="module")
def digits():
    X = load_digits().data
    return train_test_split(X, test_size=0.3, random_state=0)


@pytest.fixture(scope="module")
def nested(digits):
    return AutoencoderTransformer(K, nested=True, max_epochs=60, random_state=0).fit(digits[0])


def errors_by_size(model, X):
    Z = model.transform(X)
    return np.array(
        [np.square(model.inverse_transform(Z[:, :j]) - X).mean() for j in range(1, Z.shape[1] + 1)]
    )


def test_each_beginning_of_a_code_beats_pca_of_its_size(nested, digits):
    _, X = digits
    pca = PCA(K).fit(digits[0])
    P = pca.transform(X)
    of_pca = [
        np.square(P[:, :j] @ pca.components_[:j] + pca.mean_ - X).mean() for j in range(1, K + 1)
    ]
    assert (errors_by_size(nested, X) < of_pca).all()


def test_a_plain_fit_has_no_such_order(digits):
    train, X = digits
    plain = AutoencoderTransformer(K, max_epochs=60, random_state=0).fit(train)
    with pytest.raises(ValueError, match=r"nested=True takes fewer"):
        plain.inverse_transform(plain.transform(X)[:, :2])
    assert not hasattr(plain, "explained_variance_ratio_")


@pytest.mark.slow
def test_the_whole_code_costs_little_more_than_a_plain_fit(nested, digits):
    train, X = digits
    plain = AutoencoderTransformer(K, max_epochs=60, random_state=0).fit(train)
    whole = np.square(nested.reconstruct(X) - X).mean()
    assert whole < 1.25 * np.square(plain.reconstruct(X) - X).mean()


def test_more_columns_than_components_are_refused(nested):
    with pytest.raises(ValueError, match=r"9 columns.*n_components=8.*its first columns"):
        nested.inverse_transform(np.zeros((2, K + 1)))


def test_missing_columns_count_as_zero(nested, digits):
    Z = nested.transform(digits[1][:5])
    padded = np.column_stack([Z[:, :3], np.zeros((5, K - 3))])
    np.testing.assert_allclose(nested.inverse_transform(Z[:, :3]), nested.inverse_transform(padded))


@pytest.mark.slow
def test_a_whitened_beginning_decodes_to_the_same_rows(nested, digits):
    train, X = digits
    whitened = AutoencoderTransformer(
        K, nested=True, whiten=True, max_epochs=60, random_state=0
    ).fit(train)
    np.testing.assert_allclose(
        whitened.inverse_transform(whitened.transform(X)[:, :3]),
        nested.inverse_transform(nested.transform(X)[:, :3]),
        atol=1e-6,
    )


def split(X, share=0.2):
    """Training and validation rows of a fit with random_state=0."""
    n_valid, rng = int(np.ceil(share * len(X))), np.random.RandomState(0)
    parts = train_test_split(np.arange(len(X)), test_size=n_valid, random_state=rng)
    return [X[np.sort(part)] for part in parts]


def test_the_ratios_are_those_of_rows_that_were_not_trained_on(digits):
    params = {"nested": True, "max_epochs": 20, "random_state": 0, "validation_fraction": 0.2}
    model = AutoencoderTransformer(K, refit=False, **params).fit(digits[0])
    _, X = split(digits[0])
    variance = np.square(X - model.mean_).mean()
    np.testing.assert_allclose(
        np.cumsum(model.explained_variance_ratio_), 1 - errors_by_size(model, X) / variance
    )
    refitted = AutoencoderTransformer(K, **params).fit(digits[0])
    assert refitted.score(X) > model.score(X)
    np.testing.assert_array_equal(
        refitted.explained_variance_ratio_, model.explained_variance_ratio_
    )


@pytest.mark.parametrize("n_components", [4, 0.6])
def test_the_ratios_of_a_fit_that_falls_back_to_pca_are_those_of_pca(n_components, monkeypatch):
    X = load_digits().data[:200]
    monkeypatch.setattr(_evidence, "better_than_chance", lambda gains, few=False: False)
    model = AutoencoderTransformer(
        n_components, nested=True, max_epochs=15, random_state=0, validation_fraction=0.2
    ).fit(X)
    assert model.best_epoch_ == 0
    assert model.history_["valid_loss"].min() < model.history_["valid_loss"][0]
    train, valid = split(X)
    pca = PCA(model.n_components_).fit(train)
    Z = pca.transform(valid)
    errors = [
        np.square(Z[:, :j] @ pca.components_[:j] + pca.mean_ - valid)
        for j in range(1, model.n_components_ + 1)
    ]
    explained = 1 - np.mean(errors, axis=(1, 2)) / np.square(valid - pca.mean_).mean()
    np.testing.assert_allclose(np.cumsum(model.explained_variance_ratio_), explained)


@pytest.mark.quick
def test_the_number_of_components_stays_in_later_steps(digits):
    train, _ = digits
    model = AutoencoderTransformer(0.7, nested=True, random_state=0).partial_fit(train)
    n_components = model.n_components_
    assert n_components < model.model_.width
    for rows in np.array_split(train, 6):
        model.partial_fit(rows)
        assert model.n_components_ == len(model.explained_variance_ratio_) == n_components
        assert model.transform(rows).shape[1] == n_components


def test_components_are_those_of_the_code_that_is_given(digits):
    train, _ = digits
    model = AutoencoderTransformer(0.7, nested=True, max_epochs=10, random_state=0).fit(train)
    assert model.n_components_ < model.model_.width
    z, step = model.transform(model.mean_[None]), 1e-4 * np.eye(model.n_components_)
    slopes = (model.inverse_transform(z + step) - model.inverse_transform(z - step)) / 2e-4
    np.testing.assert_allclose(model.components_, slopes, atol=1e-6)


def test_pca_has_the_ratios_of_scikit_learn(digits):
    train, _ = digits
    model = AutoencoderTransformer(K, nested=True, max_epochs=0, early_stopping=False).fit(train)
    np.testing.assert_allclose(
        model.explained_variance_ratio_, PCA(K).fit(train).explained_variance_ratio_
    )


def test_a_share_of_variance_gives_the_fewest_components_that_explain_it(digits):
    train, X = digits
    model = AutoencoderTransformer(0.8, nested=True, max_epochs=60, random_state=0).fit(train)
    explained = np.cumsum(model.explained_variance_ratio_)
    assert explained[-1] >= 0.8
    assert (explained[:-1] < 0.8).all()
    assert model.n_components_ == len(explained) < PCA(0.8).fit(train).n_components_
    assert model.transform(X).shape == (len(X), model.n_components_)
    assert model.components_.shape == (model.n_components_, X.shape[1])
    assert len(model.get_feature_names_out()) == model.n_components_
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), model.reconstruct(X), atol=1e-9
    )


def test_a_share_that_cannot_be_reached_takes_all_components(digits):
    train, _ = digits
    model = AutoencoderTransformer(0.999999, nested=True, max_epochs=1, random_state=0).fit(train)
    assert model.n_components_ >= PCA(0.99).fit(train).n_components_


@pytest.mark.quick
def test_row_zero_of_the_history_is_the_mean_of_pca_at_the_validated_sizes(digits):
    train, _ = digits
    model = AutoencoderTransformer(K, nested=True, max_epochs=1, early_stopping=False).fit(train)
    pca = PCA(K).fit(train)
    P = pca.transform(train)
    losses = [
        np.square(P[:, :j] @ pca.components_[:j] + pca.mean_ - train).mean() for j in (1, 2, 4, 8)
    ]
    assert model.history_["train_loss"][0] == pytest.approx(np.mean(losses))


@pytest.mark.slow
def test_it_is_repeatable_and_survives_a_pickle(nested, digits):
    train, X = digits
    again = AutoencoderTransformer(K, nested=True, max_epochs=60, random_state=0).fit(train)
    np.testing.assert_array_equal(again.transform(X), nested.transform(X))
    copy = pickle.loads(pickle.dumps(nested))
    np.testing.assert_array_equal(copy.transform(X), nested.transform(X))
    assert copy.partial_fit(train).n_iter_ == 1


@pytest.mark.quick
def test_noise_cannot_make_a_nested_fit_worse_than_pca():
    X = np.random.RandomState(0).normal(size=(200, 10))
    model = AutoencoderTransformer(3, nested=True, max_epochs=20, random_state=0).fit(X)
    assert model.best_epoch_ == 0
    np.testing.assert_allclose(model.reconstruct(X), PCA(3).fit(X).inverse_transform(
        PCA(3).fit_transform(X)))  # fmt: skip


@pytest.mark.quick
@pytest.mark.parametrize(
    ("k", "sizes"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8))]
)
def test_powers_of_two_and_the_whole_are_validated(k, sizes):
    assert validated_sizes(k) == sizes


@pytest.mark.quick
def test_most_codes_are_whole_and_every_size_is_drawn():
    z = NestedDropout(K, torch.Generator().manual_seed(0)).mask(torch.ones(10_000, K)).int()
    counts = np.bincount(z.sum(dim=1).numpy(), minlength=K + 1) / 10_000
    assert counts[0] == 0
    assert (counts[1:] > 0.02).all()
    assert 0.6 < counts[K] < 0.7
    assert (np.diff(z.numpy()) <= 0).all()
