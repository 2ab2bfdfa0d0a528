"""Run an example on few images, for few epochs, in one process.

    python tests/shrinking.py example.py

A notebook calls `shrink` in a cell before its first one. The examples know nothing of it. The data
sets that come with scikit-learn are small enough as they are.
"""

import functools
import runpy
import sys

import joblib
import numpy as np

import sk_autoencoder.datasets
from sk_autoencoder import AutoencoderTransformer

IMAGES = {"train": 1000, "test": 500}
EPOCHS = 2


def shrink():
    """Patch what loads images and what trains. Call it before the example imports either."""
    sk_autoencoder.datasets.load_fashion_mnist = make_images
    AutoencoderTransformer.fit = briefly(AutoencoderTransformer.fit)
    joblib.parallel_config("sequential")  # other processes would not be patched


def make_images(subset="train"):
    """Give grainy spots of ten widths in the place of Fashion-MNIST."""
    rng = np.random.RandomState(subset == "test")
    y = np.arange(IMAGES[subset]) % 10
    across, down = np.meshgrid(np.linspace(-1, 1, 28), np.linspace(-1, 1, 28))
    width = (0.2 + y / 12 + 0.1 * rng.uniform(size=len(y)))[:, None, None]
    spots = np.exp(-((across / width) ** 2) - (down * (1 + width)) ** 2)
    images = spots * rng.uniform(0.7, 1, spots.shape)
    return images.reshape(len(y), -1).astype(np.float32), y


def briefly(fit):
    """Give a method that fits for a few epochs, whatever `max_epochs` says, and leaves it as it is.

    Where fewer are asked for, it fits for fewer.
    """

    @functools.wraps(fit)
    def fit_briefly(self, *args, **kwargs):
        max_epochs = self.max_epochs
        self.max_epochs = EPOCHS if max_epochs == "auto" else min(max_epochs, EPOCHS)
        try:
            return fit(self, *args, **kwargs)
        finally:
            self.max_epochs = max_epochs

    return fit_briefly


if __name__ == "__main__":
    shrink()
    runpy.run_path(sys.argv[1], run_name="__main__")
