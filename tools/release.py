"""Write a version wherever it stands, and date its entry in the changelog.

python tools/release.py 0.2.0
"""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACES = {
    "sk_autoencoder/__init__.py": (r'__version__ = "[^"]+"', '__version__ = "{}"'),
    "CITATION.cff": (r"(?m)^version: .*$", "version: {}"),
    "conda/recipe.yaml": (r'(?m)^  version: "[^"]+"$', '  version: "{}"'),
}


def main(argv: list[str] | None = None) -> int:
    (version,) = sys.argv[1:] if argv is None else argv
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        print(f"{version} is no version, such as 0.2.0 or 0.2.0rc1", file=sys.stderr)
        return 2
    texts = {}
    for name, (pattern, written) in PLACES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        texts[name], n_found = re.subn(pattern, written.format(version), text)
        if n_found != 1:
            print(f"{name} has its version in {n_found} places, and not in one", file=sys.stderr)
            return 1
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if f"## [{version}]" in log:
        print(f"CHANGELOG.md has an entry of {version} already", file=sys.stderr)
        return 1
    empty = re.search(r"## \[Unreleased\]\s*(?=## \[|\Z)", log)
    if "## [Unreleased]" not in log or empty:
        print("CHANGELOG.md has nothing under [Unreleased]", file=sys.stderr)
        return 1
    dated = f"## [Unreleased]\n\n## [{version}] - {date.today():%Y-%m-%d}"
    texts["CHANGELOG.md"] = log.replace("## [Unreleased]", dated, 1)
    for name, text in texts.items():
        (ROOT / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
