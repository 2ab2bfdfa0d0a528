"""
Which pixels a component reads
==============================

`to_torch()` gives the fitted autoencoder as a module of torch, in the units of X, and with it the
tools that explain networks. Captum's integrated gradients share out each component of a code among
the pixels: the shares of an image add up to the difference of its component from that of a
baseline, here the mean image. SHAP's `DeepExplainer` shares it out, too, measured from several
images in place of one. PCA's component would read all images alike; the network reads each its way.
"""

# %%
# A code of two components. SHAP knows tanh, but not the default activation.
import shap
import torch
from captum.attr import IntegratedGradients
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_autoencoder import AutoencoderTransformer

X, _ = load_digits(return_X_y=True)
X_train, X_test = train_test_split(X.astype("float32"), test_size=0.25, random_state=0)
autoencoder = AutoencoderTransformer(2, activation="tanh", random_state=0).fit(X_train)


class Encoder(torch.nn.Module):
    """What explainers ask for: a module whose output is explained."""

    def __init__(self):
        super().__init__()
        self.autoencoder = autoencoder.to_torch()

    def forward(self, x):
        return self.autoencoder.encode(x)


encoder = Encoder().eval()
images = torch.from_numpy(X_test[:6])
mean = torch.from_numpy(autoencoder.mean_[None]).float()

# %%
# Shares of the first component by both. They add up to what the component differs by.
integrated = IntegratedGradients(encoder).attribute(images, mean, target=0, n_steps=200)
background = torch.from_numpy(X_train[:100])
deep = shap.DeepExplainer(encoder, background).shap_values(images, check_additivity=False)[..., 0]

codes = encoder(images).detach()[:, 0]
from_mean = codes - encoder(mean).detach()[:, 0]
from_images = codes - encoder(background).detach()[:, 0].mean()
print(f"the components differ by up to {from_mean.abs().max():.1f}")
print(f"integrated gradients miss the sum by {(integrated.sum(1) - from_mean).abs().max():.1e}")
print(f"SHAP misses the sum by {abs(deep.sum(1) - from_images.numpy()).max():.1e}")

# %%
# Red pixels raise the component, blue ones lower it.
fig, axes = plt.subplots(3, len(images), figsize=(9, 4.6), layout="constrained")
limit = float(integrated.abs().max())
rows = {"image": images.numpy(), "integrated gradients": integrated.detach().numpy(), "SHAP": deep}
for ax_row, (name, values) in zip(axes, rows.items(), strict=True):
    for ax, value in zip(ax_row, values, strict=True):
        colors = {"cmap": "gray_r"} if name == "image" else {"cmap": "RdBu_r", "vmin": -limit}
        ax.imshow(value.reshape(8, 8), vmax=16 if name == "image" else limit, **colors)
        ax.set(xticks=[], yticks=[])
    ax_row[0].set_ylabel(name)
fig.suptitle("What the first component reads in six new images")
plt.show()
