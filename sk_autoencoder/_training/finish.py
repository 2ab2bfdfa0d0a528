"""From a trained net to the fitted autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sk_autoencoder._data import Data
from sk_autoencoder._model.bound import Bound, noise_variance
from sk_autoencoder._model.components import (
    Moments,
    describe_codes,
    explained_by_each,
    of_network,
    of_pca,
)
from sk_autoencoder._model.dimension import fewest, number_beyond_chance
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._model.sampling import CodeMixture, Prior, sample_for_mixture
from sk_autoencoder._nn.whitening import Unwhitened, Whitening, rounding_variances
from sk_autoencoder._training.setup import Setup


@dataclass(frozen=True)
class Facts:
    """What rows that judge tell of a net, before a refit trains on them.

    `noise_variance` is that of a variational autoencoder. `shares` holds the share of the variance
    that each nested component explains. Each is None where there is no such thing.
    """

    noise_variance: float | None = None
    shares: np.ndarray | None = None

    def leading(self, n_components: int) -> Facts:
        """Return the facts of the first components alone."""
        shares = None if self.shares is None else self.shares[:n_components]
        return replace(self, shares=shares)


def whole_model(setup: Setup) -> FittedAutoencoder:
    """Return the autoencoder that a net is at present, with all components and no whitening."""
    net = setup.net
    return FittedAutoencoder(
        net.frames.input,
        net.frames.output,
        net.module_,
        net.bottleneck_,
        setup.config.objective.loss,
        setup.width,
        setup.axes.mean,
    )


def measure(setup: Setup, judges: Data) -> Facts:
    """Return what some rows tell of a net."""
    model, config = whole_model(setup), setup.config.code
    noise = noise_variance(model, judges) if model.bottleneck.has_prior else None
    if not config.nested:
        return Facts(noise)
    reconstructions = of_network(model.astype(judges.X.dtype), judges.has_missing)
    return Facts(noise, explained_by_each(reconstructions, judges, setup.axes.mean))


def measure_pca(setup: Setup, judges: Data, facts: Facts) -> Facts:
    """Return the facts that hold for PCA in place of the net."""
    if facts.shares is None:
        return facts
    reconstructions = of_pca(setup.axes, setup.width, setup.frame.impute)
    return replace(facts, shares=explained_by_each(reconstructions, judges, setup.axes.mean))


def choose_size(setup: Setup, facts: Facts) -> Facts:
    """Return the facts of as many components as the variance asks for."""
    config = setup.config.code
    if facts.shares is None or not config.is_chosen:
        return facts
    if config.n_components == "auto":
        return facts.leading(number_beyond_chance(facts.shares, setup.frame.n_features))
    return facts.leading(fewest(facts.shares, config.n_components))


def finish(
    setup: Setup, data: Data, facts: Facts, before: Moments | None = None
) -> tuple[FittedAutoencoder, Moments]:
    """Return the fitted autoencoder, and the moments of the codes of the rows of the fit.

    `before` holds those of the rows of the fits before.
    """
    model, config = whole_model(setup), setup.config
    has_prior = model.bottleneck.has_prior
    sample = np.empty(0, dtype=int) if has_prior else sample_for_mixture(model, data)
    codes = describe_codes(model, data, sample)
    moments = codes.moments if before is None else before + codes.moments
    whitening: Whitening | Unwhitened = Unwhitened()
    if config.code.whiten:
        components = setup.axes.components if config.starts_at_pca else None
        dtype, covariance = setup.frame.dtype, moments.covariance
        rounding = rounding_variances(model.mean, covariance, dtype, components)
        whitening = Whitening.of(moments.mean, covariance, rounding)
        whitening.to(setup.frame.device)
    sampler: Any = None
    scorer: Any = None
    if has_prior:
        scale = model.bottleneck.prior_scale.double().cpu().numpy()
        sampler, scorer = Prior(scale * setup.frame.scale), Bound(facts.noise_variance)
    else:
        sampler = CodeMixture.of(codes.sample)
    n_components = model.width if facts.shares is None else len(facts.shares)
    described = replace(model, n_components=n_components, whitening=whitening)
    return replace(described, sampler=sampler, scorer=scorer), moments


def model_as_if_stopped(setup: Setup) -> FittedAutoencoder:
    """Return the autoencoder that a stop after the present epoch would leave, not whitened."""
    model = whole_model(replace(setup, net=setup.net.as_if_stopped()))
    if not model.bottleneck.has_prior:
        return model
    return replace(model, scorer=Bound(None))
