"""
In a pipeline
=============

The transformer is a step like any other: behind a scaler, for some columns of a table, in front of
a classifier. With ``set_output`` the steps hand on DataFrames with named columns.
"""

# %%
# Thirty measurements of each of 569 tumours. Twenty-nine of them become a code of two numbers; the
# last one is passed through.
import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import AutoencoderTransformer

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

autoencoder = AutoencoderTransformer(2, random_state=0)
columns = ColumnTransformer(
    [("reduce", autoencoder, list(X.columns[:-1]))],
    remainder="passthrough",
    verbose_feature_names_out=False,
)
pipeline = make_pipeline(StandardScaler(), columns, LogisticRegression())
pipeline.set_output(transform="pandas").fit(X_train, y_train)

# %%
# All steps but the last give a table with the index of X, and a name for each column.
table = pipeline[:-1].transform(X_test)
print(table.head())

# %%
# PCA takes the same place, by the name of the step.
other = clone(pipeline).set_params(columntransformer__reduce=PCA(2))
other.set_output(transform="pandas").fit(X_train, y_train)

# %%
# The codes of held-out rows, and how many of these the classifier behind them gets right. The code
# is made for the reconstruction: whether it serves a classifier better than PCA's, only a trial can
# tell.
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
methods = {"PCA": (other, "slategrey"), "autoencoder": (pipeline, "darkorange")}
kinds = {"malignant": (0, "x", "tab:red"), "benign": (1, "o", "tab:green")}
for ax, (name, (model, title_colour)) in zip(axes, methods.items(), strict=True):
    codes = model[:-1].transform(X_test)
    for kind, (label, marker, colour) in kinds.items():
        rows = codes[y_test == label].iloc[:, :2].to_numpy()
        ax.scatter(*rows.T, s=20, c=colour, marker=marker, label=kind)
    ax.set_title(f"{name}: accuracy {model.score(X_test, y_test):.3f}", color=title_colour)
    ax.set(xlabel=codes.columns[0], ylabel=codes.columns[1])
axes[0].legend(loc="upper left")
plt.show()
