"""
A search over sizes with one fit
================================

How many components does a classifier need? With ``nested=True`` the first columns of a code are a
code, so that one fit has all sizes. The pipeline chooses columns behind the autoencoder, and its
``memory`` keeps that fit: a search trains one network a fold, however many sizes it tries.
"""

# %%
# The columns are chosen by scikit-learn's ``ColumnTransformer``. PCA goes through the same search.
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from sk_autoencoder import AutoencoderTransformer

SIZES = range(1, 17)

X, y = load_digits(return_X_y=True)


def first(n_columns):
    """Keep the first columns alone."""
    return [("first", "passthrough", slice(n_columns))]


def search(reducer, memory):
    """Search over the number of columns that a classifier is given."""
    pipeline = Pipeline(
        [
            ("reduce", reducer),
            ("choose", ColumnTransformer(first(max(SIZES)))),
            ("classify", KNeighborsClassifier()),
        ],
        memory=memory,
    )
    grid = {"choose__transformers": [first(size) for size in SIZES]}
    return GridSearchCV(pipeline, grid, cv=3).fit(X, y)


with TemporaryDirectory() as memory:
    found = {
        "autoencoder": search(
            AutoencoderTransformer(max(SIZES), nested=True, max_epochs=100, random_state=0), memory
        ),
        "PCA": search(PCA(max(SIZES)), memory),
    }

# %%
# The first size pays for the fits of its folds. The others take them from the memory.
for name, result in found.items():
    seconds = result.cv_results_["mean_fit_time"]
    print(f"{name}: {seconds[0]:.3f} s a fold for the first size, {seconds[1:].max():.3f} s after")

# %%
# Accuracy on held-out folds, of the codes of each size.
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, color in (("autoencoder", "darkorange"), ("PCA", "slategrey")):
    ax.plot(SIZES, found[name].cv_results_["mean_test_score"], "o-", color=color, label=name)
ax.set(xlabel="components", ylabel="accuracy", title="Nearest neighbours on digits, three folds")
ax.grid(alpha=0.3)
ax.legend()
plt.show()
