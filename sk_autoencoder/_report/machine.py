"""What timings depend on, in one line."""

from __future__ import annotations

import os
import platform

from sk_autoencoder._saving.versions import versions


def described() -> str:
    """Return the kind of machine, its cores, and the versions of what computes."""
    processor = platform.processor() or platform.machine()
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"{platform.system()} on {processor}, {os.cpu_count()} cores; {told}"
