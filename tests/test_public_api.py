"""The public surface, pinned: names, parameters, defaults, documented attributes."""

import inspect

import numpy as np
import pandas as pd
import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

import sk_autoencoder
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._base import BaseAutoencoder
from sk_autoencoder._methods import FittedMethods

pytestmark = pytest.mark.quick

DOC = ClassDoc(AutoencoderTransformer)
DOCUMENTED = {parameter.name: parameter for parameter in DOC["Parameters"]}
SIGNATURE = inspect.signature(AutoencoderTransformer).parameters

PUBLIC_METHODS = [
    "fit",
    "fit_transform",
    "get_feature_names_out",
    "get_metadata_routing",
    "get_params",
    "inverse_transform",
    "load",
    "onnx_converter",
    "onnx_parser",
    "onnx_shape_calculator",
    "partial_fit",
    "reconstruct",
    "reconstruction_error",
    "sample",
    "save",
    "score",
    "score_samples",
    "set_callbacks",
    "set_fit_request",
    "set_output",
    "set_params",
    "set_partial_fit_request",
    "set_score_request",
    "to_onnx",
    "to_torch",
    "transform",
    "transform_to",
]

# Set only where a parameter asks for them.
OPTIONAL_ATTRIBUTES = {"explained_variance_ratio_", "noise_variance_"}

# Arguments of `fit` that say which rows validate, as scikit-learn's gradient boosting names them.
VALIDATION = ["groups", "X_val", "y_val", "sample_weight_val", "groups_val"]

OWN_METHODS = [
    name for name in PUBLIC_METHODS if name in {**vars(BaseAutoencoder), **vars(FittedMethods)}
]


def documented_default(name):
    _, _, default = DOCUMENTED[name].type.partition("default=")
    return default


def test_public_names_are_pinned():
    assert sk_autoencoder.__all__ == [
        "TRUSTED_TYPES",
        "AutoencoderOutlierDetector",
        "AutoencoderTransformer",
        "CodesDisplay",
        "ComparisonDisplay",
        "OutlierExplanationDisplay",
        "ReconstructionCurveDisplay",
        "ReconstructionDisplay",
        "Source",
        "TrainingCurveDisplay",
        "VariationalAutoencoderTransformer",
        "compare_with_pca",
        "load",
    ]
    assert all(hasattr(sk_autoencoder, name) for name in sk_autoencoder.__all__)


def test_public_methods_are_pinned():
    methods = [
        name
        for name, _ in inspect.getmembers(AutoencoderTransformer, callable)
        if not name.startswith("_")
    ]
    assert methods == PUBLIC_METHODS


def test_parameters_are_documented_in_their_order():
    assert list(DOCUMENTED) == list(SIGNATURE)


def test_n_components_alone_is_positional():
    positional = [p.name for p in SIGNATURE.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == ["n_components"]
    assert all(p.kind is p.KEYWORD_ONLY for p in list(SIGNATURE.values())[1:])


@pytest.mark.parametrize("name", SIGNATURE)
def test_a_documented_default_is_that_of_the_signature(name):
    assert eval(documented_default(name), {}) == SIGNATURE[name].default


@pytest.mark.parametrize("name", SIGNATURE)
def test_a_parameter_says_what_it_is(name):
    text = " ".join(DOCUMENTED[name].desc)
    assert text.endswith(".")
    assert len(text) > 20


def test_constraints_are_those_of_the_signature():
    assert list(AutoencoderTransformer._parameter_constraints) == list(SIGNATURE)


def test_defaults_are_not_mutable():
    for parameter in SIGNATURE.values():
        hash(parameter.default)


def test_the_names_that_a_docstring_offers_are_those_that_the_constraints_allow():
    for name in (
        "activation",
        "normalization",
        "pretrain",
        "loss",
        "corruption",
        "sparsity",
        "optimizer",
        "lr_schedule",
    ):
        offered = DOCUMENTED[name].type.partition("{")[2].partition("}")[0].replace("\\", "")
        allowed = AutoencoderTransformer._parameter_constraints[name][0].options
        assert {word.strip().strip('"') for word in offered.split(",")} == allowed


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_fitted_attributes_are_those_documented(quick, method, early_stopping):
    X = pd.DataFrame(np.random.RandomState(0).standard_normal((30, 4)), columns=list("abcd"))
    autoencoder = getattr(quick(early_stopping=early_stopping), method)(X)
    fitted = {name for name in vars(autoencoder) if name[0] != "_" and name.endswith("_")}
    assert fitted == {attribute.name for attribute in DOC["Attributes"]} - OPTIONAL_ATTRIBUTES


def test_a_documented_property_is_computed_when_it_is_asked_for(quick, X):
    properties = {
        name
        for name, value in inspect.getmembers(AutoencoderTransformer)
        if isinstance(value, property) and name[0] != "_"
    }
    assert properties == {"components_"}
    assert AutoencoderTransformer.components_.__doc__
    with pytest.raises(NotFittedError):
        quick().components_  # noqa: B018, which takes a property for a value


@pytest.mark.parametrize("name", OWN_METHODS)
def test_parameters_and_results_of_a_method_are_documented(name):
    method = getattr(AutoencoderTransformer, name)
    doc = FunctionDoc(method)
    assert [p.name for p in doc["Parameters"]] == list(inspect.signature(method).parameters)[1:]
    assert doc["Returns"]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("fit", ["sample_weight", *VALIDATION, "resume_from"]),
        ("transform", []),
        ("inverse_transform", []),
        ("score", ["sample_weight"]),
    ],
)
def test_a_method_has_the_arguments_of_the_one_of_pca_and_weights(name, more):
    ours, theirs = (
        list(inspect.signature(getattr(cls, name)).parameters)
        for cls in (AutoencoderTransformer, PCA)
    )
    assert ours == theirs + more


def test_the_version_is_a_release_number():
    assert all(part.isdigit() for part in sk_autoencoder.__version__.split("."))
