"""What bfloat16 saves of the time of a fit, and whether it costs anything in error."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from benchmarks.speed.data import Case
from benchmarks.speed.measuring import Answer, Bar, in_turns, medians
from benchmarks.speed.rivals import textbook
from sk_autoencoder import AutoencoderTransformer

LARGEST_RATIO = 0.6
LARGEST_ERROR_RATIO = 1.02


def ask(case: Case, test: np.ndarray, rounds: int, epochs: int) -> Answer:
    """Fit in both precisions, and compare times and test errors."""
    print(f"\nprecision, fit of {case.name}, epochs: {epochs}")
    if "precision" not in AutoencoderTransformer().get_params():
        print("  this version of the estimator has no parameter precision: left out")
        return Answer()
    if not has_bfloat16():
        print("  this processor has no bfloat16: left out")
        return Answer()
    X = case.load()
    models = {
        precision: textbook(case, precision=precision, max_epochs=epochs)
        for precision in ("float32", "bfloat16")
    }
    for model in models.values():
        model.fit(X[: 10 * case.batch_size])
    seconds = in_turns({name: partial(model.fit, X) for name, model in models.items()}, rounds)
    middle = medians(seconds)
    errors = {name: float(np.mean((m.reconstruct(test) - test) ** 2)) for name, m in models.items()}
    for name in models:
        print(f"  {name:<24} {middle[name]:8.3f} s, test MSE {errors[name]:.5f}")
    bars = [
        Bar("fit in bfloat16 / in float32", middle["bfloat16"] / middle["float32"], LARGEST_RATIO),
        Bar(
            "test MSE in bfloat16 / in float32",
            errors["bfloat16"] / errors["float32"],
            LARGEST_ERROR_RATIO,
        ),
    ]
    return Answer(seconds, {f"test MSE, {name}": of for name, of in errors.items()}, bars)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself."""
    capabilities = torch.cpu.get_capabilities()
    return any(there is True for name, there in capabilities.items() if "bf16" in name)
