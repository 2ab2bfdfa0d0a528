"""Error of the filled-in cells of held-out rows: mean imputation with PCA, and the autoencoder.

    python -m benchmarks.quality.missing TABLES [--seeds 0 1 2] [--linear] [--json results.json]

TABLES is a folder as for `benchmarks.quality.adbench`. The tables are cut, split and
standardised as there. Then 10 % and 30 % of the cells are removed at random, from the training
and from the held-out part. The error is the mean square, over the removed cells of the held-out
rows, of what ``inverse_transform(transform(X))`` makes of them. The baseline imputes the means
of the training rows before PCA. The linear start is the autoencoder before its first epoch. The
exit code is 1 where a case is worse than the baseline.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from benchmarks.quality.arguments import add_tables, parser_of, write_rows
from benchmarks.quality.tables import load, pairs_of
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._pca.imputation import fit_axes

SHARES = (0.1, 0.3)


def remove(X: np.ndarray, share: float, rng) -> np.ndarray:
    """Give X with a share of its cells removed."""
    return np.where(rng.random_sample(X.shape) < share, np.nan, X)


def compare(path: Path, share: float, n_components: int, seed: int, linear: bool) -> dict:
    """Errors of the removed cells of one table, at one size of the code."""
    whole, test = load(path)
    rng = np.random.RandomState(seed)
    train, gappy = remove(whole, share, rng), remove(test, share, rng)
    removed = np.isnan(gappy)

    def error(reconstruction):
        return np.square(reconstruction - test)[removed].mean()

    baseline = make_pipeline(SimpleImputer(), PCA(n_components, svd_solver="full")).fit(train)
    imputer, pca = baseline[0], baseline[1]
    codes = pca.transform(imputer.transform(gappy))
    row = {
        "table": path.stem,
        "missing": share,
        "k": n_components,
        "seed": seed,
        "baseline": error(pca.inverse_transform(codes)),
    }
    axes, imputation = fit_axes(train, np.arange(len(train)), n_components, rng)
    row["filling"] = error(imputation.impute(gappy))
    filled = imputation.impute(gappy, axes.components)
    projected = (filled - axes.mean) @ axes.components.T @ axes.components
    row["linear"] = error(projected + axes.mean)
    whole_codes = (test - axes.mean) @ axes.components.T
    row["code"] = _distance((filled - axes.mean) @ axes.components.T, whole_codes)
    imputed = imputer.transform(gappy) - pca.mean_
    row["baseline_code"] = _distance(
        imputed @ pca.components_.T, (test - pca.mean_) @ pca.components_.T
    )
    if not linear:
        model = AutoencoderTransformer(n_components, random_state=seed).fit(train)
        row["autoencoder"] = error(model.inverse_transform(model.transform(gappy)))
    return row


def main() -> int:
    parser = parser_of(__doc__, [0])
    add_tables(parser)
    parser.add_argument("--linear", action="store_true", help="leave the training out")
    options = parser.parse_args()

    pairs = pairs_of(options.tables, options.only)
    cases = [(path, p, k, s) for path, k in pairs for p in SHARES for s in options.seeds]
    rows = Parallel(n_jobs=2)(delayed(compare)(*case, options.linear) for case in cases)

    results = pd.DataFrame(rows)
    write_rows(results, options)
    return report(results, "linear" if options.linear else "autoencoder")


def report(results: pd.DataFrame, judged: str) -> int:
    """Print the ratios to the baseline, and give 1 where the judged method exceeds it."""
    methods = [name for name in ("filling", "linear", "autoencoder") if name in results]
    ratios = results[methods].div(results["baseline"].clip(lower=1e-12), axis=0)
    ratios["code"] = results["code"] / results["baseline_code"].clip(lower=1e-12)
    cases = results[["table", "missing", "k", "seed", "baseline"]].join(ratios)
    print(cases.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    worse = cases[judged] > 1
    print(f"\ncases: {len(cases)}, of {cases['table'].nunique()} tables")
    for name in ratios:
        mean = np.exp(np.log(ratios[name].clip(lower=1e-12)).mean())
        print(
            f"{name}: over the baseline's, geometric mean {mean:.4f}, most {ratios[name].max():.4f}"
        )
    print(f"{judged}: worse than the baseline in {worse.sum()} cases")
    if worse.any():
        print(cases[worse].to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    return int(worse.any())


def _distance(codes: np.ndarray, others: np.ndarray) -> float:
    """Mean squared distance of codes from those of the whole rows."""
    return np.square(codes - others).mean()


if __name__ == "__main__":
    sys.exit(main())
