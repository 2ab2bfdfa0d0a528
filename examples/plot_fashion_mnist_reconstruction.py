"""
Fashion-MNIST, gone and brought back
====================================

An image of 784 pixels becomes a code of 32 numbers, and the code an image again. PCA does the same
with as many numbers.
"""

# %%
# 60,000 images to fit, 10,000 others to judge, with pixels from 0 to 1.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sk_autoencoder import AutoencoderTransformer, ReconstructionDisplay
from sk_autoencoder.datasets import load_fashion_mnist

X_train, _ = load_fashion_mnist("train")
X_test, y_test = load_fashion_mnist("test")

# %%
# The same number of components for both.
pca = PCA(32).fit(X_train)
autoencoder = AutoencoderTransformer(32, random_state=0).fit(X_train)

# %%
# The first test image of each class over what comes back of it. The errors are those of all test
# images.
_, first = np.unique(y_test, return_index=True)
X_test = np.vstack([X_test[first], np.delete(X_test, first, axis=0)])

_, ax = plt.subplots(figsize=(10, 2.7), layout="constrained")
ReconstructionDisplay.from_estimators(
    [pca, autoencoder], X_test, image_shape=(28, 28), n_images=len(first), ax=ax
)
ax.set_title("Fashion-MNIST, held out, from codes of 32 numbers")
plt.show()

# %%
# All that was kept of these images: a code of 32 numbers each, red above zero and blue below.
codes = autoencoder.transform(X_test[: len(first)])  # (10, 32)
limit = np.abs(codes).max()

_, ax = plt.subplots(figsize=(10, 3.2), layout="constrained")
picture = ax.imshow(codes, cmap="RdBu_r", vmin=-limit, vmax=limit)
ax.figure.colorbar(picture, ax=ax)
ax.set(xlabel="component", ylabel="image", yticks=range(len(first)))
plt.show()
