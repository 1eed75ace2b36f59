"""When a service is ready, and when an old one has nothing left to do."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container
from ansible_collections.onebox.stack.plugins.module_utils._readiness import (
    Machine,
    NotReadyError,
    Waiting,
    http_fault,
    open_connections,
)
from ansible_collections.onebox.stack.plugins.module_utils._release import Service
from ansible_collections.onebox.stack.plugins.module_utils._slots import Slot

BEGUN = "2026-11-21T07:00:00.123456789Z"
NOW = 1795244400.0 + 100  # 100 s later
RUNNING = Container(
    "c1", "shop-blue-web-1", labels={"onebox.service": "web"}, started_at=BEGUN, pid=7, addresses={"onebox_edge": "::1"}
)
WEB = Service("web", port=80, health_path="/health", start_seconds=5)
PLAIN = Service("web", type="worker", start_seconds=5)
BEATING = replace(PLAIN, heartbeat_file="/tmp/beat", heartbeat_seconds=10)


def waiting(page: str = "", beat: float | None = 1.0, clock: float = NOW) -> Waiting:
    times = iter(clock + 0.5 * tick for tick in range(1000))
    now = [clock]

    def sleep(_seconds: float) -> None:
        now[0] = next(times)

    return Waiting(Machine(page=lambda *_: page, beat=lambda *_: beat, clock=lambda: now[0], sleep=sleep))


@pytest.mark.parametrize(
    ("service", "container", "world", "reason"),
    [
        (WEB, {}, {}, None),
        (WEB, {}, {"page": "status 503"}, "GET /health on port 80: status 503"),
        (WEB, {"addresses": {}}, {}, "no address"),
        (WEB, {"state": "exited", "exit_code": 137, "out_of_memory": True}, {}, "ended with code 137, out of memory"),
        (WEB, {"state": "restarting", "restart_count": 1}, {}, "crashed"),
        (WEB, {"health": "starting"}, {}, "health check says starting"),
        (BEATING, {}, {}, None),
        (BEATING, {}, {"beat": None}, "no heartbeat in /tmp/beat"),
        (BEATING, {}, {"beat": 11.0}, "is 11 s old"),
        (BEATING, {}, {"beat": 5.0, "clock": NOW - 97}, "no heartbeat in /tmp/beat since its start"),
        (PLAIN, {}, {}, None),
        (PLAIN, {}, {"clock": NOW - 99}, "has run for 1 s only"),
        (PLAIN, {"health": "healthy"}, {"clock": NOW - 99}, None),
    ],
)
def test_a_service_is_ready_only_when_all_that_is_known_of_it_is_well(
    service: Service, container: dict[str, Any], world: dict[str, Any], reason: str | None
) -> None:
    verdict = waiting(**world).judge(service, Slot("blue", "v1", (replace(RUNNING, **container),)))
    assert verdict is None if reason is None else (verdict and reason in verdict.reason)


def test_a_missing_replica_is_not_ready() -> None:
    verdict = waiting().judge(replace(WEB, replicas=2), Slot("blue", "v1", (RUNNING,)))
    assert verdict
    assert verdict.reason == "1 of 2 containers exist"


def test_waiting_ends_at_the_deadline_with_the_last_reason() -> None:
    with pytest.raises(NotReadyError, match=r"web is not ready: .*status 500 \(after 5 s, start_seconds\)"):
        waiting(page="status 500").until_ready([WEB], lambda: Slot("blue", "v1", (RUNNING,)))


def test_a_crash_is_told_at_once() -> None:
    reads = []

    def read() -> Slot:
        reads.append(1)
        return Slot("blue", "v1", (replace(RUNNING, restart_count=1),))

    with pytest.raises(NotReadyError) as error:
        waiting().until_ready([WEB], read)
    assert len(reads) == 1
    assert error.value.container is not None


def test_waiting_goes_on_until_the_service_is_ready() -> None:
    states = iter(["starting", "starting", "healthy"])
    waiting().until_ready([WEB], lambda: Slot("blue", "v1", (replace(RUNNING, health=next(states)),)))


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path[1:4]))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("status", "fault"), [(200, ""), (302, ""), (404, "status 404"), (503, "status 503")])
def test_a_page_is_well_when_it_answers_with_success_or_a_redirect(port: int, status: int, fault: str) -> None:
    assert http_fault("127.0.0.1", port, f"/{status}") == fault


def test_a_path_with_an_umlaut_is_asked_for(port: int) -> None:
    assert http_fault("127.0.0.1", port, "/200?f\u00fcr=alle") == ""


def test_nobody_who_listens_is_a_fault() -> None:
    assert http_fault("127.0.0.1", 1, "/") == "connection refused"


def test_only_connections_from_outside_to_a_listening_port_count(tmp_path: Path) -> None:
    net = tmp_path / "7" / "net"
    net.mkdir(parents=True)
    head = "  sl  local_address rem_address   st\n"
    listening = "   0: 00000000:0BB8 00000000:0000 0A\n"
    request = "   1: 0500A8C0:0BB8 0200A8C0:D431 01\n"
    database = "   2: 0500A8C0:D432 0300A8C0:1538 01\n"
    own_check = "   3: 0100007F:0BB8 0100007F:D433 01\n"
    closing = "   4: 0500A8C0:0BB8 0200A8C0:D434 06\n"
    (net / "tcp").write_text(head + listening + request + database + own_check + closing)
    v6 = "   0: 0000000000000000FFFF00000500A8C0:0BB8 0000000000000000FFFF00000200A8C0:D435 01\n"
    (net / "tcp6").write_text(head + v6)
    assert open_connections(7, tmp_path) == 2
    assert open_connections(8, tmp_path) == 0
