"""Parameters chosen on half of the tables, and judged on the other half, both ways round.

    python -m benchmarks.quality.halves TABLES [--seeds 0 1 2] [--others JSON] [--json results.json]

Tables and sizes are those of `benchmarks.quality.adbench`; a half is every second table. What
counts is the unexplained variance of held-out rows over PCA's, the geometric mean of tables. Each
of the others changes one rule of the default. The exit code is 1 where what is chosen on one half
is better than the default on the other by more than a hundredth.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.decomposition import PCA

from benchmarks.quality.arguments import add_tables, parser_of, write_rows
from benchmarks.quality.tables import halves_of, load, pairs_of
from sk_autoencoder import AutoencoderTransformer

DEFAULT = "default"
MOST_AHEAD = 0.01  # in logarithms
TINY = 1e-9

OTHERS: dict[str, dict] = {
    "lower rate, longer": {"lr": 5e-3},
    "constant rate": {"lr_schedule": "constant"},
    "not averaged": {"average": False},
    "not refitted": {"refit": False},
    "one end or the other": {"shrinkage": 0.0},
}


def ratios(path: Path, n_components: int, seed: int, candidates: dict[str, dict]) -> list[dict]:
    """Return the logarithm of each candidate's unexplained variance over PCA's, of one case."""
    train, test = load(path)
    pca = PCA(n_components).fit(train)
    error = np.square(test - pca.inverse_transform(pca.transform(test))).mean()
    rows = []
    for name, params in candidates.items():
        model = AutoencoderTransformer(n_components, random_state=seed, **params).fit(train)
        ours = model.reconstruction_error(test).mean()
        ratio = math.log(max(ours, TINY) / max(error, TINY))
        rows.append({"table": path.stem, "k": n_components, "seed": seed, name: ratio})
    return rows


def judge(of_tables: pd.DataFrame) -> bool:
    """Print how what is best on a half of the tables does on the other; whether both pass."""
    all_pass = True
    for judges, others in halves_of(of_tables):
        chosen = str(others.idxmin())
        ahead = judges[DEFAULT] - judges[chosen]
        passed = bool(ahead <= MOST_AHEAD)
        all_pass &= passed
        print(
            f"chosen on a half: {chosen}; on the other {math.exp(judges[chosen]):.4f}, the default "
            f"{math.exp(judges[DEFAULT]):.4f}: {'passed' if passed else 'MISSED'}"
        )
    return all_pass


def main() -> int:
    parser = parser_of(__doc__, [0])
    add_tables(parser)
    parser.add_argument("--others", type=json.loads, default=OTHERS, help="names and parameters")
    options = parser.parse_args()
    candidates = {DEFAULT: {}, **options.others}
    pairs = pairs_of(options.tables, options.only)
    cases = [(*pair, seed) for pair in pairs for seed in options.seeds]
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    found = Parallel(n_jobs=2)(delayed(ratios)(*case, candidates) for case in cases)
    results = pd.DataFrame([row for rows in found for row in rows])
    write_rows(results, options)
    of_tables = results.groupby("table")[[*candidates]].mean()
    print(f"unexplained variance over PCA's, {len(cases)} cases of {len(of_tables)} tables")
    print(np.exp(of_tables).to_string(float_format=lambda value: f"{value:.4f}"), end="\n\n")
    print(np.exp(of_tables.mean()).to_string(float_format=lambda value: f"{value:.4f}"), end="\n\n")
    return int(not judge(of_tables))


if __name__ == "__main__":
    sys.exit(main())
