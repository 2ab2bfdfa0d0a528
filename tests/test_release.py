"""What writes the version of a release."""

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path

import pytest

import sk_autoencoder

ROOT = Path(__file__).parent.parent
PLACES = ("sk_autoencoder/__init__.py", "CITATION.cff", "conda/recipe.yaml")


@pytest.fixture
def release(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in (*PLACES, "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def test_one_version_stands_in_all_places():
    for name in PLACES:
        assert sk_autoencoder.__version__ in (ROOT / name).read_text(encoding="utf-8")


def test_the_recipe_of_conda_asks_for_what_the_package_does():
    recipe = (ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    run = re.search(r"(?m)^  run:\n((?:    - .*\n)+)", recipe).group(1)
    asked = {line.strip("- ").replace(" ", "") for line in run.splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    expected = {re.sub(r"^torch\b", "pytorch", name) for name in project["dependencies"]}
    assert asked == {*expected, f"python{project['requires-python']}"}


def test_the_version_is_written_everywhere(release, tmp_path):
    assert release.main(["9.8.7"]) == 0
    for name in PLACES:
        assert "9.8.7" in (tmp_path / name).read_text(encoding="utf-8")
    log = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"## \[Unreleased\]\n\n## \[9\.8\.7\] - \d{4}-\d\d-\d\d\n", log)


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3-dev", ""])
def test_what_is_no_version_is_refused(release, version, capsys):
    assert release.main([version]) == 2
    assert "is no version" in capsys.readouterr().err


def test_nothing_is_written_where_something_is_wrong(release, tmp_path, capsys):
    before = {name: (tmp_path / name).read_text(encoding="utf-8") for name in PLACES}
    log = tmp_path / "CHANGELOG.md"
    whole = log.read_text(encoding="utf-8")
    log.write_text("# Changelog\n\n## [Unreleased]\n\n## [0.0.1] - 2020-01-01\n", encoding="utf-8")
    assert release.main(["9.8.7"]) == 1
    assert "nothing under [Unreleased]" in capsys.readouterr().err
    log.write_text(whole.replace("## [Unreleased]", "## [Unreleased]\n\n## [9.8.7]"), "utf-8")
    assert release.main(["9.8.7"]) == 1
    (tmp_path / "CITATION.cff").write_text("nothing", encoding="utf-8")
    before["CITATION.cff"] = "nothing"
    assert release.main(["9.8.8"]) == 1
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in PLACES} == before
