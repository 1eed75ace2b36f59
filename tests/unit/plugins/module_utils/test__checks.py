"""How a health check is judged, awaited and reported; nothing is asked here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _check_options as options
from ansible_collections.onebox.stack.plugins.module_utils import _checks as checks
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container as Found
from ansible_collections.onebox.stack.plugins.module_utils._process import Result

NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z
DAY = 86400
PATIENCE = options.Patience(deadline=60, interval=1, timeout=10)


def http(**given: Any) -> options.Http:
    return options.Http(name="shop", url="https://shop.example.test/health?token=x", **given)


def reply(status: int = 200, body: str = "", seconds: float = 0.1, **headers: str) -> checks.Reply:
    return checks.Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, seconds)


def container(name: str = "shop-web-1", **state: Any) -> Found:
    return Found(**{"id": "1", "name": name, "started_at": "2026-11-21T11:59:00.123456789Z", "pid": 7, **state})


# --- HTTP


@pytest.mark.parametrize(
    ("check", "answer", "said"),
    [
        (http(), reply(502, "Bad  gateway"), "status 502, body 'Bad gateway'"),
        (http(), reply(302, location="/login?next=token"), "status 302 to /login"),
        (http(body_contains="Welcome"), reply(body="Sorry"), "status 200, another body: 'Sorry'"),
        (http(header={"X-Slot": "blue"}), reply(), "no header X-Slot"),
        (http(header={"X-Slot": "^blue$"}), reply(x_slot="green"), "header X-Slot is 'green'"),
        (http(json={"version": "1.4.2"}), reply(body='{"version": "1.4.1"}'), "version is '1.4.1'"),
        (http(json={"version": "1.4.2"}), reply(body="<html>"), "no JSON value version"),
        (http(max_seconds=0.5), reply(seconds=0.75), "took 0.75 s"),
    ],
)
def test_a_reply_that_is_not_as_expected_says_why(check: options.Http, answer: checks.Reply, said: str) -> None:
    assert checks.judge_http(check, answer) == checks.Answer(False, said)


def test_a_reply_that_is_as_expected_in_all_passes() -> None:
    check = http(status=[200, 204], body_contains="up", header={"Server": "Cad"}, json={"up": True}, max_seconds=1)
    answer = checks.judge_http(check, reply(body='{"up": true}', server="Caddy"))
    assert answer == checks.Answer(True, "200 in 0.10 s, up = true")


def test_a_redirect_can_be_what_is_expected() -> None:
    check = http(status=[308], header={"location": "^https:"})
    assert checks.judge_http(check, reply(308, location="https://shop.example.test/")).ok
    assert check.address == ""


def test_an_answer_is_one_line_of_200_characters() -> None:
    answer = checks.judge_http(http(json={"a": 1, "b": 2, "c": 3}), reply(500, "line\n" * 9000))
    assert len(answer.text) <= 200
    assert "\n" not in answer.text


@pytest.mark.parametrize(
    ("path", "value"), [("a.b.0.c", "5"), ("a.b", '[{"c": 5}]'), ("a.b.1.c", None), ("a.x", None), ("a.b.c", None)]
)
def test_a_json_path_goes_through_objects_and_lists(path: str, value: Any) -> None:
    found = checks.json_values('{"a": {"b": [{"c": 5}]}}', [path])
    assert found == {path: value}


@pytest.mark.parametrize(
    ("wanted", "answered", "same"),
    [("5", 5, True), (5, "5", True), (True, True, True), (True, "True", False), (None, None, True), (1, True, False)],
)
def test_a_number_and_its_text_are_equal(wanted: Any, answered: Any, same: bool) -> None:
    answer = checks.judge_http(http(json={"value": wanted}), reply(body=json.dumps({"value": answered})))
    assert answer.ok is same


# --- TLS, containers, heartbeats, SQL


def test_a_certificate_must_last() -> None:
    check = options.Tls(name="certificate", host="shop.example.test", min_days=7)
    assert checks.judge_tls(check, NOON + 8 * DAY, NOON) == checks.Answer(True, "valid until 2026-11-29, 8.0 days left")
    assert not checks.judge_tls(check, NOON + 6 * DAY, NOON).ok


CONTAINERS = options.Container(name="containers", app="shop", running_seconds=10)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"state": "exited", "exit_code": 1}, "is exited (exit code 1, 0 restarts)"),
        (
            {"state": "restarting", "exit_code": 137, "out_of_memory": True, "restart_count": 4},
            "is restarting (exit code 137, out of memory, 4 restarts)",
        ),
        ({"health": "unhealthy"}, "is unhealthy"),
        ({"health": "starting"}, "is starting"),
        ({"restart_count": 3}, "was restarted 3 times"),
        ({"started_at": "2026-11-21T11:59:55Z"}, "has run for 5 s only"),
    ],
)
def test_one_container_that_is_not_well_fails_the_check(state: Mapping[str, Any], said: str) -> None:
    answer = checks.judge_containers(CONTAINERS, [container("well"), container("bad", **state)], NOON)
    assert answer == checks.Answer(False, f"bad {said}")


def test_containers_that_are_well_pass() -> None:
    found = [container("a", health="healthy"), container("b")]
    assert checks.judge_containers(CONTAINERS, found, NOON) == checks.Answer(True, "2 running, healthy: a, b")


def test_no_container_fails_and_so_does_another_number_than_expected() -> None:
    two = options.Container(name="containers", app="shop", count=2)
    assert checks.judge_containers(CONTAINERS, [], NOON) == checks.Answer(False, "0 containers")
    assert checks.judge_containers(two, [container()], NOON) == checks.Answer(False, "1 containers")
    assert checks.judge_containers(two, [container("a"), container("b")], NOON).ok


@pytest.mark.parametrize(
    ("ages", "answer"),
    [
        ({"a": 3.2, "b": 9.0}, checks.Answer(True, "a: 3 s old; b: 9 s old")),
        ({"a": 3.2, "b": 99.0}, checks.Answer(False, "b: 99 s old")),
        ({"a": None}, checks.Answer(False, "a: no heartbeat")),
        ({}, checks.Answer(False, "no container")),
        ({"a": -0.2}, checks.Answer(True, "a: 0 s old")),
    ],
)
def test_every_worker_must_beat(ages: Mapping[str, float | None], answer: checks.Answer) -> None:
    check = options.Heartbeat(name="worker", app="shop", service="worker", file="/tmp/beat", max_age_seconds=10)
    assert checks.judge_heartbeats(check, ages) == answer


@pytest.mark.parametrize(
    ("expected", "result", "answer"),
    [
        ("3", Result(0, "3\n", ""), checks.Answer(True, "3")),
        ("3", Result(0, "4\n", ""), checks.Answer(False, "4")),
        (None, Result(0, "", ""), checks.Answer(True, "no rows")),
        ("3", Result(1, "", "ERROR:  no table\n"), checks.Answer(False, "ERROR: no table")),
        ("3", Result(124, "", ""), checks.Answer(False, "psql ended with code 124")),
    ],
)
def test_a_query_must_answer_as_expected(expected: str | None, result: Result, answer: checks.Answer) -> None:
    check = options.Sql(name="plans", database="shop", query="select count(*) from plans", expected=expected)
    assert checks.judge_sql(check, result) == answer


# --- waiting


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def answers(after: Mapping[str, int]) -> Callable[[options.Check, float], checks.Answer]:
    """Each check passes at the attempt of this number."""
    left: dict[str, Iterator[bool]] = {
        name: iter([False] * (number - 1) + [True] * 1000) for name, number in after.items()
    }

    def ask(check: options.Check, _timeout: float) -> checks.Answer:
        return checks.Answer(next(left[check.name]), "said")

    return ask


def tcp(name: str) -> options.Tcp:
    return options.Tcp(name=name, host="db", port=5432)


def test_what_has_passed_is_not_asked_again() -> None:
    patience = options.Patience(deadline=5, interval=0.001, timeout=1)
    outcomes = checks.wait([tcp("a"), tcp("b")], answers({"a": 1, "b": 4}), patience)
    assert [(one.check.name, one.answer.ok, one.attempts) for one in outcomes] == [("a", True, 1), ("b", True, 4)]


def test_the_time_of_a_check_is_counted_until_it_passes() -> None:
    clock = Clock()
    (outcome,) = checks.wait([tcp("a")], answers({"a": 4}), PATIENCE, clock, clock.sleep)
    assert (outcome.attempts, outcome.seconds) == (4, 3)


def test_a_slow_check_does_not_hold_back_the_others() -> None:
    def ask(check: options.Check, _timeout: float) -> checks.Answer:
        if check.name == "slow":
            time.sleep(0.1)
        return checks.Answer(False, "")

    patience = options.Patience(deadline=0.1, interval=0.01, timeout=1)
    slow, quick = checks.wait([tcp("slow"), tcp("quick")], ask, patience)
    assert slow.attempts == 1
    assert quick.attempts > 3


def test_the_deadline_is_shared_and_each_check_is_asked_at_least_once() -> None:
    many = [tcp(str(number)) for number in range(20)]
    patience = options.Patience(deadline=0.05, interval=0.02, timeout=1)
    start = time.monotonic()
    outcomes = checks.wait(many, answers({one.name: 99 for one in many}), patience)
    assert all(one.attempts >= 1 for one in outcomes)
    assert time.monotonic() - start < 1


def test_an_attempt_takes_no_longer_than_what_is_left() -> None:
    clock, given = Clock(), []

    def ask(_check: options.Check, timeout: float) -> checks.Answer:
        given.append(timeout)
        return checks.Answer(False, "")

    checks.wait([tcp("a")], ask, options.Patience(deadline=12, interval=4, timeout=10), clock, clock.sleep)
    assert given == [10, 8, 4, 1]


def test_a_deadline_of_zero_asks_once() -> None:
    clock = Clock()
    (outcome,) = checks.wait([tcp("a")], answers({"a": 2}), options.Patience(0, 1, 10), clock, clock.sleep)
    assert (outcome.attempts, outcome.answer.ok) == (1, False)


# --- reporting


def test_a_failure_is_one_line_with_expectation_answer_time_and_place_to_look() -> None:
    outcomes = [
        checks.Outcome(tcp("database"), checks.Answer(False, "connection refused"), 58, 60.2),
        checks.Outcome(tcp("cache"), checks.Answer(True, "accepts connections"), 1, 0.1),
    ]
    head, line = checks.failure(outcomes).splitlines()
    assert head.startswith("1 of 2 health checks failed")
    assert line == (
        "database: expected db:5432 to accept connections; last answer: connection refused (failing for 60 s, 58 "
        "attempts); look at: ss -ltnp 'sport = :5432' on db, and the firewall between"
    )


def test_a_skipped_check_says_so() -> None:
    report = checks.skipped(http())
    assert (report["ok"], report["skipped"], report["attempts"]) == (None, True, 0)
    assert report["answer"].startswith("skipped in check mode: a run would expect GET https://shop.example.test/health")
    assert report["address"] == "https://shop.example.test/"
