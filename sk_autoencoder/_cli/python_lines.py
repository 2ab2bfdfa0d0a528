"""Lines of Python that do what a command has done."""

from __future__ import annotations

import argparse

from sk_autoencoder._cli.reading import Data


def lines_of_compare(args: argparse.Namespace, data: Data, sizes: list[int]) -> str:
    """Return the lines that repeat a comparison, plot it, and encode with the last size."""
    given = [f"n_components={sizes}"]
    names = ["AutoencoderTransformer", "ComparisonDisplay", "compare_with_pca"]
    estimator = f"AutoencoderTransformer({max(sizes)}, random_state={args.random_state}"
    if args.max_epochs:
        given.append(f"estimator=AutoencoderTransformer(max_epochs={args.max_epochs})")
        estimator += f", max_epochs={args.max_epochs}"
    given += [f"test_size={args.test_size}", f"random_state={args.random_state}"]
    if args.standardize:
        given.append("standardize=True")
        estimator = f"make_pipeline(StandardScaler(), {estimator})"
    imports = [f"from sk_autoencoder import {', '.join(names)}"]
    if args.standardize:
        imports = [
            "from sklearn.pipeline import make_pipeline",
            "from sklearn.preprocessing import StandardScaler",
            *imports,
        ]
    return "\n".join(
        [
            *imports,
            *data.code.split("\n"),
            "",
            f"table = compare_with_pca(X, {', '.join(given)})",
            "ComparisonDisplay(table).plot('explained_variance')",
            "",
            "# The autoencoder stands where PCA stands.",
            f"codes = {estimator}).fit_transform(X)",
        ]
    )
