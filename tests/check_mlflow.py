"""Models logged by MLflow in its default format, and answered by a process that has only MLflow.

make test-mlflow
"""

import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import curved
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sk_autoencoder
from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer

# MLflow and what it is made of tell their developers a lot.
pytestmark = pytest.mark.filterwarnings("default")

X = pd.DataFrame(curved(80), columns=list("abcdef"))
Y = np.arange(80) % 2
SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}
METHODS = {
    "a pipeline": "transform",
    "a detector": "score_samples",
    "a classifier behind it": "predict_proba",
    "a search": "predict",
}
LOAD = """
import sys
import mlflow, numpy as np, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.sklearn.load_model(sys.argv[2])
X = pd.read_parquet(sys.argv[4])
np.save(sys.argv[5], getattr(model, sys.argv[3])(X))
if hasattr(model, "predict"):
    np.save(sys.argv[6], mlflow.pyfunc.load_model(sys.argv[2]).predict(X))
"""


def made(name):
    """Return a fitted model."""
    network = AutoencoderTransformer(2, **SMALL)
    classifier = make_pipeline(StandardScaler(), network, LogisticRegression())
    return {
        "a pipeline": lambda: make_pipeline(StandardScaler(), network).fit(X),
        "a detector": lambda: AutoencoderOutlierDetector(network, random_state=0).fit(X),
        "a classifier behind it": lambda: classifier.fit(X, Y),
        "a search": lambda: GridSearchCV(
            classifier, {"autoencodertransformer__n_components": [1, 2]}, cv=2
        ).fit(X, Y),
    }[name]()


@pytest.fixture
def tracking(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    mlflow.set_tracking_uri(uri)
    return uri


@pytest.mark.parametrize("name", METHODS)
def test_logged_and_answered_elsewhere(tracking, tmp_path, name):
    model, method = made(name), METHODS[name]
    expected = getattr(model, method)(X)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(X, expected),
            skops_trusted_types=trusted(name),
        )
    X.to_parquet("X.parquet")
    command = [sys.executable, "-c", LOAD, tracking, info.model_uri, method]
    subprocess.run([*command, "X.parquet", "Z.npy", "P.npy"], check=True, timeout=300)
    np.testing.assert_array_equal(np.load("Z.npy"), expected)
    if hasattr(model, "predict"):
        np.testing.assert_array_equal(np.load("P.npy"), model.predict(X))


def trusted(name):
    """Return the types to trust: a search has some of scikit-learn's own besides."""
    own = "sklearn.model_selection._split.StratifiedKFold"
    more = [own, "sklearn.metrics._scorer._PassthroughScorer"]
    return [*sk_autoencoder.TRUSTED_TYPES, *(more if name == "a search" else [])]


def test_autologging_records_the_parameters_of_a_pipeline(tracking):
    mlflow.sklearn.autolog(log_models=False, log_datasets=False)
    try:
        make_pipeline(StandardScaler(), AutoencoderTransformer(3, **SMALL)).fit(X)
    finally:
        mlflow.sklearn.autolog(disable=True)
    run = mlflow.last_active_run()
    assert run.data.params["autoencodertransformer__n_components"] == "3"
    assert run.data.params["autoencodertransformer__max_epochs"] == "2"


def test_training_curve_is_logged_by_the_callback_of_skorch(tracking):
    from skorch.callbacks import MlflowLogger

    with mlflow.start_run() as run:
        logger = MlflowLogger(terminate_after_train=False)
        fitted = AutoencoderTransformer(2, callbacks=[logger], **SMALL).fit(X)
    client = mlflow.MlflowClient()
    for loss in ("train_loss", "valid_loss"):
        logged = [m.value for m in client.get_metric_history(run.info.run_id, loss)]
        np.testing.assert_allclose(logged, fitted.history_[loss][1:], rtol=1e-12)
