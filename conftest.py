"""What tests and doctests share."""

import pytest

from sk_autoencoder.datasets import LOCAL_FASHION_MNIST


def pytest_collection_modifyitems(items):
    """Leave out the example of a data set that is not here, and would be fetched."""
    fetched = pytest.mark.skipif(not LOCAL_FASHION_MNIST.is_dir(), reason="no Fashion-MNIST here")
    for item in items:
        if item.name == "sk_autoencoder.datasets.load_fashion_mnist":
            item.add_marker(fetched)
