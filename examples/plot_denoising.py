"""
Taking noise off images
=======================

With ``corruption`` the transformer is given corrupted rows to encode and clean ones to reconstruct,
so that ``reconstruct`` removes noise. PCA removes noise too, as much of it as lies outside of its
components.
"""

# %%
# 60,000 images to fit, with pixels from 0 to 1, and others with normal noise.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

X_train, _ = load_fashion_mnist("train")
X_test, y_test = load_fashion_mnist("test")

sigma = 0.3
noise = np.random.RandomState(0).standard_normal(X_test.shape)
noisy = X_test + (sigma * noise).astype(np.float32)

# %%
# The noise of the training is drawn anew in each step, in the units of X.
pca = PCA(64).fit(X_train)
autoencoder = AutoencoderTransformer(
    64,
    corruption="gaussian",
    corruption_level=sigma,
    random_state=0,
).fit(X_train)


# %%
# The peak signal-to-noise ratio of all test images, from their mean squared error once they are
# clipped to what a pixel can be: 3 dB more are half the error.
def psnr(images):
    return -10 * np.log10(np.square(np.clip(images, 0, 1) - X_test).mean())


restored = {
    "noisy": noisy,
    "PCA": pca.inverse_transform(pca.transform(noisy)),
    "autoencoder": autoencoder.reconstruct(noisy),
}
for name, images in restored.items():
    print(f"{name}: {psnr(images):.1f} dB")

# %%
# The first test image of each class.
first = [np.flatnonzero(y_test == label)[0] for label in range(10)]
lines = {"clean": X_test} | {
    f"{name}\n{psnr(images):.1f} dB": images for name, images in restored.items()
}
fig, axes = plt.subplots(4, 10, figsize=(10, 4.2), layout="constrained")
for axes_of_line, (label, images) in zip(axes, lines.items(), strict=True):
    colour = "darkorange" if "autoencoder" in label else "black"
    axes_of_line[0].set_ylabel(label, rotation=0, ha="right", va="center", color=colour)
    for ax, image in zip(axes_of_line, images[first], strict=True):
        ax.imshow(image.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
fig.suptitle("Fashion-MNIST, held out, with noise and without it")
plt.show()
