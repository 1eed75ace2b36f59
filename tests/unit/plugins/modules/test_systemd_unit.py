from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _fingerprint, _systemd
from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, Result
from ansible_collections.onebox.stack.plugins.modules import systemd_unit


class Systemd:
    """A systemd with one unit, which does what it is told."""

    def __init__(self) -> None:
        self.active, self.enabled, self.loaded = "inactive", "disabled", "loaded"
        self.starts, self.since = 0, 0
        self.killed_after = ""

    def __call__(self, argv: list[str], **_options: Any) -> Result:
        verb = argv[1]
        if verb in ("start", "restart"):
            self.active, self.starts = "active", self.starts + 1
            self.since = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        if verb == "enable":
            self.enabled = "enabled"
        if verb == self.killed_after:
            raise KeyboardInterrupt
        return Result(0, self.show() if verb == "show" else "", "")

    def show(self) -> str:
        values = {"LoadState": self.loaded, "ActiveState": self.active, "UnitFileState": self.enabled}
        more = {"InvocationID": self.starts, "ActiveEnterTimestampMonotonic": self.since}
        return "".join(f"{name}={value}\n" for name, value in {**values, **more}.items())


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_fingerprint, "STATE", tmp_path / "state")
    file = tmp_path / "daemon.json"
    file.write_text("{}")
    return file


def actions(
    config: Path, ask: Any, *, check: bool = False, action: str = "restarted", written: tuple[str, ...] = ()
) -> list[str]:
    params = {"name": "docker", "config": [str(config)], "action": action, "written": list(written)}
    result = systemd_unit.converge(params, check, ask)
    assert result["changed"] == bool(result["actions"])
    return list(result["actions"])


def test_a_unit_is_enabled_and_started_once(config: Path) -> None:
    systemd = Systemd()
    assert actions(config, systemd, check=True) == ["enable", "start"]
    assert actions(config, systemd) == ["enable", "start"]
    assert actions(config, systemd) == []


def test_a_changed_file_restarts_the_unit_and_the_same_text_does_not(config: Path) -> None:
    systemd = Systemd()
    actions(config, systemd)
    config.write_text("{}")
    assert actions(config, systemd) == []
    config.write_text('{"a": 1}')
    assert actions(config, systemd) == ["restart"]
    config.unlink()
    assert actions(config, systemd, action="reloaded") == ["reload"]
    assert actions(config, systemd) == []


def test_check_mode_foretells_the_restart_for_a_file_that_it_did_not_write(config: Path) -> None:
    systemd = Systemd()
    assert actions(config, systemd, check=True, written=(str(config),)) == ["enable", "start"]
    actions(config, systemd)
    assert actions(config, systemd, check=True, written=(str(config),)) == ["restart"]
    assert actions(config, systemd, check=True, written=("/etc/other",)) == []


@pytest.mark.parametrize("action", ["restarted", "reloaded"])
def test_a_run_killed_at_the_restart_is_mended_by_the_next(config: Path, action: str) -> None:
    systemd = Systemd()
    actions(config, systemd)
    config.write_text("new")
    systemd.killed_after = _systemd.VERBS[action]
    with pytest.raises(KeyboardInterrupt):
        actions(config, systemd, action=action)
    systemd.killed_after = ""
    time.sleep(0.02)  # the clock of the file system may lag behind by a tick
    config.write_text("{}")  # back to what the unit had read before it was reloaded
    assert actions(config, systemd, action=action) == [_systemd.VERBS[action]]
    assert actions(config, systemd, action=action) == []


def test_check_mode_on_a_bare_host_foretells_a_start(config: Path) -> None:
    missing = Systemd()
    missing.loaded, missing.enabled = "not-found", ""
    assert actions(config, missing, check=True) == ["enable", "start"]
    with pytest.raises(_systemd.UnitError, match="there is no unit docker"):
        actions(config, missing)


def test_a_machine_without_systemd_is_told_so(config: Path) -> None:
    def bare(*_argv: Any, **_options: Any) -> Result:
        return Result(NOT_FOUND, "", "systemctl cannot be run")

    assert actions(config, bare, check=True) == [], "a package that is still to be installed starts its unit"
    with pytest.raises(_systemd.UnitError, match="must have been booted with systemd"):
        actions(config, bare)
