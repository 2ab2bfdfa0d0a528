"""What holds for each fitted estimator, whatever it was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.fuzz.cases import Case

# Units in the last place of the largest number on the way, by which two ways to the same rows may
# differ: sums of some hundred products in the network; where cells are missing, solutions of
# systems of equations that few rows make ill-conditioned.
ROUNDINGS = 2_000
ROUNDINGS_WHERE_MISSING = 200_000
N_SAMPLED = 3
SINGLE_ROWS = 3


class Finding(AssertionError):  # noqa: N818 (it is what is looked for)
    """Something that does not hold: its kind, and what it is about."""

    def __init__(self, kind: str, detail: str = ""):
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.detail = detail


def demand(holds: Any, kind: str, detail: str = "") -> None:
    """Raise a finding unless something holds."""
    if not holds:
        raise Finding(kind, detail)


def outputs(case: Case, estimator: Any) -> dict[str, bytes]:
    """Give what an estimator gives for the rows of its case, bit by bit."""
    X = case.table.rows()
    found = {"score_samples": estimator.score_samples(X).tobytes()}
    if case.detector:
        return found | {
            "predict": estimator.predict(X).tobytes(),
            "offset_": np.float64(estimator.offset_).tobytes(),
        }
    losses = estimator.history_.drop(columns="dur")
    return found | {
        "transform": np.asarray(estimator.transform(X)).tobytes(),
        "reconstruct": np.asarray(estimator.reconstruct(X)).tobytes(),
        "sample": np.asarray(estimator.sample(N_SAMPLED, random_state=0)).tobytes(),
        "mean_": estimator.mean_.tobytes(),
        "explained_variance_": estimator.explained_variance_.tobytes(),
        "history_": losses.to_csv().encode(),
        "scores": repr((estimator.validation_score_, estimator.pca_validation_score_)).encode(),
        "counts": repr((estimator.n_iter_, estimator.best_epoch_)).encode(),
    }


def check_transformer(case: Case, estimator: Any) -> None:
    """Ask of a fitted transformer all that holds for its training rows."""
    X, values = case.table.rows(), case.table.values().astype(np.float64)
    codes, back = estimator.transform(X), estimator.reconstruct(X)
    _check_shapes(case, estimator, values, codes, back)
    allowed = _allowed(case, estimator, values, back)
    _check_attributes(estimator, values)
    _check_way_back(case, estimator, codes, back, allowed)
    _check_errors(estimator, X, values, back, allowed)
    _check_single_rows(case, estimator, codes, back, allowed)
    _check_samples(estimator, values)
    _check_containers(case, estimator, X, codes, back)


def _check_shapes(case, estimator, values, codes, back) -> None:
    n, d = values.shape
    width = estimator.n_components_
    demand(codes.shape == (n, width), "codes have another shape", f"{codes.shape}")
    demand(back.shape == (n, d), "reconstructions have another shape", f"{back.shape}")
    demand(np.isfinite(codes).all(), "codes are not finite")
    demand(np.isfinite(back).all(), "reconstructions are not finite")
    demand(codes.dtype == back.dtype, "codes and reconstructions differ in dtype")
    # Nullable and polars columns become float64, as in all of scikit-learn.
    has_dtype = case.table.container not in ("list", "pandas nullable", "polars")
    if has_dtype and case.table.dtype in ("float32", "float64"):
        demand(codes.dtype == case.table.dtype, "codes have another dtype than X", f"{codes.dtype}")
    demand(codes.dtype in (np.float32, np.float64), "codes are no floats", f"{codes.dtype}")


def _allowed(case: Case, estimator, values, back) -> float:
    """Give the rounding that two ways to the same rows of X may differ by, in its units."""
    known = np.nan_to_num(values)
    sizes = [np.abs(part).max() for part in (known, back, estimator.mean_, known - estimator.mean_)]
    if np.ptp(known, axis=0).max() == 0:
        sizes.append(1.0)  # the unit of rows that are constant, and so have none of their own
    roundings = ROUNDINGS_WHERE_MISSING if case.table.missing else ROUNDINGS
    return roundings * float(np.finfo(back.dtype).eps) * max(sizes)


def _check_attributes(estimator, values) -> None:
    d, width = values.shape[1], estimator.n_components_
    demand(estimator.mean_.shape == (d,), "mean_ has another shape")
    demand(np.isfinite(estimator.mean_).all(), "mean_ is not finite")
    variance = estimator.explained_variance_
    demand(variance.shape == (width,), "explained_variance_ has another shape")
    demand(np.isfinite(variance).all(), "explained_variance_ is not finite")
    demand((variance >= 0).all(), "explained_variance_ is negative", f"{variance}")
    components = estimator.components_
    demand(components.shape == (width, d), "components_ have another shape")
    demand(np.isfinite(components).all(), "components_ are not finite")
    losses = estimator.history_.drop(columns=["dur"])
    demand(np.isfinite(losses["train_loss"]).all(), "history_ has losses that are not finite")
    demand(losses["epoch"].is_monotonic_increasing, "the epochs of history_ go back")
    for name in ("validation_score_", "pca_validation_score_"):
        score = getattr(estimator, name)
        demand(score is None or np.isfinite(score), f"{name} is not finite", f"{score}")
    if getattr(estimator, "nested", False):
        shares = estimator.explained_variance_ratio_
        demand(shares.shape == (width,), "explained_variance_ratio_ has another shape")
        demand(np.isfinite(shares).all(), "explained_variance_ratio_ is not finite")


def _check_way_back(case, estimator, codes, back, allowed) -> None:
    again = estimator.inverse_transform(codes)
    demand(again.shape == back.shape, "inverse_transform gives another shape")
    demand(again.dtype == codes.dtype, "inverse_transform gives another dtype", f"{again.dtype}")
    _close(again, back, allowed, "reconstruct is not inverse_transform of transform")
    if getattr(estimator, "nested", False) and codes.shape[1] > 1:
        shorter = estimator.inverse_transform(codes[:, :1])
        demand(shorter.shape == back.shape, "the first component gives another shape")
        demand(np.isfinite(shorter).all(), "rows of the first component are not finite")


def _check_errors(estimator, X, values, back, allowed) -> None:
    errors = estimator.reconstruction_error(X)
    cells = estimator.reconstruction_error(X, per_feature=True)
    demand(errors.shape == (len(values),), "errors have another shape")
    demand(cells.shape == values.shape, "errors of cells have another shape")
    demand(np.isfinite(errors).all(), "errors are not finite")
    known = ~np.isnan(values)
    demand((np.isnan(cells) == ~known).all(), "errors of cells are missing where X is known")
    expected = np.abs(back - np.where(known, values, 0))[known]
    _close(np.sqrt(cells[known]), expected, allowed, "errors are not those of the reconstruction")
    scores = estimator.score_samples(X)
    demand(scores.shape == (len(values),), "score_samples has another shape")
    demand(np.isfinite(scores).all(), "score_samples is not finite")
    demand(np.isfinite(estimator.score(X)), "score is not finite")


def _check_single_rows(case, estimator, codes, back, allowed) -> None:
    """Ask for the same rows one by one, and the other way round."""
    n = case.table.n_samples
    for i in np.random.RandomState(0).permutation(n)[:SINGLE_ROWS]:
        row = case.table.rows([i])
        _close(estimator.reconstruct(row), back[[i]], allowed, "a row alone is reconstructed apart")
        decoded = estimator.inverse_transform(estimator.transform(row))
        _close(decoded, back[[i]], allowed, "a row alone has another code")
    others = estimator.reconstruct(case.table.rows(np.arange(n)[::-1]))
    _close(others[::-1], back, allowed, "the order of rows matters")


def _check_samples(estimator, values) -> None:
    rows = estimator.sample(N_SAMPLED, random_state=0)
    demand(rows.shape == (N_SAMPLED, values.shape[1]), "samples have another shape")
    demand(np.isfinite(rows).all(), "samples are not finite")
    again = estimator.sample(N_SAMPLED, random_state=0)
    demand(rows.tobytes() == again.tobytes(), "a seed gives other samples")


def _check_containers(case, estimator, X, codes, back) -> None:
    """Ask for DataFrames, with the names and the index that belong there."""
    names = list(estimator.get_feature_names_out())
    demand(len(names) == codes.shape[1], "names of another number of components")
    given = getattr(estimator, "feature_names_in_", None)
    expected = [f"x{i}" for i in range(back.shape[1])] if given is None else list(given)
    try:
        for container in ("pandas", "polars"):
            estimator.set_output(transform=container)
            frame, rows = estimator.transform(X), estimator.inverse_transform(codes)
            demand(list(frame.columns) == names, f"{container}: other names of components")
            demand(list(rows.columns) == expected, f"{container}: other names of features")
            same = frame.to_numpy().tobytes() == codes.tobytes()
            same = same or np.array_equal(frame.to_numpy(), codes)
            demand(same, f"{container}: other codes")
            if container == "pandas" and isinstance(X, pd.DataFrame):
                demand(frame.index.equals(X.index), "pandas: another index")
                demand(estimator.reconstruct(X).index.equals(X.index), "pandas: another index")
    finally:
        estimator.set_output(transform="default")


def check_detector(case: Case, detector: Any) -> None:
    """Ask of a fitted detector all that holds for its training rows."""
    X, values = case.table.rows(), case.table.values().astype(np.float64)
    n = len(values)
    scores, labels, parts = detector.score_samples(X), detector.predict(X), detector.explain(X)
    demand(scores.shape == (n,) and labels.shape == (n,), "scores or labels of another shape")
    demand(parts.shape == values.shape, "explain gives another shape")
    demand(np.isfinite(scores).all() and (scores <= 0).all(), "scores are not finite, or positive")
    demand(np.isfinite(parts).all() and (parts >= 0).all(), "explain is not finite, or negative")
    demand(np.isfinite(detector.offset_), "offset_ is not finite")
    # Of the squared size of X around its mean, and of the last digits that X itself has.
    spread, size = np.ptp(values, axis=0).max(), np.abs(values).max()
    digits = np.finfo(np.float32 if _is_single(case) else np.float64).eps
    allowed = ROUNDINGS * (np.finfo(np.float64).eps * spread**2 + (digits * size) ** 2)
    _close(parts.sum(axis=1), -scores, allowed, "explain does not sum to the scores")
    demand(set(labels) <= {-1, 1}, "labels are not -1 and 1")
    decided = detector.decision_function(X)
    demand(((decided < 0) == (labels == -1)).all(), "labels are not those of decision_function")
    share = (labels == -1).mean()
    demand(share <= 0.5, "more than half of the training rows are outliers", f"{share}")
    for i in range(min(n, SINGLE_ROWS)):
        alone = detector.score_samples(case.table.rows([i]))
        _close(alone, scores[[i]], allowed, "a row alone has another score")


def _is_single(case: Case) -> bool:
    """Whether cells have the digits of 32 bits, or fewer."""
    return case.table.dtype in ("float32", "float16", ">f4")


def _close(ours, theirs, allowed: float, kind: str) -> None:
    """Raise a finding where two arrays differ by more than rounding."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    apart = np.abs(ours - theirs).max(initial=0.0)
    demand(apart <= allowed, kind, f"by {apart:.3g}, allowed {allowed:.3g}")
