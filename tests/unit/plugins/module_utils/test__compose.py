from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _compose as compose
from ansible_collections.onebox.stack.plugins.module_utils._compose import Project, Record, Reload, Service
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container
from ansible_collections.onebox.stack.plugins.module_utils._process import Result

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
LABELS = {compose.PROJECT: "p", compose.SERVICE: "web", compose.HASH: "h1"}
WEB = Container("1", "p-web-1", labels=LABELS, health="healthy", started_at="2026-01-31T11:00:00.123456789Z")
JOB = replace(WEB, id="2", name="p-job-1", labels={**LABELS, compose.SERVICE: "job"}, state="exited", health="")
PROJECT = Project("c1", (Service("web", restarts=True), Service("job")))
RECORD = Record("c1", {"job": ["h1"], "web": ["h1"]})


def faults(*found: Container) -> dict[str, str]:
    return {service: text for service, (text, _) in compose.complaints(PROJECT, found, NOW).items()}


def test_the_file_is_read_with_replicas_and_restart_policies() -> None:
    services = {
        "web": {"restart": "unless-stopped", "deploy": {"replicas": 3}},
        "old": {"restart": "always", "scale": 2},
        "off": {"scale": 0},
        "job": {"restart": "on-failure"},
    }
    found = compose.parse(json.dumps({"services": services})).services
    assert found == (Service("job"), Service("off", 0), Service("old", 2, True), Service("web", 3, True))


def test_any_difference_in_the_resolved_file_counts() -> None:
    assert compose.parse('{"services": {}}').config != compose.parse('{"services": {"a": {}}}').config


def test_containers_of_the_last_run_need_nothing() -> None:
    assert compose.why_up(PROJECT, [WEB, JOB], RECORD) == ""


@pytest.mark.parametrize(
    ("found", "record", "reason"),
    [
        ([], Record(), "web has 0 of 1 containers"),
        ([replace(WEB, state="exited"), JOB], RECORD, "p-web-1 is exited"),
        ([WEB, replace(JOB, exit_code=1)], RECORD, "p-job-1 is exited"),
        ([WEB, JOB], replace(RECORD, config="c0"), "its configuration is not"),
        ([replace(WEB, labels={**LABELS, compose.HASH: "h2"}), JOB], RECORD, "its containers are not"),
        ([WEB, replace(WEB, id="3"), JOB], RECORD, "its containers are not"),
    ],
)
def test_compose_is_called_when_the_containers_are_not_those_of_the_file(
    found: Sequence[Container], record: Record, reason: str
) -> None:
    assert compose.why_up(PROJECT, found, record).startswith(reason)


def test_an_unhealthy_container_is_waited_for_and_not_started_again() -> None:
    assert compose.why_up(PROJECT, [replace(WEB, health="unhealthy"), JOB], RECORD) == ""


def test_a_one_shot_job_that_succeeded_is_well_and_a_service_that_ended_is_not() -> None:
    assert faults(WEB, JOB) == {}
    assert faults(replace(WEB, state="exited"), JOB) == {"web": "is exited, its last exit code was 0"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"health": "unhealthy"}, "runs but is unhealthy"),
        ({"health": "starting"}, "runs but is starting"),
        ({"state": "restarting", "exit_code": 3}, "is restarting, its last exit code was 3"),
        (
            {"state": "exited", "exit_code": 137, "out_of_memory": True},
            "is exited, its last exit code was 137, because",
        ),
    ],
)
def test_a_sick_container_is_described(change: dict[str, Any], text: str) -> None:
    assert faults(replace(WEB, **change), JOB)["web"].startswith(text)


def test_a_service_without_a_health_check_must_have_run_for_a_moment() -> None:
    just_now = (NOW - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    young = replace(WEB, health="", started_at=just_now)
    assert faults(young, JOB) == {"web": "has only just started"}
    assert faults(replace(young, restart_count=4), JOB) == {"web": "ends again and again"}
    assert faults(replace(WEB, health="", restart_count=4), JOB) == {}


def test_waiting_is_hopeless_once_a_job_has_failed() -> None:
    assert compose.hopeless(PROJECT, [WEB, replace(JOB, exit_code=1)])
    assert not compose.hopeless(PROJECT, [replace(WEB, state="restarting"), JOB])


def test_only_old_containers_with_changed_files_are_reloaded() -> None:
    wanted = [Reload("web", ("reload",), "f2")]
    known = Record(files={"web": "f1"})
    assert compose.reloads(wanted, known, fresh=[]) == tuple(wanted)
    assert compose.reloads(wanted, known, fresh=["web"]) == ()
    assert compose.reloads(wanted, Record(files={"web": "f2"}), fresh=[]) == ()


def test_containers_of_a_killed_run_are_reloaded_since_nobody_knows_what_they_have_read() -> None:
    assert compose.reloads([Reload("web", ("reload",), "f1")], Record(), fresh=[])


def test_a_service_is_fresh_when_all_of_its_containers_are() -> None:
    assert compose.created([WEB], [WEB, replace(WEB, id="9"), JOB]) == ["job"]


def test_a_reload_of_an_unknown_service_is_refused() -> None:
    with pytest.raises(compose.ComposeError, match=r"'wep'.*web, job"):
        compose.refuse_unknown(PROJECT, [Reload("wep", (), "")])


def test_networks_that_containers_are_on_are_not_asked_for() -> None:
    def run(*_argv: Any, **_options: Any) -> Result:
        return Result(0, "bridge\n", "")

    joined = replace(WEB, addresses={"onebox_edge": "172.18.0.2"})
    assert compose.unknown_networks(run, ["onebox_edge"], [joined]) == []
    assert compose.unknown_networks(run, ["onebox_edge", "onebox_shop"], [joined]) == ["onebox_shop"]


def test_a_refused_reload_says_that_the_old_configuration_serves() -> None:
    def run(*_argv: Any, **_options: Any) -> Result:
        return Result(1, "", "Caddyfile:3: unknown directive\n")

    with pytest.raises(compose.ComposeError, match=r"(?s)the old one still serves.*Caddyfile:3"):
        compose.reload(run, Reload("web", ("caddy", "reload"), ""), [WEB])
