# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the services of a release are ready, and when an old one has nothing left to do."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.onebox.stack.plugins.module_utils._checks import started
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container
from ansible_collections.onebox.stack.plugins.module_utils._probes import beat_age, describe, request_target
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, run
from ansible_collections.onebox.stack.plugins.module_utils._release import Service
from ansible_collections.onebox.stack.plugins.module_utils._slots import Slot

EDGE = "onebox_edge"
STABLE_SECONDS = 3  # for a service without any check: how long it must have run
POLL_SECONDS = 0.5
_TIMEOUT = 2.0
_REDIRECTS_END = 400
_ENDED = ("exited", "dead", "removing")
_LISTEN, _ESTABLISHED = "0A", "01"
_LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")


@dataclass(frozen=True)
class Verdict:
    """Why a service is not ready; hopeless when waiting cannot help."""

    reason: str
    container: Container | None = None
    hopeless: bool = False


def http_fault(address: str, port: int, path: str) -> str:
    """Ask for a page; return what is wrong with the answer, or an empty string."""
    connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
    headers = {"User-Agent": "onebox-release", "Connection": "close"}
    try:
        connection.request("GET", request_target(path), headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return describe(error, _TIMEOUT)
    finally:
        connection.close()
    return "" if 200 <= status < _REDIRECTS_END else f"status {status}"  # noqa: PLR2004 - 2xx and 3xx are good


def open_connections(pid: int, proc: Path = Path("/proc")) -> int:
    """Count the connections from outside to ports on which a container listens, seen in its network namespace."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in _table(proc / str(pid) / "net" / name)]
    listening = {_port(line[1]) for line in lines if line[3] == _LISTEN}
    served = [line for line in lines if line[3] == _ESTABLISHED and _port(line[1]) in listening]
    return sum(not line[2].startswith(_LOOPBACK) for line in served)


def _table(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()[1:]
    except OSError:  # the container has ended
        return []


def _port(endpoint: str) -> str:
    return endpoint.rpartition(":")[2]


@dataclass(frozen=True)
class Machine:
    """What the outside world is asked and told through; tests give another."""

    run: Run = run
    page: Callable[[str, int, str], str] = http_fault
    beat: Callable[[Container, str], float | None] = beat_age
    connections: Callable[[int], int] = open_connections
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class NotReadyError(Exception):
    """A service did not become ready."""

    def __init__(self, service: Service, verdict: Verdict) -> None:
        self.container = verdict.container
        super().__init__(f"{service.name} is not ready: {verdict.reason}")


@dataclass(frozen=True)
class Waiting:
    """Waits for services; restarts counts those from before, which say nothing about now."""

    machine: Machine
    restarts: Mapping[str, int] = field(default_factory=dict)

    def until_ready(self, services: Sequence[Service], read: Callable[[], Slot]) -> None:
        """Return when all services are ready, raise NotReadyError when one is hopeless or late."""
        begun = self.machine.clock()
        while True:
            slot = read()
            verdicts = {service: verdict for service in services if (verdict := self.judge(service, slot))}
            if not verdicts:
                return
            waited = self.machine.clock() - begun
            for service, verdict in verdicts.items():
                if verdict.hopeless or waited >= service.start_seconds:
                    late = "" if verdict.hopeless else f" (after {waited:.0f} s, start_seconds)"
                    raise NotReadyError(service, Verdict(verdict.reason + late, verdict.container))
            self.machine.sleep(POLL_SECONDS)

    def judge(self, service: Service, slot: Slot) -> Verdict | None:
        """Return the first thing that is wrong with a service, if any."""
        found = slot.of(service.name)
        if len(found) < service.replicas:
            return Verdict(f"{len(found)} of {service.replicas} containers exist")
        return next((verdict for each in found for verdict in self._faults(service, each)), None)

    def _faults(self, service: Service, container: Container) -> Iterator[Verdict]:
        if container.restart_count > self.restarts.get(container.id, 0):
            yield Verdict("it crashed and was started again", container, hopeless=True)
        if not container.running:
            memory = ", out of memory" if container.out_of_memory else ""
            ended = f"it ended with code {container.exit_code}{memory}"
            hopeless = container.state in _ENDED
            yield Verdict(ended if hopeless else f"the container is {container.state}", container, hopeless)
            return
        reason = self._running_fault(service, container)
        if reason:
            yield Verdict(reason, container)

    def _running_fault(self, service: Service, container: Container) -> str:
        age = self.machine.clock() - started(container.started_at)
        if not container.well:
            return f"its container health check says {container.health}"
        if service.health_path:
            fault = self._page_fault(service, container)
        elif service.heartbeat_file:
            fault = self._beat_fault(service, container, age)
        else:
            fault = "" if container.health or age >= STABLE_SECONDS else f"it has run for {max(age, 0):.0f} s only"
        return fault

    def _page_fault(self, service: Service, container: Container) -> str:
        address = container.addresses.get(EDGE) or next(iter(container.addresses.values()), "")
        if not address:
            return f"its container has no address on the network {EDGE}"
        fault = self.machine.page(address, service.port, service.health_path)
        return f"GET {service.health_path} on port {service.port}: {fault}" if fault else ""

    def _beat_fault(self, service: Service, container: Container, running: float) -> str:
        age = self.machine.beat(container, service.heartbeat_file)
        if age is None or age > running:
            return f"no heartbeat in {service.heartbeat_file} since its start"
        old = age > service.heartbeat_seconds
        return f"its heartbeat {service.heartbeat_file} is {age:.0f} s old" if old else ""
