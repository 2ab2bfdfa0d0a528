"""
The course of a training
========================

Training starts at PCA, and ``history_`` has PCA's losses as row 0. ``TrainingCurveDisplay`` draws
what became of them: where the curves leave PCA's lines, and the epoch whose weights were kept.
"""

# %%
# Digits, with pixels from 0 to 1 and codes of 8 numbers. One network starts at PCA; the textbook
# stack, without the linear path beside it, starts from random weights.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sk_autoencoder import AutoencoderTransformer, TrainingCurveDisplay

X, _ = load_digits(return_X_y=True)
X = X / 16

params = {"n_components": 8, "max_epochs": 60, "refit": False, "random_state": 0}
fits = {
    "starts at PCA": AutoencoderTransformer(**params).fit(X),
    "textbook stack": AutoencoderTransformer(**params, linear_shortcut=False).fit(X),
}

# %%
# The dashed lines are PCA, with as many components and the same rows as the curve of that colour.
# The rows set aside for validation tell which epoch is best.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, (name, autoencoder) in zip(axes, fits.items(), strict=True):
    TrainingCurveDisplay.from_estimator(autoencoder, ax=ax)
    ax.set_title(name)
    ax.label_outer()
fig.suptitle("Digits, codes of 8 numbers")
plt.show()

# %%
# Where the curves end close together, a logarithmic scale shows more of the end.
display = TrainingCurveDisplay.from_estimator(
    fits["starts at PCA"], loss_type="valid", yscale="log"
)
display.ax_.set_title("Digits, codes of 8 numbers")
plt.show()
