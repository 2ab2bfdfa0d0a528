"""
Anomalies, and why
==================

``AutoencoderOutlierDetector`` scores a row by its distance from what an autoencoder makes of the
training rows, finds a threshold, and tells how much of a score comes from each feature.
"""

# %%
# Thirty measurements each of 357 benign tumours, and of 20 malignant ones among them: nobody has
# said which these are. Columns of different units are standardised first.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import RocCurveDisplay
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import AutoencoderOutlierDetector, OutlierExplanationDisplay

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
benign, malignant = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
rng = np.random.RandomState(0)
rows = np.r_[benign, rng.choice(malignant, 20, replace=False)]
X, y = X.iloc[rows], y.iloc[rows]
X = StandardScaler().set_output(transform="pandas").fit_transform(X)

detector = AutoencoderOutlierDetector(random_state=0).fit(X)
print(pd.crosstab(y.map({0: "malignant", 1: "benign"}), detector.predict(X), colnames=["predict"]))

# %%
# The reconstruction error alone falls behind: the autoencoder has learnt from the anomalies too.
scores = {
    "detector": detector.score_samples(X),
    "reconstruction error alone": detector.autoencoder_.score_samples(X.to_numpy()),
    "isolation forest": IsolationForest(random_state=0).fit(X).score_samples(X),
}
_, ax = plt.subplots(figsize=(5, 5), layout="constrained")
for name, score in scores.items():
    RocCurveDisplay.from_predictions(y == 0, -score, name=name, ax=ax)
ax.set_title("Malignant tumours among benign ones")
plt.show()

# %%
# What makes the ten oddest rows odd? ``explain`` splits each score into what the features add to
# it. Rows are named by the index of the table.
print(detector.explain(X).shape)
_, ax = plt.subplots(figsize=(9, 5), layout="constrained")
OutlierExplanationDisplay.from_estimator(detector, X, ax=ax)
plt.show()

# %%
# Where the training rows are known to be clean, ``novelty=True`` asks how far a new row is from
# the nearest of them.
clean = X[y == 1]
novelty_detector = AutoencoderOutlierDetector(novelty=True, random_state=0).fit(clean[::2])
for name, new in {"benign": clean[1::2], "malignant": X[y == 0]}.items():
    share = np.mean(novelty_detector.predict(new) == -1)
    print(f"new {name} rows called outliers: {share:.0%}")
