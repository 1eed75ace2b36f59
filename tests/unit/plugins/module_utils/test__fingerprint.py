from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _fingerprint


def test_the_fingerprint_follows_names_and_contents_below_a_directory(tmp_path: Path) -> None:
    paths = [str(tmp_path)]
    (tmp_path / "a").write_text("1")
    first = _fingerprint.fingerprint(paths)
    (tmp_path / "a").write_text("2")
    second = _fingerprint.fingerprint(paths)
    (tmp_path / "a").rename(tmp_path / "b")
    third = _fingerprint.fingerprint(paths)
    assert len({first, second, third}) == 3
    (tmp_path / "b").rename(tmp_path / "a")
    assert _fingerprint.fingerprint(paths) == second


def test_a_missing_path_is_as_good_as_none_until_it_is_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert _fingerprint.fingerprint([missing]) == _fingerprint.fingerprint([])
    assert _fingerprint.newest([missing]) == 0


def test_the_newest_file_counts(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", (1, 10_000_000_000))
    assert _fingerprint.newest([str(tmp_path)]) == 10_000_000_000


def test_a_record_is_for_root_only_and_a_damaged_one_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_fingerprint, "STATE", tmp_path / "state")
    assert _fingerprint.recall("x.json") == {}
    _fingerprint.record("x.json", {"config": "a"})
    assert _fingerprint.recall("x.json") == {"config": "a"}
    assert (tmp_path / "state/x.json").stat().st_mode & 0o777 == 0o600
    for damaged in ("{", "[]"):
        (tmp_path / "state/x.json").write_text(damaged)
        assert _fingerprint.recall("x.json") == {}
