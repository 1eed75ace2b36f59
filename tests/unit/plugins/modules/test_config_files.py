"""What the module leaves on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _fingerprint
from ansible_collections.onebox.stack.plugins.module_utils._config_files import ConfigFile, ConfigFilesError
from ansible_collections.onebox.stack.plugins.module_utils._process import Result
from ansible_collections.onebox.stack.plugins.modules.config_files import read, validate, write


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_fingerprint, "STATE", tmp_path / "state")
    return tmp_path / "etc" / "daemon.json"


def put(path: Path, text: str) -> None:
    file = ConfigFile(str(path), text, 0o644)
    write(file, read(file))


def aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.before-onebox")


def test_a_file_is_written_with_the_directories_above_it(path: Path) -> None:
    put(path, "ours\n")
    assert path.read_text() == "ours\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_of_somebody_else_is_kept_aside_before_it_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("theirs\n")
    path.chmod(0o600)
    put(path, "ours\n")
    assert aside(path).read_text() == "theirs\n"
    assert aside(path).stat().st_mode & 0o777 == 0o600


def test_what_was_kept_aside_is_not_replaced_by_a_later_version_of_ours(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("theirs\n")
    for text in ("ours\n", "ours again\n"):
        put(path, text)
    assert aside(path).read_text() == "theirs\n"


def test_a_text_that_its_program_refuses_is_told_with_the_path_of_the_file(path: Path) -> None:
    file = ConfigFile(str(path), "{", 0o644, validate=("sh", "%s"))

    def refuse(argv: list[str]) -> Result:
        return Result(1, "", f"{argv[1]}:1: unexpected end\n")

    with pytest.raises(ConfigFilesError, match=rf"{path}:1: unexpected end"):
        validate(file, refuse)
