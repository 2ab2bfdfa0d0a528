"""The losses: what they are, what a fit makes of them, and what they refuse."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from removing import with_missing
from scipy.special import expit
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_poisson_deviance,
    mean_squared_error,
)
from sklearn.model_selection import GridSearchCV
from torch.nn import functional

from sk_autoencoder._nn.batch import Target
from sk_autoencoder._nn.frames import Frame
from sk_autoencoder._nn.losses import LOSSES, find_loss
from sk_autoencoder._training.errors import FrameError

ON_ALL_NUMBERS = ("squared_error", "absolute_error", "huber")
# Of a mean that a loss with an output activation can take.
LIMITS = {"binary_crossentropy": (1e-3, 1 - 1e-3), "poisson": (1e-3, None)}
WITH_A_LINK = tuple(LIMITS)


def mean_huber(X, reconstruction):
    return functional.huber_loss(torch.tensor(reconstruction), torch.tensor(X)).item()


def mean_log_loss(X, reconstruction):
    """Of a value between 0 and 1: that many ones and that many fewer zeros."""
    p, x = np.ravel(reconstruction), np.ravel(X)
    labels = np.repeat([1, 0], len(p))
    return 2 * log_loss(labels, np.r_[p, p], sample_weight=np.r_[x, 1 - x]) * 0.5


REFERENCES = {
    "squared_error": mean_squared_error,
    "absolute_error": mean_absolute_error,
    "huber": mean_huber,
    "binary_crossentropy": mean_log_loss,
    "poisson": lambda X, back: mean_poisson_deviance(np.ravel(X), np.ravel(back)) / 2,
}


def cubed_error(reconstruction, x):
    return (reconstruction - x).abs() ** 3


def copy_of_squared_error(reconstruction, x):
    return (reconstruction - x).square()


class Pinball:
    """A loss with state of its own, and no name that stays the same."""

    def __init__(self, quantile):
        self.quantile = quantile

    def __call__(self, reconstruction, x):
        error = x - reconstruction
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error)


OWN_TOO = {loss: loss for loss in LOSSES} | {"function": cubed_error, "object": Pinball(0.3)}


@pytest.fixture
def data(X):
    """Give X in the domain of a loss: (120, 6), float64."""
    return {
        "binary_crossentropy": (X - X.min()) / np.ptp(X),
        "poisson": np.random.RandomState(0).poisson(np.exp(X)).astype(float),
    }


def of(data, X, loss):
    return data.get(loss, X)


def reference(loss, X, reconstruction):
    return REFERENCES[loss](X, reconstruction)


@pytest.mark.quick
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_of_cells_is_that_of_scikit_learn_and_torch(data, X, loss):
    X = of(data, X, loss)
    objective = find_loss(loss)
    output = np.random.RandomState(1).standard_normal(X.shape)
    cells = objective.cells(torch.from_numpy(output), torch.from_numpy(X))
    back = output
    if objective.link is not None:
        back = objective.link.activation(torch.from_numpy(output)).numpy()
    assert cells.shape == X.shape
    assert (cells >= 0).all()
    assert cells.mean().item() == pytest.approx(reference(loss, X, back), rel=1e-9)


@pytest.mark.parametrize("loss", WITH_A_LINK)
def test_a_link_and_its_inverse_cancel(loss):
    link = find_loss(loss).link
    mean = np.linspace(0.01, 0.99, 50)
    back = link.activation(torch.from_numpy(link.inverse(mean))).numpy()
    np.testing.assert_allclose(back, mean, rtol=1e-12)
    steepest = (link.inverse(mean + 1e-6) - link.inverse(mean - 1e-6)) / 2e-6
    np.testing.assert_allclose(1 / steepest, link.variance(mean), rtol=1e-4)
    assert np.isfinite(link.inverse(np.array([0.0, 1.0, -0.3, 1.3]))).all()


@pytest.mark.quick
@pytest.mark.parametrize("loss", LOSSES)
def test_history_and_the_kept_loss_are_means_over_the_cells_in_units_of_x(quick, data, X, loss):
    X = 3 * X if loss in ON_ALL_NUMBERS else of(data, X, loss)
    autoencoder = quick(loss=loss, early_stopping=False, max_epochs=10, average=False).fit(X)
    losses = autoencoder.history_["train_loss"]
    pca = PCA(2).fit(X)
    of_pca = pca.inverse_transform(pca.transform(X))
    if loss in LIMITS:
        of_pca = np.clip(of_pca, *LIMITS[loss])
    assert losses[0] == pytest.approx(reference(loss, X, of_pca), rel=1e-5)
    # The last recorded one is a mean over an epoch of steps.
    at_the_end = reference(loss, X, autoencoder.reconstruct(X))
    assert at_the_end == pytest.approx(losses.iloc[-1], rel=0.05)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_best_validation_loss_is_that_of_the_weights_kept(quick, data, X, loss, monkeypatch):
    X = of(data, X, loss)
    seen = []
    split = "sk_autoencoder._training.split.train_test_split"

    def spy(rows, **kwargs):
        seen.append((rows[::3], rows[1::3]))
        return seen[-1]

    monkeypatch.setattr(split, spy)
    autoencoder = quick(loss=loss, max_epochs=15, refit=False).fit(X)
    valid = X[seen[0][1]]
    kept = reference(loss, valid, autoencoder.reconstruct(valid))
    epoch = autoencoder.best_epoch_
    assert epoch > 0
    assert kept == pytest.approx(autoencoder.history_.loc[epoch, "valid_loss"], rel=1e-4)
    assert autoencoder.history_.loc[1:, "valid_loss"].min() == pytest.approx(kept, rel=1e-4)
    mean_loss = reference(loss, valid, np.broadcast_to(autoencoder.mean_, valid.shape))
    assert autoencoder.validation_score_ == pytest.approx(1 - kept / mean_loss, rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_training_makes_the_loss_smaller_than_that_of_pca(quick, data, X, loss):
    X = of(data, X, loss)
    autoencoder = quick(loss=loss, max_epochs=30).fit(X)
    assert autoencoder.best_epoch_ > 0
    pca = PCA(2).fit(X)
    of_pca = pca.inverse_transform(pca.transform(X))
    if loss in LIMITS:
        of_pca = np.clip(of_pca, *LIMITS[loss])
    error = reference(loss, X, autoencoder.reconstruct(X))
    # Of what can be gained: the logarithmic loss of X itself is not zero.
    least = reference(loss, X, np.clip(X, *LIMITS[loss]) if loss in LIMITS else X)
    assert error - least < 0.9 * (reference(loss, X, of_pca) - least)
    assert autoencoder.validation_score_ > autoencoder.pca_validation_score_


def test_outliers_move_the_absolute_error_less_than_the_squared_one(quick, X):
    spoilt = X.copy()
    spoilt[::12, 0] += 30
    clean = np.delete(X, np.s_[::12], axis=0)
    # PCA, where the network would start, follows the outliers.
    params = {"linear_shortcut": False, "max_epochs": 60, "early_stopping": False}
    robust = quick(loss="absolute_error", **params).fit(spoilt)
    squared = quick(**params).fit(spoilt)
    robust, squared = (
        mean_absolute_error(clean, model.reconstruct(clean)) for model in (robust, squared)
    )
    assert robust < 0.8 * squared


@pytest.mark.quick
@pytest.mark.parametrize("loss", WITH_A_LINK)
@pytest.mark.parametrize("linear_shortcut", [True, False])
@pytest.mark.parametrize("max_epochs", [0, 5])
def test_a_reconstruction_is_in_the_range_of_the_output(
    quick, data, loss, linear_shortcut, max_epochs
):
    X = data[loss]
    model = quick(loss=loss, linear_shortcut=linear_shortcut, max_epochs=max_epochs).fit(X)
    for rows in (model.reconstruct(X), model.inverse_transform(5 * model.transform(X))):
        assert (rows > 0).all()
        if loss == "binary_crossentropy":
            assert (rows < 1).all()
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), model.reconstruct(X), atol=1e-10
    )


@pytest.mark.parametrize("loss", WITH_A_LINK)
def test_with_a_link_the_start_is_near_pca_but_not_at_it(quick, data, loss):
    X = data[loss]
    autoencoder = quick(loss=loss, max_epochs=0).fit(X)
    pca = PCA(2).fit(X)
    np.testing.assert_allclose(autoencoder.transform(X), pca.transform(X), atol=1e-8)
    if loss == "binary_crossentropy":
        assert autoencoder.score(X) > 0.8 * pca.explained_variance_ratio_.sum()
    assert autoencoder.score(X) != pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-3)


@pytest.mark.quick
@pytest.mark.parametrize(
    "loss", ["absolute_error", "huber", cubed_error], ids=["absolute_error", "huber", "function"]
)
def test_no_epochs_give_pca_whatever_the_loss_without_a_link(quick, X, loss):
    autoencoder = quick(loss=loss, max_epochs=0).fit(X)
    pca = PCA(2).fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    np.testing.assert_allclose(autoencoder.reconstruct(X), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(300, 20), (300, 400)], ids=["narrow", "more than the axes"])
@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_where_nothing_beats_pca_the_result_is_pca_on_all_rows(quick, loss, shape):
    X = np.random.RandomState(0).standard_normal(shape)
    autoencoder = quick(loss=loss, lr=0.3, max_epochs=5, hidden_layer_sizes=(8,)).fit(X)
    assert autoencoder.best_epoch_ == 0
    assert autoencoder.n_iter_ == 5
    pca = PCA(2, svd_solver="full").fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    np.testing.assert_allclose(autoencoder.reconstruct(X), expected, atol=1e-10)
    assert autoencoder.validation_score_ == autoencoder.pca_validation_score_


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_a_gain_by_chance_is_not_taken_for_one(quick, loss):
    lucky = 0
    for seed in range(5):
        X = np.random.RandomState(seed).standard_normal((150, 20))
        params = {"lr": 0.1, "batch_size": "auto", "max_epochs": 5, "random_state": seed}
        autoencoder = quick(loss=loss, **params).fit(X)
        assert autoencoder.best_epoch_ == 0
        lucky += autoencoder.history_["valid_loss"].idxmin() > 0
    assert lucky > 0


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_a_large_offset_costs_a_loss_of_differences_no_digits(quick, X, loss):
    params = {"loss": loss, "max_epochs": 2, "lr": 1e-3, "early_stopping": False}
    near, far = quick(**params).fit(X), quick(**params).fit(X + 1e8)
    losses = far.history_["train_loss"]
    np.testing.assert_allclose(losses, near.history_["train_loss"], rtol=1e-3)


REFUSED = {
    "binary_crossentropy below": ("binary_crossentropy", -0.5, r"X between 0 and 1.*from -0\.5"),
    "binary_crossentropy above": ("binary_crossentropy", 1.5, r"X between 0 and 1.*to 1\.5"),
    "poisson": ("poisson", -2.0, "X between 0 and inf.*from -2 to"),
}


@pytest.mark.quick
@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform", "score"])
@pytest.mark.parametrize(("loss", "value", "message"), REFUSED.values(), ids=REFUSED)
def test_values_that_a_loss_is_not_made_for_are_refused(quick, data, method, loss, value, message):
    X = data[loss]
    autoencoder = quick(loss=loss, max_epochs=1)
    if method in ("transform", "score"):
        autoencoder.fit(X)
    X = X.copy()
    X[2, 3] = value
    with pytest.raises(ValueError, match=f"loss='{loss}' needs {message}.*another loss"):
        getattr(autoencoder, method)(X)


@pytest.mark.parametrize(
    ("loss", "values"), [("binary_crossentropy", [0, 1]), ("poisson", [0, 0, 7])]
)
def test_the_ends_of_a_domain_belong_to_it(quick, loss, values):
    X = np.random.RandomState(0).choice(values, (60, 5)).astype(float)
    X[:, 2] = values[0]
    autoencoder = quick(loss=loss, max_epochs=3).fit(X)
    assert np.isfinite(autoencoder.history_.drop(columns="dur")).all(axis=None)
    assert np.isfinite(autoencoder.reconstruct(X)).all()


@pytest.mark.quick
@pytest.mark.parametrize(
    "loss", [copy_of_squared_error, torch.nn.MSELoss(reduction="none")], ids=["function", "module"]
)
def test_a_callable_trains_as_the_loss_that_it_copies(smooth, X, loss):
    # In the units of the frame, so that gradients are as large beside the `eps` of Adam.
    X = X / np.sqrt(X.var(axis=0).mean())
    params = {"early_stopping": False, "activation": "silu"}
    named, own = (smooth(loss=of, **params).fit(X) for of in ("squared_error", loss))
    np.testing.assert_allclose(own.transform(X), named.transform(X), atol=1e-5)
    losses = own.history_["train_loss"]
    np.testing.assert_allclose(losses, named.history_["train_loss"], rtol=1e-5)


def test_a_callable_of_torch_trains_as_the_name_for_it(smooth, X):
    huber = functools.partial(functional.huber_loss, reduction="none")
    params = {"early_stopping": False, "activation": "silu"}
    named, own = (smooth(loss=loss, **params).fit(X) for loss in ("huber", huber))
    np.testing.assert_allclose(own.transform(X), named.transform(X), atol=1e-5)


def test_a_callable_is_given_reconstruction_and_rows_in_their_units(quick, X):
    seen = []

    def spy(reconstruction, x):
        seen.append((reconstruction.detach().clone(), x.detach().clone()))
        return (reconstruction - x).square()

    quick(loss=spy, max_epochs=1, batch_size=120, early_stopping=False).fit(X + 100)
    rows = seen[-1][1].double().numpy()
    np.testing.assert_allclose(np.sort(rows, axis=0), np.sort(X + 100, axis=0), rtol=1e-6)
    assert all((back - x).abs().max() < 20 for back, x in seen)


def test_an_asymmetric_callable_moves_the_reconstruction(quick, X):
    low, high = (
        quick(loss=Pinball(quantile), max_epochs=15, early_stopping=False).fit(X).reconstruct(X)
        for quantile in (0.1, 0.9)
    )
    assert (low < X).mean() > 0.7
    assert (high > X).mean() > 0.7


WRONG = {
    "a number": (lambda back, x: (back - x).square().mean(), r"shape \(\)"),
    "a number a row": (lambda back, x: (back - x).square().mean(dim=1), r"shape \(\d+,\)"),
    "one column": (lambda back, x: (back - x)[:, :1].square(), r"shape \(\d+, 1\)"),
}


@pytest.mark.parametrize(("loss", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_callable_of_a_wrong_shape_is_refused(quick, X, method, loss, message):
    with pytest.raises(ValueError, match=f"{message} for a batch of shape.*loss of each cell"):
        getattr(quick(loss=loss), method)(X)


def test_an_unknown_loss_is_refused(quick, X):
    with pytest.raises(ValueError, match=r"'loss' parameter.*'absolute_error'"):
        quick(loss="mse").fit(X)


def test_a_loss_may_not_come_through_net_params(quick, X):
    with pytest.raises(ValueError, match=r"net_params sets.*criterion__loss"):
        quick(net_params={"criterion__loss": "huber"}).fit(X)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_loss_keeps_the_floating_dtype(smooth, data, X, loss, dtype):
    X = of(data, X, loss).astype(dtype)
    autoencoder = smooth(loss=loss).fit(X)
    assert autoencoder.transform(X).dtype == dtype
    assert autoencoder.reconstruct(X).dtype == dtype
    other = smooth(loss=loss).fit(X.astype(np.float64))
    assert autoencoder.score(X) == pytest.approx(other.score(X.astype(np.float64)), abs=1e-5)


@pytest.mark.parametrize("loss", OWN_TOO.values(), ids=OWN_TOO)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_goes_on_with_its_loss(quick, data, X, loss, copied):
    X = of(data, X, loss)
    autoencoder = quick(loss=loss).fit(X)
    other = copied(autoencoder)
    np.testing.assert_array_equal(other.reconstruct(X), autoencoder.reconstruct(X))
    np.testing.assert_array_equal(
        other.partial_fit(X).transform(X), autoencoder.partial_fit(X).transform(X)
    )


@pytest.mark.parametrize("loss", ["poisson", cubed_error], ids=["name", "function"])
def test_a_clone_fits_with_the_same_loss(quick, data, X, loss):
    X = of(data, X, loss)
    autoencoder = quick(loss=loss)
    other = clone(autoencoder)
    assert other.loss == loss
    np.testing.assert_array_equal(other.fit_transform(X), autoencoder.fit_transform(X))


def test_another_loss_may_not_go_on_where_one_has_trained(quick, X):
    autoencoder = quick().fit(X).set_params(loss="huber")
    with pytest.raises(ValueError, match="loss changed since the last fit"):
        autoencoder.partial_fit(X)


def test_a_search_over_losses_compares_the_variance_explained(quick, data):
    X = data["binary_crossentropy"]
    losses = [*LOSSES, cubed_error]
    search = GridSearchCV(quick(), {"loss": losses}, cv=2, error_score="raise").fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["loss"] in losses


@pytest.mark.parametrize("loss", LOSSES)
def test_the_textbook_network_and_an_own_module_take_each_loss(quick, data, X, loss):
    X = of(data, X, loss)
    textbook = quick(loss=loss, linear_shortcut=False, early_stopping=False, max_epochs=15).fit(X)
    losses = textbook.history_["train_loss"]
    assert losses.iloc[-1] < losses[1]
    own = quick(loss=loss, module=Linear, early_stopping=False, max_epochs=15).fit(X)
    losses = own.history_["train_loss"]
    assert losses.iloc[-1] < losses[1]
    if loss in WITH_A_LINK:
        decoded = own.net_.module_.decode(torch.zeros(1, 2, dtype=torch.float64)).detach().numpy()
        activation = expit if loss == "binary_crossentropy" else np.exp
        np.testing.assert_allclose(own.inverse_transform(np.zeros((1, 2))), activation(decoded))


class Linear(torch.nn.Module):
    """A user's module of two linear maps."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(6, 2), torch.nn.Linear(2, 6)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


def test_poisson_starts_a_fit_on_counts_that_are_mostly_zero(quick):
    X = np.random.RandomState(0).poisson(0.05, (200, 12)).astype(float)
    autoencoder = quick(loss="poisson", max_epochs=10).fit(X)
    assert np.isfinite(autoencoder.history_["train_loss"]).all()
    assert autoencoder.history_["valid_loss"].min() < autoencoder.history_["valid_loss"][0]


@pytest.mark.parametrize("mean", [0.05, 0.5, 5])
def test_poisson_starts_where_the_counts_of_rare_rows_do_not_explode(quick, mean):
    rng = np.random.RandomState(0)
    rate = mean * np.exp(0.7 * rng.standard_normal((300, 2)) @ rng.standard_normal((2, 12)) - 0.5)
    X = rng.poisson(rate).astype(float)
    # The steps of the defaults.
    autoencoder = quick(loss="poisson", lr=5e-3, batch_size="auto", early_stopping=False)
    losses = autoencoder.set_params(max_epochs=20).fit(X).history_["train_loss"]
    start = quick(loss="poisson", max_epochs=0).fit(X)
    of_mean = reference("poisson", X, np.broadcast_to(start.mean_, X.shape).copy())
    assert reference("poisson", X, start.reconstruct(X)) < of_mean
    assert losses.iloc[-1] < 0.9 * of_mean


def test_a_batch_counts_its_rows_by_their_weights():
    criterion = FrameError(Frame(np.zeros(3), 1.0))
    back, x = torch.zeros(2, 3), torch.tensor([[1.0] * 3, [2.0] * 3])
    assert criterion(back, Target(x, None)) == 2.5
    assert criterion(back, Target(x, torch.tensor([1.5, 0.5]))) == 1.75


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [-40, 30])
@pytest.mark.parametrize("linear_shortcut", [True, False])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", torch.optim.RAdam])
def test_what_is_learned_does_not_hang_on_the_size_of_the_cells(
    quick, X, loss, linear_shortcut, optimizer, exponent
):
    X = with_missing(X, 0.1)
    params = {"loss": loss, "linear_shortcut": linear_shortcut, "optimizer": optimizer}
    scores = []
    for size in (1.0, 2.0**exponent):
        autoencoder = quick(max_epochs=10, lr=0.01, **params).fit(size * X)
        losses = autoencoder.history_[["train_loss", "valid_loss"]].to_numpy()
        scores.append(losses / losses[0])
    # The steps of SGD are up to twice as long, since losses are scaled by powers of two alone.
    np.testing.assert_allclose(scores[1], scores[0], rtol=0.3 if optimizer == "sgd" else 0.02)


def test_penalties_weigh_as_much_where_cells_are_first_missing_later(quick, X):
    params = {"sparsity_penalty": 0.5, "early_stopping": False}
    shares = []
    for size in (1.0, 2.0**10):
        autoencoder = quick(**params).partial_fit(size * X).partial_fit(with_missing(size * X, 0.1))
        losses = autoencoder.history_["train_loss"].to_numpy()
        shares.append(losses[2] / losses[1])
    np.testing.assert_allclose(shares[1], shares[0], rtol=1e-3)
