# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Compose project needs so that its containers are those of its file, run, and have read their configuration."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils._docker import (
    Container,
    available,
    containers,
    execute,
    logs,
    missing_networks,
)
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, check

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
HASH = "com.docker.compose.config-hash"
ONE_OFF = "com.docker.compose.oneoff"  # made by `docker compose run`, no part of the project
UP_SECONDS = 1800  # pulls images
EXEC_SECONDS = 120
POLL_SECONDS = 1
SETTLE_SECONDS = 3  # a service without a health check counts as well when it has run for so long
LOG_LINES = 20


class ComposeError(Exception):
    """The project is not as wanted; the message says which service, why, and what to do."""


@dataclass(frozen=True)
class Service:
    """A service of the Compose file."""

    name: str
    replicas: int = 1
    restarts: bool = False  # whether the engine starts it again however it ends

    def well(self, one: Container) -> bool:
        """Whether a container does what this service is for."""
        return one.well or self.completed(one)

    def completed(self, one: Container) -> bool:
        """Whether a container was a one-shot job that succeeded."""
        return not self.restarts and one.state == "exited" and one.exit_code == 0

    def lost(self, one: Container) -> bool:
        """Whether only a new `up` makes a container run."""
        return one.state in ("created", "exited", "dead", "removing", "paused") and not self.completed(one)


@dataclass(frozen=True)
class Project:
    """The project as its file describes it, all variables and env files resolved."""

    config: str  # a fingerprint
    services: tuple[Service, ...]


@dataclass(frozen=True)
class Reload:
    """A command that makes a service read its files again, and a fingerprint of those files."""

    service: str
    command: tuple[str, ...]
    files: str


@dataclass(frozen=True)
class Record:
    """What the last complete run left: the file's fingerprint, each service's hashes, and the files it has read.

    Compose's own hash cannot be asked for: `config --hash` leaves out env files, the label on a container does not.
    """

    config: str = ""
    hashes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Record:
        return cls(known.get("config", ""), known.get("hashes", {}), known.get("files", {}))

    def to_dict(self) -> dict[str, Any]:
        return {"config": self.config, "hashes": dict(self.hashes), "files": dict(self.files)}


# --- read -----------------------------------------------------------------------------------------------------------


def ready(run: Run) -> bool:
    """Tell whether there is an engine with the Compose plugin."""
    return available(run) and run(["docker", "compose", "version"], timeout=30).ok


def read_project(run: Run, name: str, directory: str) -> Project:
    """Have Compose read the file; raises ProcessError with its words."""
    argv = ["docker", "compose", "--project-name", name, "config", "--format", "json"]
    return parse(check(run(argv, cwd=directory, timeout=60), argv).stdout)


def parse(text: str) -> Project:
    """Read the output of `docker compose config --format json`."""
    document = json.loads(text)
    services = tuple(_service(name, one) for name, one in sorted((document.get("services") or {}).items()))
    return Project(hashlib.sha256(text.encode()).hexdigest(), services)


def _service(name: str, one: Mapping[str, Any]) -> Service:
    deploy = one.get("deploy") or {}
    replicas = deploy.get("replicas", one.get("scale"))
    return Service(
        name,
        replicas=1 if replicas is None else int(replicas),
        restarts=one.get("restart", "no") in ("always", "unless-stopped"),
    )


def read_containers(run: Run, name: str) -> tuple[Container, ...]:
    """The containers of the project."""
    found = containers(run, {PROJECT: name})
    return tuple(one for one in found if one.labels.get(ONE_OFF, "False") != "True")


def of_service(name: str, found: Sequence[Container]) -> list[Container]:
    return [one for one in found if one.labels.get(SERVICE) == name]


def hashes(found: Sequence[Container]) -> dict[str, list[str]]:
    """Compose's hash of each container, by service."""
    services = sorted({one.labels.get(SERVICE, "") for one in found})
    return {name: sorted(one.labels.get(HASH, "") for one in of_service(name, found)) for name in services}


def unknown_networks(run: Run, wanted: Sequence[str], found: Sequence[Container]) -> list[str]:
    """The networks that have to be made; those that a container is on are there without asking."""
    used = {network for one in found for network in one.addresses}
    rest = [name for name in wanted if name not in used]
    return missing_networks(run, rest) if rest else []


# --- plan -----------------------------------------------------------------------------------------------------------


def why_up(project: Project, found: Sequence[Container], known: Record) -> str:
    """Say why the containers are not those of the file; an empty text when they are."""
    for service in project.services:
        mine = of_service(service.name, found)
        if len(mine) < service.replicas:
            return f"{service.name} has {len(mine)} of {service.replicas} containers"
        for one in mine:
            if service.lost(one):
                return f"{one.name} is {one.state}"
    if project.config != known.config:
        return "its configuration is not the one that it was started with"
    return "" if hashes(found) == known.hashes else "its containers are not those of the last run"


def refuse_unknown(project: Project, wanted: Sequence[Reload]) -> None:
    """Raise ComposeError for a reload of a service that the file does not have."""
    names = [service.name for service in project.services]
    for one in wanted:
        if one.service not in names:
            raise ComposeError(
                f"`reload` names the service {one.service!r}, which the project does not have; nothing was changed. "
                f"Its services: {', '.join(names)}"
            )


def reloads(wanted: Sequence[Reload], known: Record, fresh: Sequence[str]) -> tuple[Reload, ...]:
    """The services that have not read their files; the fresh ones have."""
    return tuple(one for one in wanted if one.service not in fresh and known.files.get(one.service) != one.files)


def created(before: Sequence[Container], after: Sequence[Container]) -> list[str]:
    """The services that have only containers which were not there before."""
    old = {one.id for one in before}
    services = {one.labels.get(SERVICE, "") for one in after}
    return sorted(name for name in services if not any(one.id in old for one in of_service(name, after)))


def age(one: Container, now: datetime) -> float:
    """Seconds since a container was started."""
    try:
        started = datetime.strptime(one.started_at[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return 0
    return (now - started).total_seconds()


def complaints(project: Project, found: Sequence[Container], now: datetime) -> dict[str, tuple[str, str]]:
    """What is not well, by service: how it is, and the id of the container that shows it."""
    faults: dict[str, tuple[str, str]] = {}
    for service in project.services:
        mine = of_service(service.name, found)
        if len(mine) < service.replicas:
            faults[service.name] = (f"has {len(mine)} of {service.replicas} containers", "")
        for one in mine:
            if text := _complaint(service, one, now):
                faults[service.name] = (text, one.id)
    return faults


def _complaint(service: Service, one: Container, now: datetime) -> str:
    if one.running and one.health == "" and age(one, now) < SETTLE_SECONDS:
        return "ends again and again" if one.restart_count else "has only just started"
    if service.well(one):
        return ""
    if one.running:
        return f"runs but is {one.health}"
    memory = ", because it had no memory left" if one.out_of_memory else ""
    return f"is {one.state}, its last exit code was {one.exit_code}{memory}"


def hopeless(project: Project, found: Sequence[Container]) -> bool:
    """Whether waiting is of no use, since a container has ended that nothing starts again."""
    return any(
        one.state in ("exited", "dead") and not service.completed(one)
        for service in project.services
        for one in of_service(service.name, found)
    )


# --- write ----------------------------------------------------------------------------------------------------------


def up(run: Run, project: Project, name: str, directory: str) -> None:
    """Make the containers those of the file; raises ComposeError with the logs of what is sick."""
    argv = ["docker", "compose", "--project-name", name, "up", "--detach", "--remove-orphans", "--quiet-pull"]
    answer = run(argv, cwd=directory, timeout=UP_SECONDS)
    if answer.ok:
        return
    said = "\n".join((answer.stderr or answer.stdout).strip().splitlines()[-LOG_LINES:])
    found = read_containers(run, name)
    raise ComposeError(
        f"`docker compose up` of project {name} in {directory} failed. What is named here may be half done; mend it "
        f"and run again. It said:\n{said}{_stories(run, complaints(project, found, datetime.now(timezone.utc)))}"
    )


def wait(
    run: Run, project: Project, name: str, seconds: float, first: Sequence[Container] | None = None
) -> tuple[Container, ...]:
    """Return the containers once all are well; raises ComposeError with the sick services and their last log lines."""
    deadline = time.monotonic() + seconds
    while True:
        found = read_containers(run, name) if first is None else tuple(first)
        faults = complaints(project, found, datetime.now(timezone.utc))
        if not faults:
            return found
        if hopeless(project, found) or time.monotonic() >= deadline:
            raise ComposeError(
                f"project {name} is not well after {seconds:g} s at most. Its containers are left as they are. Mend "
                f"the cause below and run again.{_stories(run, faults)}"
            )
        first = None
        time.sleep(POLL_SECONDS)


def _stories(run: Run, faults: Mapping[str, tuple[str, str]]) -> str:
    """Each fault with what the health check and the service said last."""
    stories = ""
    for service, (text, container) in faults.items():
        stories += f"\nService {service} {text}."
        if container:
            stories += _health(run, container)
            stories += f"\nIts last log lines:\n{logs(run, container, LOG_LINES) or '(it wrote nothing)'}"
    return stories


def _health(run: Run, container: str) -> str:
    """What the last health check of a container said, if it failed."""
    shown = run(["docker", "container", "inspect", "--format", "{{json .State.Health}}", container], timeout=30)
    last = ((json.loads(shown.stdout or "null") or {}).get("Log") or [{}])[-1] if shown.ok else {}
    return f"\nIts health check said: {last.get('Output', '').strip()[-500:]}" if last.get("ExitCode") else ""


def reload(run: Run, one: Reload, found: Sequence[Container]) -> None:
    """Run a service's reload command in each of its containers; raises ComposeError with what it said."""
    for container in of_service(one.service, found):
        answer = execute(run, ["docker", "exec", container.id, *one.command], timeout=EXEC_SECONDS)
        if not answer.ok:
            said = "\n".join((answer.stderr or answer.stdout).strip().splitlines()[-LOG_LINES:])
            raise ComposeError(
                f"service {one.service} refuses its new configuration (`{' '.join(one.command)}` ended with code "
                f"{answer.returncode}); the old one still serves. Mend the files and run again. It said:\n{said}"
            )
