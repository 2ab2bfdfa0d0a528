"""
Quick start
===========

``AutoencoderTransformer`` stands where ``PCA`` stands. It starts at PCA, and training goes on from
there: with a code of the same size, more of each row comes back.
"""

# %%
# The pixels of scikit-learn's digits, from 0 to 1, and a quarter of them held out.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sk_autoencoder import AutoencoderTransformer, ComparisonDisplay

X, _ = load_digits(return_X_y=True)
X = X / 16
X_train, X_test = train_test_split(X, random_state=0)

# %%
# Both are fitted on the same rows. Each gives a code of 8 numbers for a new row, and the way back.
pca = PCA(n_components=8).fit(X_train)
autoencoder = AutoencoderTransformer(n_components=8, random_state=0).fit(X_train)

restored = {"original": X_test}
for name, model in {"PCA": pca, "autoencoder": autoencoder}.items():
    codes = model.transform(X_test)  # (n_samples, 8)
    restored[name] = model.inverse_transform(codes)  # (n_samples, 64)

# %%
# Held-out digits over what comes back of them, with the mean squared error of all held-out rows.
colours = {"original": "black", "PCA": "slategrey", "autoencoder": "darkorange"}
fig, axes = plt.subplots(3, 10, figsize=(9, 3.2), layout="constrained")
for line, (name, rows) in zip(axes, restored.items(), strict=True):
    error = np.square(rows - X_test).mean()
    label = name if name == "original" else f"{name}\nerror {error:.4f}"
    line[0].set_ylabel(label, rotation=0, ha="right", va="center", color=colours[name])
    for ax, row in zip(line, rows, strict=False):
        ax.imshow(row.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
fig.suptitle("Digits, held out, from codes of 8 numbers")
plt.show()

# %%
# The same question for codes of other sizes: ``ComparisonDisplay`` fits both at each of them, and
# measures them on rows that it holds out.
display = ComparisonDisplay.from_data(X, n_components=(2, 4, 8, 16), random_state=0)
display.ax_.set_title("Digits, held out")
plt.show()
