from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _systemd as systemd
from ansible_collections.onebox.stack.plugins.module_utils._process import Result

RUNNING = systemd.Unit("loaded", "active", "enabled", invocation="one", active_since=100)
CONFIG = systemd.Config("new", changed_at=50)
READ = systemd.Mark("one", "new")
BEFORE = systemd.Mark("one", "old")


def plan(unit: systemd.Unit, mark: systemd.Mark = READ, action: str = "restarted", **config: Any) -> tuple[str, ...]:
    return systemd.plan(unit, replace(CONFIG, **config), mark, action)


def test_a_running_unit_that_has_read_its_files_needs_nothing() -> None:
    assert plan(RUNNING) == ()


def test_a_unit_that_does_not_exist_yet_would_be_enabled_and_started() -> None:
    assert plan(systemd.Unit()) == ("enable", "start")


def test_a_failed_unit_is_forgiven_before_it_is_started() -> None:
    assert plan(replace(RUNNING, active="failed")) == ("reset-failed", "start")


def test_a_disabled_unit_is_enabled_and_a_static_one_is_left_alone() -> None:
    assert plan(replace(RUNNING, enabled="disabled")) == ("enable",)
    assert plan(replace(RUNNING, enabled="static")) == ()


@pytest.mark.parametrize(("action", "verb"), [("restarted", "restart"), ("reloaded", "reload")])
def test_a_changed_file_is_read_in_the_way_that_was_asked_for(action: str, verb: str) -> None:
    assert plan(RUNNING, BEFORE, action) == (verb,)


def test_a_restart_that_a_killed_run_owes_is_made_up_for() -> None:
    assert plan(RUNNING, systemd.Mark("one")) == ("restart",)


def test_a_file_that_is_older_than_the_start_of_the_unit_needs_no_restart() -> None:
    assert plan(RUNNING, systemd.Mark(), changed_at=99) == ()


def test_a_file_that_changed_after_a_start_by_somebody_else_is_read() -> None:
    assert plan(RUNNING, systemd.Mark("zero", "new"), changed_at=101) == ("restart",)


def test_a_changed_unit_file_needs_a_restart_even_where_a_reload_was_asked_for() -> None:
    assert plan(replace(RUNNING, stale=True), action="reloaded") == ("daemon-reload", "restart")


def test_the_output_of_systemctl_show_is_read() -> None:
    shown = (
        "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\nInvocationID=one\n"
        "ActiveEnterTimestampMonotonic=100000000\n"
    )
    assert systemd.parse(shown) == RUNNING


@pytest.mark.parametrize(("loaded", "words"), [("not-found", "no unit"), ("masked", "unmask x"), ("error", "cannot")])
def test_a_unit_that_cannot_be_started_is_refused(loaded: str, words: str) -> None:
    with pytest.raises(systemd.UnitError, match=words):
        systemd.refuse("x", systemd.Unit(loaded))


def test_a_failed_reload_shows_the_log_and_says_that_the_old_configuration_goes_on() -> None:
    def run(argv: list[str], **_options: Any) -> Result:
        answers = {
            "reload": Result(1, "", "Job for x.service failed.\nSee the log.\n"),
            "is-active": Result(0, "active\n", ""),
            "--unit": Result(0, "line 3: unknown word\n", ""),
        }
        return answers[argv[1]]

    with pytest.raises(systemd.UnitError) as caught:
        systemd.write(run, "x", ["reload"])
    assert str(caught.value).startswith(
        "systemctl reload x failed: Job for x.service failed. x is now active and goes on"
    )
    assert str(caught.value).endswith("line 3: unknown word")


def test_a_unit_that_ends_right_after_its_start_is_a_failure() -> None:
    def run(argv: list[str], **_options: Any) -> Result:
        return Result(0, "LoadState=loaded\nActiveState=failed\n" if argv[1] == "show" else "", "")

    with pytest.raises(systemd.UnitError, match="the unit is failed"):
        systemd.write(run, "x", ["start"])
