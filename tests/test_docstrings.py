"""Public docstrings, held against numpydoc's rules."""

import inspect

import pytest
from numpydoc.validate import validate

import sk_autoencoder

pytestmark = pytest.mark.quick

NOT_ASKED_FOR = {
    "ES01",  # an extended summary, where one line says it
    "EX01",  # an example in each method
    "GL08",  # a docstring for what is inherited without one
    "RT02",  # scikit-learn names what is returned
    "SA01",  # "see also" in each method
    "SS06",  # a summary of one line
}


def public_objects():
    """Give the paths of the public names, and of the methods that our classes write."""
    yield "sk_autoencoder.datasets.load_fashion_mnist"
    of_dask = "sk_autoencoder.dask.DaskAutoencoderTransformer"
    for method in ("fit", "transform", "inverse_transform", "reconstruct", "score_samples"):
        yield f"{of_dask}.{method}"
    yield f"{of_dask}.to_local"
    for name in sk_autoencoder.__all__:
        thing = getattr(sk_autoencoder, name)
        if isinstance(thing, list):
            continue
        if not getattr(thing, "_is_protocol", False):  # which takes no parameters
            yield f"sk_autoencoder.{name}"
        if inspect.isclass(thing):
            for method in vars(thing):
                if not method.startswith("_") and callable(getattr(thing, method)):
                    yield f"sk_autoencoder.{name}.{method}"


@pytest.mark.parametrize("path", list(public_objects()))
def test_docstring_keeps_to_numpydoc(path):
    errors = [error for error in validate(path)["errors"] if error[0] not in NOT_ASKED_FOR]
    assert not errors
