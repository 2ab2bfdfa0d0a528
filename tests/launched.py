"""What `torch.distributed.run` starts for tests: a fit for each of some cases, told as JSON lines.

python -m torch.distributed.run --standalone --nproc-per-node 2 tests/launched.py CASE FOLDER
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from sk_autoencoder import AutoencoderTransformer, VariationalAutoencoderTransformer

RANK = int(os.environ.get("RANK", 0))
PARAMS = {"n_components": 2, "max_epochs": 6}
CASES = {
    "default": {},
    "huber": {"loss": "huber"},
    "corrupted": {"corruption": "masking"},
    "no stopping": {"early_stopping": False, "nested": True},
    "refit": {"refit": True},
    "batch norm": {"linear_shortcut": False, "normalization": "batch"},
    "dropout": {"dropout": 0.2},
    "sparse codes": {"sparsity_penalty": 0.1},
    # So many weights that each process steps a part of them.
    "wide": {"hidden_layer_sizes": (500, 300)},
}


def curved(n_rows=6000):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n_rows, 2))
    X = np.tanh(z @ rng.normal(size=(2, 7))) + 0.05 * rng.normal(size=(n_rows, 7))
    return X.astype(np.float32)


def hash_of(autoencoder):
    """What the weights, the codes and the choices of a fit are told apart by."""
    weights = autoencoder.model_.module.state_dict().values()
    parts = [weight.cpu().numpy() for weight in weights]
    parts += [autoencoder.model_.encode(curved(50)), autoencoder.explained_variance_]
    parts += [autoencoder.history_["train_loss"].to_numpy(), [autoencoder.best_epoch_]]
    return hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in parts)).hexdigest()


def tell(name, autoencoder):
    score = float(autoencoder.score(curved(8000)[6000:]))
    print(
        json.dumps([int(os.environ.get("RANK", 0)), name, hash_of(autoencoder), score]), flush=True
    )


def fits(folder):
    """Each case, in memory and streamed, in parts, with weights, classes and missing cells."""
    X, y = curved(), np.arange(6000) % 3
    for name, params in CASES.items():
        tell(name, AutoencoderTransformer(**PARAMS | params).fit(X))
    tell("few rows", AutoencoderTransformer(2, max_epochs=2).fit(X[:600]))
    tell("weights", AutoencoderTransformer(**PARAMS).fit(X, sample_weight=1.0 + y))
    tell("classes", AutoencoderTransformer(**PARAMS, supervised_weight=0.1).fit(X, y))
    tell("groups", AutoencoderTransformer(**PARAMS).fit(X, groups=np.arange(6000) // 4))
    missing = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)
    tell("missing", AutoencoderTransformer(**PARAMS).fit(missing))
    tell("variational", VariationalAutoencoderTransformer(**PARAMS).fit(X))
    parts = AutoencoderTransformer(**PARAMS)
    for _ in range(3):
        parts.partial_fit(X)
    tell("parts", parts)
    warm = AutoencoderTransformer(**PARAMS, warm_start=True)
    tell("warm start", warm.fit(X, X_val=X[:500] + 0.01).fit(X, X_val=X[:500] + 0.01))
    wide = AutoencoderTransformer(**PARAMS | CASES["wide"], warm_start=True).fit(X)
    tell("wide warm start", wide.set_params(lr=0.002).fit(X))
    from sk_autoencoder._sources import find

    find.IN_MEMORY_BYTES = 0
    tell("streamed", AutoencoderTransformer(**PARAMS).fit(Path(folder) / "X.npy"))
    tell("alone", AutoencoderTransformer(**PARAMS, random_state=0, distributed=False).fit(X))


def short(folder):
    tell("short", AutoencoderTransformer(**PARAMS, distributed=True).fit(curved()))


def checkpoint(folder):
    AutoencoderTransformer(**PARAMS, checkpoint=Path(folder) / "fit.pt").fit(curved())


def watched(folder):
    """Callbacks of skorch that look at batches, and one that stops in a process alone."""
    from skorch.callbacks import Callback, GradientNormClipping

    class Counting(Callback):
        def on_batch_end(self, net, **kwargs):
            self.n = getattr(self, "n", 0) + 1

    callbacks = [Counting(), GradientNormClipping(1.0)]
    tell("watched", AutoencoderTransformer(**PARAMS, callbacks=callbacks).fit(curved()))


def other_rows(folder):
    AutoencoderTransformer(**PARAMS).fit(curved()[: 5000 + 500 * RANK])


def missing_cell(folder):
    from sk_autoencoder._sources import find

    find.IN_MEMORY_BYTES = 0
    X = curved()
    X[4000, 3] = np.nan
    AutoencoderTransformer(**PARAMS).fit([X[:3000], X[3000:]])


def two_launchers(folder):
    os.environ["WORLD_SIZE"] = "3"
    torch.distributed.init_process_group("gloo", rank=RANK, world_size=2)
    AutoencoderTransformer(**PARAMS).fit(curved())


def long_fit(folder):
    """A fit that is to be killed: it tells its process when it has begun to train."""

    def begun(name):
        (Path(folder) / f"{name}.pid").write_text(str(os.getpid()))

    from skorch.callbacks import Callback

    class Told(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                begun(RANK)

    X, target = curved(), Path(folder) / "model.safetensors"
    told = AutoencoderTransformer(2, max_epochs=100_000, early_stopping=False, callbacks=[Told()])
    told.fit(X).save(target)


def searched(folder):
    """A search whose workers are no processes of the launcher."""
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(
        AutoencoderTransformer(2, max_epochs=2, random_state=0),
        {"lr": [1e-3, 1e-2]},
        cv=2,
        n_jobs=2,
    )
    search.fit(curved(600))
    tell("search", search.best_estimator_)


if __name__ == "__main__":
    torch.set_num_threads(1)
    globals()[sys.argv[1]](sys.argv[2])
