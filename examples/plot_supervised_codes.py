"""
Codes that know what they are for
=================================

With ``supervised_weight`` a linear head learns to predict y from the code while the autoencoder is
trained, so that codes keep what tells the classes apart. The transformer then gives codes as ever;
rows without a label, marked -1, still count for the reconstruction.
"""

# %%
# Digits as codes of two numbers, with and without their labels. Half of the rows are held out.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from sk_autoencoder import AutoencoderTransformer, CodesDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.5, stratify=y, random_state=0
)
few = np.where(np.arange(len(y_train)) < 200, y_train, -1)

fits = {
    "without labels": (0.0, y_train),
    "with 200 labels": (1.0, few),
    "with all labels": (1.0, y_train),
}
fitted = {
    name: AutoencoderTransformer(2, supervised_weight=weight, random_state=0).fit(X_train, labels)
    for name, (weight, labels) in fits.items()
}

# %%
# What a classifier by nearest neighbours makes of the codes of held-out digits, and what the
# reconstruction pays for it.
accuracy = {
    name: KNeighborsClassifier()
    .fit(autoencoder.transform(X_train), y_train)
    .score(autoencoder.transform(X_test), y_test)
    for name, autoencoder in fitted.items()
}
for name, autoencoder in fitted.items():
    print(f"{name}: accuracy {accuracy[name]:.3f}, explained {autoencoder.score(X_test):.3f}")

# %%
# The numbers stand at the median of their class.
fig, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
outline = [patheffects.withStroke(linewidth=3, foreground="white")]
for ax, (name, autoencoder) in zip(axes, fitted.items(), strict=True):
    display = CodesDisplay.from_estimator(autoencoder, X_test, y_test, ax=ax)
    for digit in range(10):
        place = np.median(display.codes[y_test == digit], axis=0)
        ax.text(*place, str(digit), weight="bold", size=14, path_effects=outline)
    display.legend_.remove()
    ax.set_title(f"{name}, accuracy {accuracy[name]:.2f}")
fig.suptitle("Digits, held out, as codes of two numbers")
plt.show()
