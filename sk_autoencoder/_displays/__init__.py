"""The plots, with scikit-learn's Display convention."""

from sk_autoencoder._displays._comparison import ComparisonDisplay
from sk_autoencoder._displays._images import ReconstructionDisplay

__all__ = ["ComparisonDisplay", "ReconstructionDisplay"]
