"""Arrays and facts: what an object is where nothing of it is code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sk_autoencoder._utils.facts import fact


@dataclass(frozen=True)
class Plain:
    """Arrays by name, and facts that JSON can hold."""

    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def put(self, name: str, part: Plain) -> None:
        """Put a part under a name."""
        self.facts[name] = part.facts
        self.arrays.update({f"{name}.{key}": value for key, value in part.arrays.items()})

    def part(self, name: str) -> Plain:
        """Return the part of a name."""
        start = f"{name}."
        arrays = {k[len(start) :]: v for k, v in self.arrays.items() if k.startswith(start)}
        return Plain(fact(self.facts, name, dict), arrays)
