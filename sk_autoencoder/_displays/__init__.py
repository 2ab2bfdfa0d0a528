"""The plots, with scikit-learn's Display convention."""

from sk_autoencoder._displays.codes import CodesDisplay
from sk_autoencoder._displays.comparison import ComparisonDisplay
from sk_autoencoder._displays.images import ReconstructionDisplay
from sk_autoencoder._displays.outliers import OutlierExplanationDisplay
from sk_autoencoder._displays.reconstruction_curve import ReconstructionCurveDisplay
from sk_autoencoder._displays.training import TrainingCurveDisplay

__all__ = [
    "CodesDisplay",
    "ComparisonDisplay",
    "OutlierExplanationDisplay",
    "ReconstructionCurveDisplay",
    "ReconstructionDisplay",
    "TrainingCurveDisplay",
]
