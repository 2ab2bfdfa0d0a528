"""
Tuning without y
================

``score`` is the share of the variance that the reconstruction explains, so ``GridSearchCV`` needs
neither a ``scoring`` nor a ``y``. With ``max_epochs=0`` the transformer is PCA, and gives the mark
to beat.
"""

# %%
# A search over the widths of the hidden layers and the activation, on scikit-learn's digits.
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score

from sk_autoencoder import AutoencoderTransformer

X, _ = load_digits(return_X_y=True)

grid = {
    "hidden_layer_sizes": [(64,), (128,), (256, 128)],
    "activation": ["gelu", "tanh"],
}
autoencoder = AutoencoderTransformer(8, random_state=0)
search = GridSearchCV(autoencoder, grid, cv=3).fit(X)
pca_score = cross_val_score(AutoencoderTransformer(8, max_epochs=0), X, cv=3).mean()

print(f"PCA: {pca_score:.4f}")
print(f"{search.best_score_:.4f} with {search.best_params_}")

# %%
# The search is refitted on all rows with the best of them, and is a transformer itself.
print(search.transform(X).shape)

# %%
# Explained variance of held-out folds, mean and standard deviation.
results = pd.DataFrame(search.cv_results_).sort_values("mean_test_score")
names = [
    f"{activation}, {'-'.join(map(str, widths))}"
    for activation, widths in zip(
        results["param_activation"], results["param_hidden_layer_sizes"], strict=True
    )
]
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.errorbar(
    results["mean_test_score"], names, xerr=results["std_test_score"], fmt="o", color="darkorange"
)
ax.axvline(pca_score, color="slategrey", linestyle="--", label="PCA")
ax.set(xlabel="explained variance", title="Digits, codes of 8 numbers, three folds")
ax.grid(alpha=0.3)
ax.legend()
plt.show()
