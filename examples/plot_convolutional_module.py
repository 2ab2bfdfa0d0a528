"""
A convolutional autoencoder
===========================

``module=`` takes a torch module of your own with ``encode`` and ``decode``. Here they are made of
convolutions, which know that a row of X is an image. The transformer trains it, stops it early and
keeps its best epoch, as it does with its own network.
"""

# %%
# A row of 784 pixels is unflattened to an image, halved in size twice, and made a code; the decoder
# goes the same way back. The module is given the rows of X as they are.
import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist


class ConvolutionalAutoencoder(nn.Module):
    def __init__(self, n_components=32, width=16):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, width, 3, stride=2, padding=1),  # (batch, width, 14, 14)
            nn.GELU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),  # (batch, 2 * width, 7, 7)
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(2 * width * 7 * 7, n_components),
        )
        self.decode = nn.Sequential(
            nn.Linear(n_components, 2 * width * 7 * 7),
            nn.GELU(),
            nn.Unflatten(1, (2 * width, 7, 7)),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),  # (batch, width, 14, 14)
            nn.GELU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),  # (batch, 1, 28, 28)
            nn.Flatten(),
        )

    def forward(self, x):
        return self.decode(self.encode(x))


# %%
# It starts from random weights, not at PCA, and needs a higher learning rate and smaller batches
# for the 10,000 images that it is given here.
X_train = load_fashion_mnist("train")[0][:10_000]
X_test = load_fashion_mnist("test")[0]

autoencoder = AutoencoderTransformer(
    32,
    module=ConvolutionalAutoencoder,
    lr=1e-2,
    batch_size=64,
    max_epochs=8,
    random_state=0,
).fit(X_train)
pca = PCA(32).fit(X_train)

# %%
# Row 0 of ``history_`` is PCA with as many components, the mark to beat.
history = autoencoder.history_
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(history["epoch"][1:], history["valid_loss"][1:], "o-", c="darkorange", label="convolutions")
ax.axhline(history["valid_loss"][0], color="slategrey", linestyle="--", label="PCA")
ax.set(xlabel="epoch", ylabel="mean squared error", ylim=(0, None))
ax.set_title("Fashion-MNIST, 32 components: error of the validation rows")
ax.legend()
plt.show()

# %%
# Ten held-out images, and what comes back of their codes.
lines = {
    "original": (X_test[:10], "black"),
    "PCA": (pca.inverse_transform(pca.transform(X_test[:10])), "slategrey"),
    "convolutions": (autoencoder.reconstruct(X_test[:10]), "darkorange"),
}
fig, axes = plt.subplots(3, 10, figsize=(10, 3), layout="constrained")
for axes_of_line, (name, (rows, colour)) in zip(axes, lines.items(), strict=True):
    axes_of_line[0].set_ylabel(name, rotation=0, ha="right", va="center", color=colour)
    for ax, row in zip(axes_of_line, rows, strict=True):
        ax.imshow(row.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
plt.show()
