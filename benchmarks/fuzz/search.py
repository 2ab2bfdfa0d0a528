"""Cases of a seed, one after the other, and findings made small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.fuzz.cases import Case, cases
from benchmarks.fuzz.play import Finding, Refused, check
from benchmarks.fuzz.tables import Table

MOST_TRIES = 200


@dataclass
class Report:
    """What a search has seen."""

    n_cases: int = 0
    refused: Counter = field(default_factory=Counter)
    findings: list[tuple[str, Case]] = field(default_factory=list)
    kinds: dict[str, tuple[Case, str]] = field(default_factory=dict)

    def add(self, case: Case) -> None:
        """Play a case, and note what came of it."""
        self.n_cases += 1
        try:
            check(case)
        except Refused as refusal:
            self.refused[str(refusal)[:40]] += 1
        except Finding as finding:
            self.findings.append((finding.kind, case))
            if finding.kind not in self.kinds:
                print(f"after {self.n_cases} cases: {finding}", flush=True)
                self.kinds[finding.kind] = case, finding.detail


def search(n_cases: int, seed_number: int) -> Report:
    """Play so many cases, which are the same for the same seed."""
    report = Report()

    @seed(seed_number)
    @settings(
        max_examples=n_cases,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def run(case):
        report.add(case)

    run()
    return report


def smallest(case: Case, kind: str) -> Case:
    """Make a case simpler, as long as it has the same kind of finding."""
    tries = 0
    progress = True
    while progress:
        progress = False
        for simpler in _simpler(case):
            tries += 1
            if tries > MOST_TRIES:
                return case
            if _kind(simpler) == kind:
                case, progress = simpler, True
                break
    return case


def _kind(case: Case) -> str | None:
    """Give the kind of finding of a case, if any."""
    try:
        check(case)
    except Finding as finding:
        return finding.kind
    except Exception:
        return None
    return None


def _simpler(case: Case) -> Iterator[Case]:
    """Give cases with one thing less: a call, a parameter, a trait of the table."""
    if len(case.calls) > 1:
        for i in range(len(case.calls)):
            yield replace(case, calls=case.calls[:i] + case.calls[i + 1 :])
    for name in case.params:
        yield replace(case, params={key: v for key, v in case.params.items() if key != name})
    plain = Table()
    for name in ("container", "dtype", "missing", "offset", "exponent", "shape", "n_features"):
        if getattr(case.table, name) != getattr(plain, name):
            yield replace(case, table=replace(case.table, **{name: getattr(plain, name)}))
    for n_samples in (4, 8, 16):
        if n_samples < case.table.n_samples:
            yield replace(case, table=replace(case.table, n_samples=n_samples))


def repeat(case: Case) -> str:
    """Give a script that plays a case."""
    return (
        "from benchmarks.fuzz.play import check\n"
        "from benchmarks.fuzz.cases import Case, Table\n"
        f"check({case!r})"
    )
