"""Files that are either the old or the new one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._files import (
    link_atomically,
    read_text_or_none,
    write_atomically,
)


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "env"
    for text in ("old", "new"):
        write_atomically(path, text, 0o600)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "env"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", lambda _descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new", 0o600)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_reads_as_none(tmp_path: Path) -> None:
    assert read_text_or_none(tmp_path / "none" / "env") is None


def test_a_link_moves_in_one_step(tmp_path: Path) -> None:
    for target in ("releases/a", "releases/b"):
        link_atomically(tmp_path / "blue", target)
    assert str((tmp_path / "blue").readlink()) == "releases/b"
    assert [each.name for each in tmp_path.iterdir()] == ["blue"]
