"""An autoencoder on Spark: trained by its TorchDistributor, and asked of a DataFrame.

    pip install sk-autoencoder pyspark

`train` trains data-parallel, each process on its part of a table that all of them can read.
`encode` and `score` ask a saved model of each row of a DataFrame, a batch at a time, where it lies.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import DataFrame

from sk_autoencoder import load


def train(table: str, target: str, n_components: int, n_processes: int) -> None:
    """Train on a table by several processes of Spark, and save the model.

    `table` is a folder of Parquet files or a `.npy` file that each process can read, and `target`
    a path that the first one can write.
    """
    distributor = TorchDistributor(num_processes=n_processes, local_mode=True, use_gpu=False)
    distributor.run(fit_and_save, table, target, n_components)


def fit_and_save(table: str, target: str, n_components: int) -> None:
    """Train in one of the processes, of which the launcher has told it, and save in the first."""
    import os

    from sk_autoencoder import AutoencoderTransformer

    autoencoder = AutoencoderTransformer(n_components, random_state=0, distributed=True).fit(table)
    if os.environ["RANK"] == "0":
        autoencoder.save(target)


def encode(frame: DataFrame, model: str) -> DataFrame:
    """Return the codes of the rows of a DataFrame."""
    names = [str(name) for name in load(model).get_feature_names_out()]

    def of_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        autoencoder = load(model)
        for batch in batches:
            yield pd.DataFrame(autoencoder.transform(batch), columns=names)

    return frame.mapInPandas(of_batches, ", ".join(f"{name} double" for name in names))


def score(frame: DataFrame, model: str) -> DataFrame:
    """Return the rows of a DataFrame, with how normal each of them is."""

    def of_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        autoencoder = load(model)
        for batch in batches:
            yield batch.assign(score=autoencoder.score_samples(batch))

    columns = [f"`{field.name}` {field.dataType.simpleString()}" for field in frame.schema]
    return frame.mapInPandas(of_batches, ", ".join([*columns, "score double"]))


if __name__ == "__main__":
    import tempfile

    import numpy as np
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory() as folder:
        spark = SparkSession.builder.master("local[2]").getOrCreate()
        rng = np.random.default_rng(0)
        X = np.tanh(rng.normal(size=(20_000, 2)) @ rng.normal(size=(2, 6)))
        table, model = Path(folder) / "X.parquet", Path(folder) / "model.safetensors"
        frame = spark.createDataFrame(pd.DataFrame(X, columns=list("abcdef")))
        frame.write.parquet(str(table))
        train(str(table), str(model), 2, n_processes=2)
        encode(frame, str(model)).show(3)
        score(frame, str(model)).show(3)
        spark.stop()
