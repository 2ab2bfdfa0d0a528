"""scikit-learn's checks: all of those that apply, for several configurations."""

from unittest import SkipTest

import pytest
import torch
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from torch import nn

from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)


class PooledAutoencoder(nn.Module):
    """A user's module for any number of features, with one component."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.down = nn.Parameter(0.3 * torch.randn(4, 1, generator=generator))
        self.up = nn.Parameter(0.3 * torch.randn(1, 4, generator=generator))

    def encode(self, x):
        self.n_features = x.shape[1]
        return nn.functional.adaptive_avg_pool1d(x[:, None], 4)[:, 0] @ self.down

    def decode(self, z):
        return nn.functional.interpolate((z @ self.up)[:, None], self.n_features)[:, 0]

    def forward(self, x):
        return self.decode(self.encode(x))


SHORT = {"max_epochs": 1, "hidden_layer_sizes": (8,), "early_stopping": False}

CONFIGURATIONS = {
    "defaults": AutoencoderTransformer(),
    "few epochs": AutoencoderTransformer(max_epochs=3),
    "no epochs": AutoencoderTransformer(max_epochs=0),
    "textbook": AutoencoderTransformer(max_epochs=3, linear_shortcut=False),
    "all rows": AutoencoderTransformer(max_epochs=3, early_stopping=False),
    # Checks fit twice and want the same again: a warm start gives it with tiny steps alone.
    "warm start": AutoencoderTransformer(max_epochs=3, warm_start=True, lr=1e-12),
    # As a class: a copied instance of a torch module has another hash, which a check compares.
    "no refit": AutoencoderTransformer(max_epochs=3, refit=False),
    "own module": AutoencoderTransformer(1, max_epochs=3, module=PooledAutoencoder),
    "variational": VariationalAutoencoderTransformer(**SHORT),
    "supervised": AutoencoderTransformer(**SHORT, supervised_weight=1.0),
    "corruption": AutoencoderTransformer(**SHORT, corruption="masking"),
    "penalties": AutoencoderTransformer(
        **SHORT, sparsity_penalty=0.1, contractive_penalty=0.1, orthogonality_penalty=0.1
    ),
    "layers": AutoencoderTransformer(
        **SHORT, dropout=0.1, normalization="layer", tied_weights=True
    ),
    "nested and whitened": AutoencoderTransformer(**SHORT, nested=True, whiten=True),
}

DETECTORS = {
    "defaults": AutoencoderOutlierDetector(),
    "novelty": AutoencoderOutlierDetector(novelty=True),
    "given share of outliers": AutoencoderOutlierDetector(contamination=0.1),
    "few references": AutoencoderOutlierDetector(max_samples=32, n_neighbors=3),
    "given autoencoder": AutoencoderOutlierDetector(AutoencoderTransformer(1, max_epochs=2)),
}

# Those whose checks are always run, and not with the slow tests.
ALWAYS = ["few epochs", "no epochs", "supervised"]
DETECTORS_ALWAYS = ["defaults", "few references"]

# In `estimator_checks`, but not among those that `check_estimator` runs on a transformer.
CHECKS_TO_CALL_BY_HAND = [
    "check_dataframe_column_names_consistency",
    "check_estimators_partial_fit_n_features",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]

# The others are for what a transformer of rows without y is not.
OTHER_CHECKS_NOT_RUN = [
    "check_array_api_input_and_values",  # `check_array_api_input` with the values: see below
    "check_estimator",  # runs the others
    "check_estimators_nan_inf",  # for what takes no NaN, which is a gap here
    "check_estimators_data_not_an_array",  # calls predict; check_transformer_* does the same
    "check_inplace_ensure_writeable",  # for a parameter `copy`
    "check_non_transformer_estimators_n_iter",  # for what does not transform
    "check_sparsify_coefficients",  # for a method `sparsify`
    "check_supervised_y_2d",  # for a used y
    "check_supervised_y_no_nan",  # the same
    "check_transformers_unfitted_stateless",  # for what needs no fit
    "check_nonsquare_error",  # for pairwise input
    "check_fit_non_negative",  # for input that may not be negative
    "check_decision_proba_consistency",  # for classifiers
]

# For a required y.
ONLY_SUPERVISED = "check_requires_y_none"

OTHER_KINDS = ("class", "regressor", "cluster", "outlier")

# A weighted row is one row of the split and of a batch, a repeated one is several. What is
# determined by the rows alone, the start, is the same; what steps made of it is not.
TRAINED_IS_NOT_EQUIVALENT = {
    f"check_sample_weight_equivalence_on_{kind}_data": "trained on other batches"
    for kind in ("dense", "sparse")
}


# Libraries of arrays for hardware that this machine may lack, and the devices of torch.
ELSEWHERE = {"cupy", "dpnp", "xpu", "mps"} | (set() if torch.cuda.is_available() else {"cuda"})


def name_of(check):
    return getattr(check, "func", check).__name__


def runs_here(check):
    """Whether a check is not of arrays on hardware that is not there."""
    places = []
    for value in getattr(check, "keywords", {}).values():
        places += value if isinstance(value, tuple) else [value]
    return ELSEWHERE.isdisjoint(place for place in places if isinstance(place, str))


def parametrize_with_checks_that_run_here(configurations, **options):
    mark = parametrize_with_checks(list(configurations.values()), **options).mark
    names, cases = mark.args
    here = [case for case in cases if runs_here(getattr(case, "values", case)[1])]
    return pytest.mark.parametrize(names, here, **mark.kwargs)


def names_of_cases(configurations, always):
    """How the names of the cases begin that scikit-learn gives to some configurations."""
    return [f"{configurations[name]}-".replace(" ", "").replace("\n", "") for name in always]


@pytest.fixture(autouse=True)
def with_array_api(monkeypatch):
    """Let run what scikit-learn skips unless this variable is set."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


def expected_failed_checks(estimator):
    # A few distinct rows do not leave PCA, which weighs as it repeats.
    starts_at_pca = estimator.linear_shortcut and estimator.module is None
    stays_at_pca = starts_at_pca and estimator.early_stopping
    trained = estimator.max_epochs != 0 and estimator.lr != 1e-12 and not stays_at_pca
    return TRAINED_IS_NOT_EQUIVALENT if trained else {}


@pytest.mark.sampled(only=names_of_cases(CONFIGURATIONS, ALWAYS))
@parametrize_with_checks_that_run_here(
    CONFIGURATIONS, expected_failed_checks=expected_failed_checks
)
def test_common_check_passes_and_is_not_skipped(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"skipped: {reason}")


# Some of these checks mix arrays and DataFrames in fit and transform, whatever the estimator.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.sampled(only=ALWAYS)
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("check", CHECKS_TO_CALL_BY_HAND)
def test_check_called_by_hand_passes_and_is_not_skipped(check, configuration):
    try:
        estimator = CONFIGURATIONS[configuration]
        getattr(estimator_checks, check)(type(estimator).__name__, estimator)
    except SkipTest as reason:
        pytest.fail(f"skipped: {reason}")


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_no_tag_leaves_a_check_out(configuration):
    estimator = CONFIGURATIONS[configuration]
    run = {name_of(check) for _, check in estimator_checks_generator(estimator)}
    run.update(CHECKS_TO_CALL_BY_HAND)
    left_out = {
        name
        for name in vars(estimator_checks)
        if name.startswith("check_")
        and vars(estimator_checks)[name].__module__ == estimator_checks.__name__
        and not any(kind in name for kind in OTHER_KINDS)
    }
    expected = {*OTHER_CHECKS_NOT_RUN, ONLY_SUPERVISED}
    if estimator.supervised_weight:
        expected.remove(ONLY_SUPERVISED)
    assert left_out - run == expected


@pytest.mark.parametrize("library", ["numpy", "array_api_strict", "torch"])
@pytest.mark.parametrize(
    "configuration", ["few epochs", "variational", "supervised", "nested and whitened"]
)
def test_every_library_of_arrays_gives_the_same_values(configuration, library):
    estimator_checks.check_array_api_input(
        "AutoencoderTransformer",
        CONFIGURATIONS[configuration],
        library,
        check_values=True,
        check_sample_weight=True,
    )


@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
def test_arrays_are_of_the_library_of_the_fit(library):
    estimator_checks.check_array_api_same_namespace(
        "AutoencoderTransformer", CONFIGURATIONS["no epochs"], library
    )


def test_checks_of_other_libraries_than_numpy_run():
    run = [check for _, check in estimator_checks_generator(CONFIGURATIONS["no epochs"])]
    places = {str(getattr(check, "keywords", {})) for check in run if runs_here(check)}
    assert any("'torch'" in place and "'cpu'" in place for place in places)
    assert any("'array_api_strict'" in place for place in places)


@pytest.mark.sampled(only=names_of_cases(DETECTORS, DETECTORS_ALWAYS))
@parametrize_with_checks_that_run_here(DETECTORS)
def test_common_check_of_a_detector_passes_and_is_not_skipped(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"skipped: {reason}")


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("configuration", DETECTORS)
@pytest.mark.parametrize(
    "check", ["check_dataframe_column_names_consistency", "check_param_validation"]
)
def test_check_of_a_detector_called_by_hand_passes(check, configuration):
    getattr(estimator_checks, check)("AutoencoderOutlierDetector", DETECTORS[configuration])


def test_no_check_of_outlier_detectors_is_left_out():
    run = {name_of(check) for _, check in estimator_checks_generator(DETECTORS["defaults"])}
    checks = {name for name in vars(estimator_checks) if name.startswith("check_outlier")}
    assert checks - run == {"check_outlier_corruption"}  # which the others call
