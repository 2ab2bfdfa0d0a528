"""What a fitted autoencoder is asked: codes, rows, errors, scores, samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sk_autoencoder._model.components import explained
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._utils.absent import Absent
from sk_autoencoder._utils.arrays import check_same_library, like, like_attribute
from sk_autoencoder._validation import (
    Passed,
    check_codes,
    check_data,
    check_fitted,
    check_n_samples,
    check_X,
    gradients_enabled,
    like_input,
    like_output,
)


class FittedMethods(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Methods that answer from the fitted model alone: parameters set later change no result."""

    model_: FittedAutoencoder
    n_components_: int
    n_features_in_: int
    feature_names_in_: np.ndarray
    mean_: np.ndarray
    explained_variance_: np.ndarray
    history_: pd.DataFrame
    n_iter_: int
    best_epoch_: int
    is_pca_: bool
    shrinkage_: float
    validation_score_: float | None
    pca_validation_score_: float | None

    def transform(self, X: Any) -> np.ndarray:
        """Encode the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        X_new : ndarray of shape (n_samples, `n_components_`)
            Their codes, in the units and in the floating dtype of X.
        """
        rows, has_missing = self._check_rows(X, "transform")
        return like_input(self, self.model_.encode(rows, has_missing=has_missing), X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decode codes to rows in the space of the training data.

        Parameters
        ----------
        X : array-like of shape (n_samples, `n_components_`)
            Codes, as `transform` gives them; with `nested` their first columns alone will do.

        Returns
        -------
        X_original : ndarray of shape (n_samples, `n_features_in_`)
            The reconstruction, in the floating dtype of the codes. Where `set_output` asks
            for a DataFrame it is one, with the feature names of the training data and, in
            pandas, the index of the codes.
        """
        check_fitted(self)
        check_same_library(self, X, "inverse_transform")
        return like_output(self, self.model_.decode(check_codes(self, X)), X)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encode the rows of X and decode them again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            The same as ``inverse_transform(transform(X))``, in the floating dtype of X and
            the container that `inverse_transform` gives.
        """
        rows, has_missing = self._check_rows(X, "reconstruct")
        return like_output(self, self.model_.reconstruct(rows, has_missing=has_missing), X)

    def reconstruction_error(self, X: Any, *, per_feature: bool = False) -> np.ndarray:
        """Return the squared error of the reconstruction of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.
        per_feature : bool, default=False
            Whether to give the squared error of each cell, instead of its mean over a row.

        Returns
        -------
        error : ndarray of shape (n_samples,) or (n_samples, n_features)
            Squared errors in the squared units of X, float64.
        """
        rows, has_missing = self._check_rows(X, "reconstruction_error")
        errors = self.model_.squared_error if per_feature else self.model_.mean_squared_error
        return like(errors(rows, has_missing=has_missing), X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how normal each row of X is: minus its mean squared reconstruction error.

        `VariationalAutoencoderTransformer` gives the evidence lower bound of the log-likelihood of
        the known cells, with normal noise of variance `noise_variance_` around the reconstruction,
        or with the cross-entropy that is the `loss`. Its mean over the code is taken at points
        that are the same for each row. `kl_weight` counts in training alone.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Higher is more normal, float64: in the squared units of X, or the bound in nats.
        """
        rows, has_missing = self._check_rows(X, "score_samples")
        return like(self.model_.score_samples(rows, has_missing=has_missing), X)

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> np.ndarray:
        """Generate new rows, like those of the training data.

        Codes are drawn and decoded. `VariationalAutoencoderTransformer` draws them from its prior.
        `AutoencoderTransformer` draws them from a mixture of normal distributions, which is fitted,
        when a sample is first asked for, on codes of at most 5000 rows of the last call of `fit`
        or `partial_fit`, fewer where the network is small. Of 1, 2, 4, ... 32 normal distributions
        it has as many as have the lowest Bayesian information criterion [1]_.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Determines the rows; None draws from the operating system.

        Returns
        -------
        X_new : ndarray of shape (n_samples, `n_features_in_`)
            The rows, in the units and the floating dtype of the training data and in the
            container that `inverse_transform` gives. They are means, without the noise of
            cells, and are not clipped to the range of the training data; with
            ``loss="binary_crossentropy"`` or ``"poisson"`` they are in the range of the loss.

        References
        ----------
        .. [1] Schwarz (1978). Estimating the dimension of a model. Annals of Statistics 6(2),
           461-464.
        """
        check_fitted(self)
        rows = self.model_.sample(check_n_samples(n_samples), random_state)
        return like_output(self, rows, self.mean_)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Share of the variance of X that its reconstruction explains.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct; only their known cells count.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more; None counts each as one.

        Returns
        -------
        score : float
            One minus the summed squared error of the reconstruction over that of `mean_`:
            1 is perfect, 0 no better than the mean of the training data.
        """
        check_fitted(self)
        check_same_library(self, X, "score")
        loss = self.model_.found_loss
        data = check_data(self, Passed(X, None, sample_weight), loss, reset=False)
        return explained(self.model_, data)

    @property
    def components_(self) -> np.ndarray:
        """Local linear map of the decoder, an ndarray of shape (`n_components_`, `n_features_in_`).

        Row i is the derivative of the reconstruction by component i of the code, before
        whitening, at the code of `mean_`: what a small change of the component does to each
        feature. With no epochs these are PCA's components.
        """
        check_fitted(self)
        with gradients_enabled():
            components = self.model_.astype(np.dtype(np.float64)).local_linear_map()
        return like_attribute(components, self.mean_)

    # What users of PCA look for, and where to find it.
    explained_variance_ratio_ = Absent[np.ndarray](
        "is only set with nested=True: without it, components have no order. Set nested=True, or "
        "use score(X), the share of the variance that all components explain together."
    )
    noise_variance_ = Absent[float](
        "is only set by VariationalAutoencoderTransformer with loss='squared_error'. Use that, or "
        "reconstruction_error(X).mean(), the mean squared error of a cell."
    )
    singular_values_ = Absent[np.ndarray](
        "is not set. Use (explained_variance_ * (n_samples - 1)) ** 0.5, which is PCA's."
    )
    n_samples_ = Absent[int]("is not set. Use len(X).")
    get_covariance = Absent[Any](
        "is not given, since the distribution of the rows is not normal. Use "
        "np.cov(sample(10_000), rowvar=False) for the covariance of generated rows, or "
        "score_samples(X) to tell how normal rows are."
    )
    get_precision = Absent[Any](
        "is not given, since the distribution of the rows is not normal. Use score_samples(X) to "
        "tell how normal rows are."
    )

    def _check_rows(self, X, method: str) -> tuple[Any, bool]:
        """Return checked rows for a method of a fitted transformer, and whether cells miss."""
        check_fitted(self)
        check_same_library(self, X, method)
        return check_X(self, X, self.model_.found_loss, reset=False)
