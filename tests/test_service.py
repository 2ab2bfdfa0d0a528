"""The service of the gallery, asked on loopback."""

import importlib.util
import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import uvicorn
from conftest import curved

from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)

PATH = Path(__file__).parents[1] / "examples" / "service.py"
X = curved(80)


def load_service():
    spec = importlib.util.spec_from_file_location("service", PATH)
    module = sys.modules["service"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Served:
    """A service in a thread, at a free port of loopback."""

    def __init__(self, estimator, folder):
        self.estimator = estimator
        path = folder / "model.safetensors"
        estimator.save(path)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        app = load_service().make_app(str(path))
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)

    def __enter__(self):
        self.thread.start()
        end = time.monotonic() + 30
        while not self.server.started and time.monotonic() < end:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(30)
        self.socket.close()

    def ask(self, path, rows=None):
        """Return the status and what the service answers."""
        url = f"http://127.0.0.1:{self.port}{path}"
        content = None if rows is None else json.dumps({"rows": rows}).encode()
        request = urllib.request.Request(url, content, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    fitted = AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), max_epochs=2, random_state=0, whiten=True
    ).fit(frame)
    with Served(fitted, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    network = AutoencoderTransformer(2, hidden_layer_sizes=(8,), max_epochs=2)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    fitted = AutoencoderOutlierDetector(network, random_state=0).fit(frame)
    with Served(fitted, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.mark.parametrize("n_rows", [1, 5, 80])
def test_a_transformer(transformer, n_rows):
    rows, model = X[:n_rows].tolist(), transformer.estimator.model_
    _, codes = transformer.ask("/encode", rows)
    np.testing.assert_array_equal(codes["codes"], model.encode(X[:n_rows]))
    _, back = transformer.ask("/reconstruct", rows)
    np.testing.assert_array_equal(back["rows"], model.reconstruct(X[:n_rows]))
    _, scores = transformer.ask("/score", rows)
    np.testing.assert_array_equal(scores["scores"], model.score_samples(X[:n_rows]))


def test_a_detector(detector):
    fitted, frame = detector.estimator, pd.DataFrame(X, columns=list("abcdef"))
    _, scores = detector.ask("/score", X.tolist())
    np.testing.assert_array_equal(scores["scores"], fitted.score_samples(frame))
    _, told = detector.ask("/outliers", X.tolist())
    np.testing.assert_array_equal(told["labels"], fitted.predict(frame))
    np.testing.assert_array_equal(told["scores"], fitted.decision_function(frame))


def test_scores_that_are_no_numbers(tmp_path):
    fitted = VariationalAutoencoderTransformer(2, hidden_layer_sizes=(8,), max_epochs=1).fit(X)
    with Served(fitted, tmp_path) as served:
        status, answer = served.ask("/score", [[1e155] * 6])
    assert (status, answer["detail"]) == (422, "the rows are too far from those of the fit")


def test_what_is_served(transformer):
    _, told = transformer.ask("/model")
    columns = list("abcdef")
    assert told == {"class": "AutoencoderTransformer", "n_features": 6, "columns": columns}
    assert transformer.ask("/outliers", X[:1].tolist())[0] == 404


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0]], "each row has to have 6 numbers"),
        ([[1.0] * 6, [1.0] * 7], "each row has to have 6 numbers"),
        ([], "at least 1 item"),
        ([["a"] * 6], "valid number"),
        ([[float("nan")] * 6], "finite number"),
        ([[float("inf")] * 6], "finite number"),
        ("x", "valid list"),
        ([[0.0] * 6] * 10_001, "at most 10000 items"),
        ([[1e200] * 6], "not finite in float64"),
    ],
)
def test_rows_that_are_none(transformer, rows, message):
    status, answer = transformer.ask("/score", rows)
    assert status == 422
    assert message in json.dumps(answer)[:10_000]
    assert transformer.ask("/score", X[:1].tolist())[0] == 200


def test_missing_cells_are_imputed_or_refused(transformer, detector):
    row = X[0].copy()
    row[2] = np.nan
    rows = [[None if np.isnan(cell) else cell for cell in row]]
    _, back = transformer.ask("/reconstruct", rows)
    np.testing.assert_array_equal(back["rows"], transformer.estimator.model_.reconstruct(row[None]))
    status, answer = detector.ask("/outliers", rows)
    assert status == 422
    assert "NaN" in answer["detail"]


def test_many_clients_get_their_own_answers(transformer):
    expected = transformer.estimator.model_.encode(X)

    def ask(i):
        return transformer.ask("/encode", X[i : i + 1].tolist())[1]["codes"][0]

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(ask, range(len(X))))
    np.testing.assert_allclose(codes, expected, rtol=1e-9)
