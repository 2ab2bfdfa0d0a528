"""
Rows that depend on each other
==============================

An autoencoder that starts at PCA leaves it only where rows that it has not seen gain by that. This
holds for new rows if all rows are independent. Windows that are cut from a series and overlap are
not: nearly the same window is trained on, so that a validation window tells little of a new
series. ``fit`` is told by ``groups`` which windows belong to one series, or is given windows of
other series to validate on, as ``X_val``.
"""

# %%
# Ten series of smoothed noise, cut into windows of 24 steps, and many new series.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sk_autoencoder import AutoencoderTransformer

rng = np.random.RandomState(0)
length, width = 80, 24
kernel = np.hanning(12)[1:-1]


def windows(n_series):
    """Return the overlapping windows of new series, and the number of the series of each."""
    noise = rng.standard_normal((n_series, length + len(kernel) - 1))
    series = np.stack([np.convolve(steps, kernel, "valid") for steps in noise])
    cut = np.lib.stride_tricks.sliding_window_view(series, width, axis=1)
    return cut.reshape(-1, width), np.repeat(np.arange(n_series), cut.shape[1])


X, series = windows(10)
X_val, series_val = windows(5)
X_new, _ = windows(100)

# %%
# Three fits of the same windows: one that takes them for independent, one that is told of the
# series, and one that is given windows of others to validate on.
told = {
    "independent rows": {},
    "groups": {"groups": series},
    "X_val": {"X_val": X_val, "groups_val": series_val},
}
params = {"n_components": 4, "random_state": 0}
fits = {name: AutoencoderTransformer(**params).fit(X, **how) for name, how in told.items()}
pca = PCA(4).fit(X)


def error(model):
    """Mean squared error of the windows of new series."""
    return np.square(model.inverse_transform(model.transform(X_new)) - X_new).mean()


errors = {"PCA": error(pca)} | {name: error(fit) for name, fit in fits.items()}

# %%
# What the validation windows promise, beside what windows of new series give. Where the fit is
# told of the series, it finds that these show no more than PCA. The other one has learned their
# windows by heart.
print(f"{'':<18} {'promised':>9} {'new series':>11} {'error over PCA':>15}")
for name, fit in fits.items():
    ratio = errors[name] / errors["PCA"]
    kept = "PCA" if fit.is_pca_ else f"epoch {fit.best_epoch_}"
    print(
        f"{name:<18} {fit.validation_score_:9.4f} {fit.score(X_new):11.4f} {ratio:15.3f}   ({kept})"
    )

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
colors = ["tab:gray", "tab:red", "tab:blue", "tab:green"]
ax.barh(list(errors), list(errors.values()), color=colors)
ax.invert_yaxis()
ax.set_xlabel("mean squared error of windows of new series")
ax.set_title("Ten series, cut into overlapping windows")
plt.show()
