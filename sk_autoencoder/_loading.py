"""What reads the file of an estimator of any class."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from sk_autoencoder._outlier import AutoencoderOutlierDetector
from sk_autoencoder._saving.mixin import loaded
from sk_autoencoder._transformer import AutoencoderTransformer
from sk_autoencoder._variational import VariationalAutoencoderTransformer

Estimator = AutoencoderTransformer | VariationalAutoencoderTransformer | AutoencoderOutlierDetector


def load(path: str | PathLike[str], **params: Any) -> Estimator:
    """Load an estimator that its method `save` has written.

    Nothing in the file is run, and all of it is checked: files of others may be loaded, as far as
    one trusts the numbers.

    Parameters
    ----------
    path : str or path-like
        File to read.
    **params : dict
        Parameters that are code, which the file only names, and `device`, which takes the place of
        that in the file. Those of the autoencoder of a detector begin with ``autoencoder__``.

    Returns
    -------
    estimator : object
        An estimator of this package, as the one that was saved. `fit` fits it anew; `partial_fit`,
        and `fit` with `warm_start`, cannot go on from it.

    Raises
    ------
    OSError
        If the file cannot be read.
    TypeError
        If `params` has a parameter that is no code in the file.
    ValueError
        If the file is none of an estimator, is damaged, or of a later version, if a parameter that
        is code is missing or does not suit the weights, or if the device of the fit is not there.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_digits
    >>> import sk_autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = sk_autoencoder.AutoencoderTransformer(8, max_epochs=1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     autoencoder.save(os.path.join(folder, "digits.safetensors"))
    ...     loaded = sk_autoencoder.load(os.path.join(folder, "digits.safetensors"))
    >>> bool((loaded.transform(X) == autoencoder.transform(X)).all())
    True
    """
    return loaded(Path(path), params, None)
