"""What training makes small: the error of the reconstruction, or the evidence bound."""

from __future__ import annotations

from torch import Tensor, nn

from sk_autoencoder._nn.batch import Pass, Target
from sk_autoencoder._training.errors import CellError, FrameError

MAX_EXPONENT = 10.0


class Reconstruction(nn.Module):
    """The error of the reconstruction.

    Parameters
    ----------
    error : FrameError or CellError

    Attributes
    ----------
    is_mean_of_rows : bool
        Whether the loss of a batch is the mean of the losses of its rows. PCA makes such a loss
        small too, and can be compared with.
    """

    is_mean_of_rows = True

    def __init__(self, error: FrameError | CellError):
        super().__init__()
        self.error = error

    def forward(self, reconstruction: Tensor, target: Target) -> Tensor:
        return self.error(reconstruction, target)

    def of_batch(self, batch: Pass) -> Tensor:
        """Return the loss of a batch on its way through the network."""
        return self.error(batch.reconstruction, batch.target)

    def learn_tail(self, rows) -> None:
        """Take in how much of some rows lies outside of the frame, where the loss needs it."""

    def with_missing(self) -> Reconstruction:
        """Return the same objective for targets with missing cells."""
        return Reconstruction(self.error.with_missing())


class EvidenceBound(Reconstruction):
    """Minus the evidence lower bound, as an error in the units of that of the reconstruction.

    With the squared error m, D cells, and the variance m of the noise, minus the bound is
    D/2 log m + KL up to a constant: as an error, m exp(2 KL / D). The variance of the noise is
    always the one that is best for the present reconstructions (Rybkin et al., 2021, Simple and
    effective VAE training with calibrated decoders, ICML), so that it cannot be wrong and let
    codes collapse. A cross-entropy is a likelihood as it is.

    Parameters
    ----------
    error : FrameError or CellError
    kl_weight : float
        Weight of the divergence from the prior.
    n_cells : int
        Number of features of X.
    is_gaussian : bool
        Whether the error is a squared one.
    """

    is_mean_of_rows = False

    def __init__(self, error, kl_weight: float, n_cells: int, is_gaussian: bool):
        super().__init__(error)
        self.kl_weight = kl_weight
        self.n_cells = n_cells
        self.is_gaussian = is_gaussian
        self.tail = 0.0

    def of_batch(self, batch: Pass) -> Tensor:
        """Return the bound of a batch as an error.

        Its gradient is taken up to a factor near 1, without the exponential.
        """
        loss, weight = super().of_batch(batch), batch.target.weight
        mean = (batch.divergence if weight is None else batch.divergence * weight).mean()
        nats = self.kl_weight * mean / self.n_cells  # a cell
        if not self.is_gaussian:
            return loss + nats
        variance = loss.detach() + self.tail
        value = variance * (2 * nats.detach()).clamp(max=MAX_EXPONENT).exp() - self.tail
        slope = loss + variance * 2 * nats
        return value + slope - slope.detach()

    def learn_tail(self, rows) -> None:
        """Take in what lies outside of the frame, in the units of the error."""
        self.tail = rows.tail / self.error.unit

    def with_missing(self) -> EvidenceBound:
        """Return the same objective for targets with missing cells."""
        error = self.error.with_missing()
        return EvidenceBound(error, self.kl_weight, self.n_cells, self.is_gaussian)
