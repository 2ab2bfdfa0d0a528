"""
Fashion-MNIST, gone and brought back
====================================

An image of 784 pixels becomes a code of 32 numbers, and the code an image again. PCA does the same
with as many numbers.
"""

# %%
# 60,000 images to fit, 10,000 others to judge, with pixels from 0 to 1.
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

X_train, _ = load_fashion_mnist("train")
X_test, y_test = load_fashion_mnist("test")
small = os.environ.get("SK_AUTOENCODER_EXAMPLES_SMALL") == "1"  # the tests run a small mode
if small:
    X_train = X_train[:1000]

# %%
# All that is kept of an image is its code.
pca = PCA(32).fit(X_train)
autoencoder = AutoencoderTransformer(32, max_epochs=2 if small else "auto", random_state=0)
codes = autoencoder.fit(X_train).transform(X_test)  # (10000, 32)

restored = {
    "PCA": pca.inverse_transform(pca.transform(X_test)),
    "autoencoder": autoencoder.inverse_transform(codes),
}
errors = {name: np.square(rows - X_test).mean() for name, rows in restored.items()}
for name, error in errors.items():
    print(f"{name}: mean squared error {error:.5f} on held-out images")

# %%
# The first test image of each class, its 32 numbers (red above zero, blue below), and what comes
# back of them.
first = [np.flatnonzero(y_test == label)[0] for label in range(10)]
limit = np.abs(codes[first]).max()
pixels = {"cmap": "gray_r", "vmin": 0, "vmax": 1}
numbers = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
lines = {
    "original": (X_test, (28, 28), pixels, "black"),
    f"PCA\nerror {errors['PCA']:.4f}": (restored["PCA"], (28, 28), pixels, "slategrey"),
    "code of\nthe autoencoder": (codes, (4, 8), numbers, "darkorange"),
    f"autoencoder\nerror {errors['autoencoder']:.4f}": (
        restored["autoencoder"],
        (28, 28),
        pixels,
        "darkorange",
    ),
}
fig, axes = plt.subplots(4, 10, figsize=(10, 4), layout="constrained")
for axes_of_line, (label, (rows, shape, look, colour)) in zip(axes, lines.items(), strict=True):
    axes_of_line[0].set_ylabel(label, rotation=0, ha="right", va="center", color=colour)
    for ax, row in zip(axes_of_line, rows[first], strict=True):
        ax.imshow(row.reshape(shape), **look)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
fig.suptitle("Fashion-MNIST, held out, from codes of 32 numbers")
plt.show()
