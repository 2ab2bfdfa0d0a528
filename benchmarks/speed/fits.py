"""How long a fit takes, ours and the others', on tables from small to large."""

from __future__ import annotations

from functools import partial

from benchmarks.speed.data import Case
from benchmarks.speed.measuring import Answer, Bar, in_turns, medians
from benchmarks.speed.rivals import FITS, LABELS, OURS

WARM_UP_BATCHES = 10


def ask(case: Case, rivals: list[str], rounds: int, epochs: int, peak: float) -> Answer:
    """Time whole fits, with all that is built for them; the first, short ones do not count."""
    X = case.load()
    print(
        f"\nfit of {case.name}: {len(X)} x {case.n_features}, "
        f"{'-'.join(map(str, case.widths))}, batch {case.batch_size}, epochs: {epochs}"
    )
    contenders = [OURS, *rivals]
    few = X[: WARM_UP_BATCHES * case.batch_size]
    for name in contenders:
        FITS[name](few, case, 1)
    runs = {name: partial(FITS[name], X, case, epochs) for name in contenders}
    seconds = in_turns(runs, rounds)
    middle = medians(seconds)
    operations = count_operations(case, len(X), epochs)
    print(f"  {'':<24} {'median':>10} {'ours takes':>11} {'of peak':>8}")
    for name in contenders:
        print(
            f"  {LABELS[name]:<24} {middle[name]:8.3f} s {middle[OURS] / middle[name]:10.2f}x "
            f"{operations / middle[name] / peak:8.1%}",
            flush=True,
        )
    bars = [
        Bar(f"fit of {case.name} / {LABELS[rival]}", middle[OURS] / middle[rival], limit)
        for rival, limit in case.bars.items()
        if rival in rivals
    ]
    figures = {f"share of peak, {name}": operations / middle[name] / peak for name in contenders}
    return Answer(seconds, figures, bars)


def count_operations(case: Case, n_rows: int, epochs: int) -> float:
    """Multiplications and additions of a training: two a weight and row, and twice that back.

    The first layer needs no gradient of its input, so that this is somewhat too high.
    """
    return 6.0 * case.n_weights * n_rows * epochs
