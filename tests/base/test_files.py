"""Files that are replaced as a whole."""

from pathlib import Path

import pytest

from kilonode.base.files import PRIVATE, write_atomically


def test_a_failed_write_leaves_the_old_document_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.json"
    write_atomically(file, b"old")

    def fail(_: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_private_file_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_bytes(b"for all")
    write_atomically(file, b"for me", PRIVATE)
    assert file.read_bytes() == b"for me"
    assert file.stat().st_mode & 0o777 == 0o600
