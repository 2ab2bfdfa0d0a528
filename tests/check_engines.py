"""Spark and Ray: the recipes of examples/ run in processes that these start (`make test-scale`)."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sk_autoencoder import AutoencoderTransformer, load

EXAMPLES = Path(__file__).parents[1] / "examples"
LIMIT = 300

# What these engines are made of tells their developers a lot.
pytestmark = pytest.mark.filterwarnings("default")

# Workers run with the same interpreter, and find the recipes.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")])


def recipe(name):
    """Import an example."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(8000, 2)) @ rng.normal(size=(2, 6)))
    return pd.DataFrame(X + 0.05 * rng.normal(size=X.shape), columns=list("abcdef"))


@pytest.fixture
def model(tmp_path, frame):
    path = tmp_path / "model.safetensors"
    AutoencoderTransformer(2, max_epochs=3, random_state=0).fit(frame).save(path)
    return path


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql")
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", False)
    session = session.getOrCreate()
    yield session
    session.stop()


def test_codes_and_scores_of_a_spark_frame_are_those_of_pandas(spark, frame, model):
    on_spark, rows = recipe("on_spark"), spark.createDataFrame(frame)
    codes = on_spark.encode(rows, str(model)).toPandas()
    np.testing.assert_allclose(codes, load(model).transform(frame), rtol=1e-6)
    scores = on_spark.score(rows, str(model)).toPandas()
    pd.testing.assert_frame_equal(scores[list("abcdef")], frame)
    np.testing.assert_allclose(scores["score"], load(model).score_samples(frame), rtol=1e-6)


def test_processes_of_spark_train_together(spark, frame, tmp_path):
    spark.createDataFrame(frame).write.parquet(str(tmp_path / "X"))
    target = tmp_path / "trained.safetensors"
    recipe("on_spark").train(str(tmp_path / "X"), str(target), 2, n_processes=2)
    assert load(target).score(frame) > 0.97


@pytest.fixture(scope="module")
def started_ray():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=3, include_dashboard=False)
    yield ray
    ray.shutdown()


def test_codes_of_a_ray_data_set_are_those_of_pandas(started_ray, frame, model):
    data = started_ray.data.from_pandas(frame)
    codes = recipe("on_ray").encode(data, str(model)).to_pandas().to_numpy(dtype=float)
    expected = load(model).transform(frame)
    order = np.lexsort(codes.T), np.lexsort(expected.T)
    np.testing.assert_allclose(codes[order[0]], expected[order[1]], rtol=1e-6)


def test_workers_of_ray_train_together(started_ray, frame, tmp_path):
    frame.to_parquet(tmp_path / "X.parquet")
    target = tmp_path / "trained.safetensors"
    recipe("on_ray").train(str(tmp_path / "X.parquet"), str(target), 2, n_workers=2)
    assert load(target).score(frame) > 0.97


@pytest.mark.parametrize("name", ["on_spark", "on_ray"])
def test_each_recipe_runs_by_itself(name):
    pytest.importorskip({"on_spark": "pyspark", "on_ray": "ray"}[name])
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "autoencodertransformer0" in done.stdout + done.stderr


LAUNCH = """
from accelerate import debug_launcher
from launched import short

if __name__ == "__main__":
    debug_launcher(short, args=("",), num_processes=2)
"""


def test_accelerate_launches_a_fit(tmp_path):
    pytest.importorskip("accelerate")
    (tmp_path / "launch.py").write_text(LAUNCH)
    tests = Path(__file__).parent
    path = os.pathsep.join([str(tests), str(tests.parent)])
    done = subprocess.run(
        [sys.executable, str(tmp_path / "launch.py")],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('"short"') == 2
