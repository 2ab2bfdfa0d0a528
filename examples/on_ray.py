"""An autoencoder on Ray: trained by Ray Train, and asked of a data set of Ray Data.

    pip install sk-autoencoder "ray[data,train]"

`train` trains data-parallel, each worker on its part of a table that all of them can read.
`encode` asks a saved model of each batch of a data set.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from sk_autoencoder import load


def train(table: str, target: str, n_components: int, n_workers: int) -> None:
    """Train on a table by several workers of Ray, and save the model.

    `table` is a folder of Parquet files or a `.npy` file that each worker can read, and `target` a
    path that the first one can write.
    """
    trainer = TorchTrainer(
        fit_and_save,
        train_loop_config={"table": table, "target": target, "n_components": n_components},
        scaling_config=ScalingConfig(num_workers=n_workers),
        torch_config=TorchConfig(backend="gloo"),
        run_config=RunConfig(storage_path=str(Path(target).parent.resolve() / "ray")),
    )
    trainer.fit()


def fit_and_save(config: dict) -> None:
    """Train in one of the workers, which Ray has made a group of, and save in the first."""
    from sk_autoencoder import AutoencoderTransformer

    autoencoder = AutoencoderTransformer(config["n_components"], random_state=0, distributed=True)
    autoencoder.fit(config["table"])
    if ray.train.get_context().get_world_rank() == 0:
        autoencoder.save(config["target"])


class Encoder:
    """Loads a model once for each worker, and encodes batches."""

    def __init__(self, model: str):
        self.autoencoder = load(model)
        self.names = [str(name) for name in self.autoencoder.get_feature_names_out()]

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(self.autoencoder.transform(batch), columns=self.names)


def encode(data, model: str, n_workers: int = 1):
    """Return the codes of the rows of a data set."""
    return data.map_batches(
        Encoder, fn_constructor_args=(model,), batch_format="pandas", concurrency=n_workers
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        ray.init(num_cpus=int(os.environ.get("RAY_CPUS", "3")), include_dashboard=False)
        rng = np.random.default_rng(0)
        X = np.tanh(rng.normal(size=(20_000, 2)) @ rng.normal(size=(2, 6)))
        frame = pd.DataFrame(X, columns=list("abcdef"))
        table, model = Path(folder) / "X.parquet", Path(folder) / "model.safetensors"
        frame.to_parquet(table)
        train(str(table), str(model), 2, n_workers=2)
        encode(ray.data.read_parquet(str(table)), str(model)).show(3)
        ray.shutdown()
