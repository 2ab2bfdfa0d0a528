"""
Digits in the plane
===================

A code of two numbers is a place in the plane. Neither PCA nor the autoencoder is told which digit
an image shows: ``CodesDisplay`` colours the points by it afterwards.
"""

# %%
# Both are fitted on one half of the digits, and encode the other.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sk_autoencoder import AutoencoderTransformer, CodesDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, _, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)

fits = {
    "PCA": PCA(2).fit(X_train),
    "autoencoder": AutoencoderTransformer(2, max_epochs=100, random_state=0),
}
fits["autoencoder"].fit(X_train)

# %%
# The numbers stand at the median of their class, for those who cannot tell ten colours apart.
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.4), layout="constrained")
outline = [patheffects.withStroke(linewidth=3, foreground="white")]
for ax, (name, estimator) in zip(axes, fits.items(), strict=True):
    display = CodesDisplay.from_estimator(estimator, X_test, y_test, ax=ax)
    for digit in range(10):
        place = np.median(display.codes[y_test == digit], axis=0)
        ax.text(*place, str(digit), weight="bold", size=14, path_effects=outline)
    display.legend_.remove()
    ax.set_title(name)
fig.suptitle("Digits, held out, as codes of two numbers")
plt.show()
