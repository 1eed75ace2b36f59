"""Which configuration files are written, and what is shown of them."""

from __future__ import annotations

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._config_files import (
    ConfigFile,
    ConfigFilesError,
    State,
    stale,
)


def test_a_file_that_is_as_wanted_is_left_alone() -> None:
    file = ConfigFile("/etc/a", "text\n", 0o644)
    assert stale({file: State("text\n", 0o644)}) == ()


@pytest.mark.parametrize("state", [State(), State("other\n", 0o644), State("text\n", 0o600)])
def test_a_file_is_written_when_it_is_missing_or_its_text_or_mode_differs(state: State) -> None:
    file = ConfigFile("/etc/a", "text\n", 0o644)
    assert stale({file: state}) == (file,)


def test_a_secret_file_is_readable_by_its_owner_alone() -> None:
    assert ConfigFile.from_options({"path": "/etc/a", "secret_content": "s"}).mode == 0o600


def test_the_difference_of_a_secret_file_does_not_show_its_text() -> None:
    file = ConfigFile.from_options({"path": "/etc/a", "secret_content": "hunter2"})
    assert "hunter2" not in str(file.diff(State("hunter1", 0o600)))
    assert "hunter1" not in str(file.diff(State("hunter1", 0o600)))


def test_the_difference_of_a_plain_file_shows_both_texts() -> None:
    diff = ConfigFile("/etc/a", "new\n", 0o644).diff(State("old\n", 0o644))
    assert (diff["before"], diff["after"]) == ("old\n", "new\n")


def test_the_difference_of_a_mode_shows_both_modes() -> None:
    diff = ConfigFile("/etc/a", "text\n", 0o600).diff(State("text\n", 0o644))
    assert (diff["before"], diff["after"]) == ("mode 0644\n", "mode 0600\n")


@pytest.mark.parametrize("option", [{}, {"content": "a", "secret_content": "b"}])
def test_a_file_without_exactly_one_text_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(ConfigFilesError, match="exactly one"):
        ConfigFile.from_options({"path": "/etc/a", **option})


def test_a_mode_that_is_not_octal_is_refused_with_an_example() -> None:
    with pytest.raises(ConfigFilesError, match="mode: '0644'"):
        ConfigFile.from_options({"path": "/etc/a", "content": "", "mode": "rw-r--r--"})
