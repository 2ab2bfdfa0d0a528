"""
How many components?
====================

``ReconstructionCurveDisplay`` draws how well fitted estimators bring X back, against the number of
components. One fit of PCA gives a whole curve, as its first components are the PCA of a smaller
size. A plain autoencoder is made for one size, and is one point; with ``nested=True`` one fit
gives its whole curve too.
"""

# %%
# Digits, with pixels from 0 to 1, and a quarter of them held out.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sk_autoencoder import AutoencoderTransformer, ReconstructionCurveDisplay

X, _ = load_digits(return_X_y=True)
X_train, X_test = train_test_split(X / 16, random_state=0)

sizes = (1, 2, 4, 8, 16)
fits = {"PCA": [PCA(32).fit(X_train)]}
fits["autoencoder"] = [
    AutoencoderTransformer(k, max_epochs=60, random_state=0).fit(X_train) for k in sizes
]
nested = AutoencoderTransformer(max(sizes), nested=True, max_epochs=60, random_state=0)
fits["nested autoencoder"] = [nested.fit(X_train)]

# %%
# Estimators of one label make one curve. Read across: at the height of a blue square, the grey
# curve tells how many components PCA needs for the same error.
estimators = [estimator for group in fits.values() for estimator in group]
labels = [label for label, group in fits.items() for _ in group]

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
display = ReconstructionCurveDisplay.from_estimators(estimators, X_test, labels=labels, ax=axes[0])
display.plot("explained_variance", ax=axes[1])
fig.suptitle("Digits, held out")
plt.show()

# %%
# The figures behind the curves are a table.
curves = display.curves
print(curves[curves["n_components"].isin(sizes)].to_string(index=False))
