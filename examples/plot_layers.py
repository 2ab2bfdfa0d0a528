"""
Dropout, normalization, tied weights, pretraining
=================================================

Four options of the textbook change the layers or their start. None of them is on by default: each
helps somewhere, and costs time or does nothing elsewhere. Here are two places where they matter,
few rows and a deep stack that starts from random weights, and beside each a place where they matter
less.
"""

# %%
# Digits, pixels from 0 to 1, and codes of 8 numbers. Errors are mean squared ones of rows that were
# held out, as shares of PCA's: below 1 is better than PCA.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sk_autoencoder import AutoencoderTransformer

X, _ = load_digits(return_X_y=True)
X = X / 16


def error(estimator, X_test):
    rows = estimator.inverse_transform(estimator.transform(X_test))
    return np.square(rows - X_test).mean()


def compare(variants, n_rows, splits):
    """Mean error on some splits, as a share of PCA's, and the number of parameters."""
    table = pd.DataFrame(0.0, index=list(variants), columns=["error", "parameters"])
    for split in splits:
        X_train, X_test = train_test_split(X, train_size=n_rows, random_state=split)
        pca = error(PCA(8).fit(X_train), X_test)
        for name, params in variants.items():
            model = AutoencoderTransformer(8, random_state=split, **params).fit(X_train)
            table.loc[name, "error"] += error(model, X_test) / pca / len(splits)
            n_parameters = sum(p.numel() for p in model.net_.module_.parameters())
            table.loc[name, "parameters"] = n_parameters
    return table.astype({"parameters": int})


# %%
# Few rows and many. Tied weights halve the number of parameters, and cost hardly anything. On few
# rows dropout lowers the error, with both together it is the lowest; on many rows neither helps.
# Batch normalization lowers the error of both.
layers = {
    "default": {},
    "dropout=.1": {"dropout": 0.1},
    "tied_weights": {"tied_weights": True},
    "dropout and tied": {"dropout": 0.1, "tied_weights": True},
    'normalization="batch"': {"normalization": "batch"},
}
few = compare(layers, n_rows=300, splits=[0, 1])
many = compare(layers, n_rows=1300, splits=[0])
print(pd.concat({"few rows": few, "many rows": many}, axis=1).round(3).to_string())

# %%
# A stack of five hidden layers, narrow and without the linear path that starts at PCA. With the
# logistic activation, as once was usual, it ends worse than PCA from random weights, and well below
# PCA's error with pretraining or normalization. With SiLU it needs neither to beat PCA, but both
# lower the error further. The linear path does not mend the logistic stack, which stays at PCA;
# with SiLU it does as much as pretraining.
deep = {"hidden_layer_sizes": (64, 48, 32, 24, 16)}
starts = {
    "random weights": {},
    'pretrain="layerwise"': {"pretrain": "layerwise"},
    'normalization="layer"': {"normalization": "layer"},
    'normalization="batch"': {"normalization": "batch"},
    "linear_shortcut": {"linear_shortcut": True},
}
deep_tables = {}
for activation in ("sigmoid", "silu"):
    variants = {
        name: {"linear_shortcut": False, "activation": activation} | deep | params
        for name, params in starts.items()
    }
    deep_tables[activation] = compare(variants, n_rows=1300, splits=[0])
print(pd.concat(deep_tables, axis=1).round(3).to_string())

# %%
# The dotted line is PCA.
panels = {
    "A few hundred rows": few,
    "Four times as many": many,
    "Five layers, sigmoid": deep_tables["sigmoid"],
    "Five layers, SiLU": deep_tables["silu"],
}
fig, axes = plt.subplots(2, 2, figsize=(9, 4.8), layout="constrained")
for ax, (title, table) in zip(axes.flat, panels.items(), strict=True):
    ax.barh(table.index, table["error"], color=["tab:grey"] + ["tab:blue"] * (len(table) - 1))
    ax.axvline(1, color="black", linewidth=0.8, linestyle=":")
    ax.set_title(title)
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
for row in axes:
    limit = max(ax.get_xlim()[1] for ax in row)
    for ax in row:
        ax.set_xlim(0, limit)
    row[1].tick_params(labelleft=False)
fig.supxlabel("held-out error, as a share of PCA's")
plt.show()
