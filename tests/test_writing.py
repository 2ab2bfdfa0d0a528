"""Files that the command line writes: whole or not at all."""

import os

import pytest

from sk_autoencoder._cli.writing import TABLES, find_output, write

pytestmark = pytest.mark.quick


def test_none_stays_none():
    assert find_output(None, TABLES, "--table") is None


def test_looking_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "old.csv").write_text("old")
    assert find_output(str(tmp_path / "old.csv"), TABLES, "--table") == tmp_path / "old.csv"
    assert find_output(str(tmp_path / "new.CSV"), TABLES, "--table") == tmp_path / "new.CSV"
    assert os.listdir(tmp_path) == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"


def test_write(tmp_path):
    path = tmp_path / "table.csv"
    write(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_write_keeps_the_mode_and_a_new_file_gets_the_usual_one(tmp_path):
    old, new, usual = (tmp_path / name for name in ("old.csv", "new.csv", "usual.csv"))
    old.write_text("old")
    old.chmod(0o640)
    usual.write_text("")
    for path in (old, new):
        write(path, lambda file: file.write(b"new"))
    assert old.stat().st_mode & 0o777 == 0o640
    assert new.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_write_loses_nothing(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises(error):
        write(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_link_is_followed(tmp_path):
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    write(find_output(str(link), TABLES, "--table"), lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_file_that_is_closed_to_writing(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_text("old")
    # Not with chmod, which does not stop root.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(OSError, match=r"--table .* cannot be written: it is not a file open to"):
        find_output(str(path), TABLES, "--table")
