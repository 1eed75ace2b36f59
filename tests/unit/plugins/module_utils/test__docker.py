"""Reading what the docker program prints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _docker as docker
from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, ProcessError, Result

DOCUMENT = {
    "Id": "abc",
    "Name": "/shop-blue-web-1",
    "Image": "sha256:1",
    "RestartCount": 2,
    "Config": {"Image": "shop:1", "Labels": {"onebox.app": "shop"}},
    "State": {"Status": "running", "Pid": 7, "StartedAt": "2026-11-21T07:00:00Z", "Health": {"Status": "healthy"}},
    "NetworkSettings": {
        "Networks": {"onebox_edge": {"IPAddress": "172.18.0.2"}, "six": {"GlobalIPv6Address": "fd00::2"}, "none": {}},
        "Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/tcp": None},
    },
}


def test_a_container_is_read_as_the_engine_describes_it() -> None:
    found = docker.parse(DOCUMENT)
    assert (found.name, found.image, found.state, found.health) == ("shop-blue-web-1", "shop:1", "running", "healthy")
    assert (found.restart_count, found.pid, found.well) == (2, 7, True)
    assert found.addresses == {"onebox_edge": "172.18.0.2", "six": "fd00::2"}
    assert found.ports == ("127.0.0.1:8080->80/tcp",)


def test_a_container_that_went_away_meanwhile_is_left_out() -> None:
    def run(argv: list[str], **_: Any) -> Result:
        if argv[1] == "ps":
            assert argv[-2:] == ["--filter", "label=onebox.app=shop"]
            return Result(0, "abc\ndef\n", "")
        return Result(1, json.dumps([DOCUMENT]), "Error response from daemon: No such container: def")

    assert [each.id for each in docker.containers(run, {"onebox.app": "shop"})] == ["abc"]


def test_an_engine_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(ProcessError):
        docker.containers(lambda *_, **__: Result(1, "", "Cannot connect"), {"a": "b"})


def test_without_the_program_nothing_is_available() -> None:
    def run(_argv: list[str], **_: Any) -> Result:
        return Result(NOT_FOUND, "", "not found")

    assert not docker.available(run)
    assert not docker.installed(run)


def test_a_program_that_the_engine_could_not_start_is_started_again() -> None:
    refused = Result(126, "", "OCI runtime exec failed: read init-p: connection reset by peer: unknown")
    answers = [refused, refused, Result(0, "1\n", "")]
    assert docker.execute(lambda *_, **__: answers.pop(0), ["docker", "exec", "postgres", "psql"]).stdout == "1\n"


def test_a_program_that_ran_and_failed_is_not_run_again() -> None:
    answers = [Result(1, "", "ERROR:  relation exists")]
    assert docker.execute(lambda *_, **__: answers.pop(0), ["docker", "exec", "postgres", "psql"]).returncode == 1


def test_only_missing_networks_are_named() -> None:
    assert docker.missing_networks(lambda *_, **__: Result(0, "bridge\na\n", ""), ["a", "b"]) == ["b"]


def test_a_network_has_our_label_and_may_have_appeared_meanwhile() -> None:
    asked: list[list[str]] = []

    def run(argv: list[str], **_options: Any) -> Result:
        asked.append(argv)
        return Result(1, "", "Error response from daemon: network with name onebox_edge already exists")

    docker.create_network(run, "onebox_edge")
    assert asked == [["docker", "network", "create", "--label", "onebox.network=true", "onebox_edge"]]


def test_logs_are_the_last_lines_of_both_streams() -> None:
    assert docker.logs(lambda *_, **__: Result(0, "1\n2\n", "3\n"), "abc", 2) == "2\n3"
