"""Training is a function of data, parameters and a random source: no estimator is needed."""

import numpy as np
import pytest
from seams import data_of

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._config import Config
from sk_autoencoder._training.procedure import Tools, fit_autoencoder, fit_one_epoch
from sk_autoencoder._training.watching import Unwatched


def tools_of(autoencoder):
    source = np.random.RandomState(autoencoder.random_state)
    return Tools(Config.of(autoencoder), source, Unwatched())


@pytest.mark.quick
@pytest.mark.parametrize("params", [{}, {"nested": True, "whiten": True}, {"refit": False}])
def test_it_gives_what_the_estimator_gives(quick, X, params):
    autoencoder = quick(3, **params)
    training = fit_autoencoder(data_of(X), None, tools_of(autoencoder))
    codes = training.model.encode(X)
    np.testing.assert_array_equal(codes, autoencoder.fit(X).transform(X))


def test_what_goes_on_leaves_what_it_goes_on_from(quick, X):
    tools = tools_of(quick(warm_start=True))
    first = fit_autoencoder(data_of(X), None, tools)
    codes, n_epochs = first.model.encode(X), len(first.history)
    for fit in (
        lambda: fit_one_epoch(data_of(X), tools, first),
        lambda: fit_autoencoder(data_of(X), data_of(X + 1), tools, first),
    ):
        fit()
        np.testing.assert_array_equal(first.model.encode(X), codes)
        assert len(first.history) == len(first.net.history) + 1 == n_epochs


def test_a_config_is_a_value():
    config, other = (Config.of(AutoencoderTransformer(lr=lr)) for lr in (0.1, 0.1))
    assert config == other
    with pytest.raises(AttributeError):
        config.optimizer.lr = 0.2
