"""
Codes that are sparse, smooth or uncorrelated
=============================================

Penalties ask more of a code than that rows can be reconstructed from it: that many of its
components are near zero, that it changes little where rows do, or that its components tell
different things. Each has its weight, to tune as any parameter, and may have its price in explained
variance.
"""

# %%
# The same transformer four times, on digits. What the penalties measure does not change with the
# scale of the code: a decoder with weights of its own would make up for a code that is only small.
# Sparse components are kept uncorrelated too, since copies of one component are as sparse as it is.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_autoencoder import AutoencoderTransformer

X, _ = load_digits(return_X_y=True)
X_train, X_test = train_test_split(X, random_state=0)

variants = {
    "no penalty": {},
    "sparse": {"sparsity_penalty": 0.3, "orthogonality_penalty": 0.3},
    "contractive": {"contractive_penalty": 0.3},
    "uncorrelated": {"orthogonality_penalty": 0.2},
}
models = {
    name: AutoencoderTransformer(8, max_epochs=100, random_state=0, **penalty).fit(X_train)
    for name, penalty in variants.items()
}

# %%
# What each penalty is for, on rows that were held out: how many components are below a tenth of
# their root mean square, how far codes move under noise, as a share of their own spread, and the
# mean squared correlation of two components.
noise = np.random.RandomState(0).standard_normal(X_test.shape)


def describe(model):
    Z = model.transform(X_test)
    moved = model.transform(X_test + noise) - Z
    correlation = np.corrcoef(Z, rowvar=False)
    others = ~np.eye(len(correlation), dtype=bool)
    return {
        "explained variance": model.score(X_test),
        "near zero": (np.abs(Z) < 0.1 * np.sqrt(np.square(Z).mean(axis=0))).mean(),
        "moved by noise": np.sqrt(np.square(moved).sum() / np.square(Z - Z.mean(axis=0)).sum()),
        "correlation": np.square(correlation[others]).mean(),
    }


table = pd.DataFrame({name: describe(model) for name, model in models.items()}).T
print(table.round(3).to_string())

# %%
# Each measure beside that without a penalty. The penalty that is made for it is in orange. More
# than half of the sparse code is zero or nearly so, and it explains a little less. The contractive
# code moves less than half as far under noise, and explains no less of these rows.
meant = {"near zero": "sparse", "moved by noise": "contractive", "correlation": "uncorrelated"}
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), sharey=True, layout="constrained")
for ax, name in zip(axes, table.columns, strict=True):
    colours = ["darkorange" if meant.get(name) == row else "tab:blue" for row in table.index]
    ax.barh(table.index, table[name], color=colours)
    ax.axvline(table.loc["no penalty", name], color="black", linewidth=0.8, linestyle=":")
    ax.set_title(name)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].invert_yaxis()
fig.suptitle("Codes of held-out digits, with and without penalties")
plt.show()
