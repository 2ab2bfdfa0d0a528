"""The plots, with scikit-learn's Display convention."""

from sk_autoencoder._displays._codes import CodesDisplay
from sk_autoencoder._displays._comparison import ComparisonDisplay
from sk_autoencoder._displays._images import ReconstructionDisplay
from sk_autoencoder._displays._outliers import OutlierExplanationDisplay
from sk_autoencoder._displays._reconstruction_curve import ReconstructionCurveDisplay
from sk_autoencoder._displays._training import TrainingCurveDisplay

__all__ = [
    "CodesDisplay",
    "ComparisonDisplay",
    "OutlierExplanationDisplay",
    "ReconstructionCurveDisplay",
    "ReconstructionDisplay",
    "TrainingCurveDisplay",
]
