"""
Digits that nobody wrote
========================

``sample`` gives new rows. A variational autoencoder draws codes from its prior and decodes them;
any other draws them from a mixture of normal distributions, fitted on the codes of the training
rows.
"""

# %%
# Both are fitted on scikit-learn's digits, with codes of 16 numbers.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances_argmin_min

from sk_autoencoder import AutoencoderTransformer, VariationalAutoencoderTransformer

X, _ = load_digits(return_X_y=True)

plain = AutoencoderTransformer(16, random_state=0).fit(X)
variational = VariationalAutoencoderTransformer(16, random_state=0).fit(X)
new = {
    "mixture": plain.sample(12, random_state=0),
    "variational": variational.sample(12, random_state=0),
}

# %%
# None of them is a copy: they are some way off the nearest image of the training data.
for name, rows in new.items():
    _, distance = pairwise_distances_argmin_min(rows, X)
    print(f"{name}: distance to the nearest training image {distance.mean():.1f} on average")

# %%
# ``score_samples`` of the variational autoencoder is a bound of the log-likelihood, in nats: random
# pixels are far less likely than digits.
noise = np.random.RandomState(0).permutation(X.ravel()).reshape(X.shape)
print(f"bound of digits {variational.score_samples(X).mean():.0f}, ", end="")
print(f"of shuffled pixels {variational.score_samples(noise).mean():.0f}")

# %%
# The first line is real, and the nearest training images stand below the generated ones.
lines = {"real": X[:12]}
for name, rows in new.items():
    nearest, _ = pairwise_distances_argmin_min(rows, X)
    lines |= {name: rows, f"nearest to\n{name}": X[nearest]}
fig, axes = plt.subplots(5, 12, figsize=(9, 4), layout="constrained")
for axes_of_line, (name, rows) in zip(axes, lines.items(), strict=True):
    colour = "darkorange" if name in new else "slategrey"
    axes_of_line[0].set_ylabel(name, rotation=0, ha="right", va="center", color=colour)
    for ax, row in zip(axes_of_line, rows, strict=True):
        ax.imshow(row.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
plt.show()
