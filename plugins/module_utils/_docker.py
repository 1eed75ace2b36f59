# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thin functions over the docker program.

The program rather than the Python SDK: it is always there with the engine, always speaks to it, and needs no
package on the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, Result, Run, check

EXEC_REPEATS = 2
NETWORK_LABEL = "onebox.network=true"


@dataclass(frozen=True)
class Container:
    """One container as the engine describes it."""

    id: str
    name: str
    image: str = ""
    image_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    state: str = "running"  # created, running, paused, restarting, removing, exited, dead
    health: str = ""  # empty without a health check, else starting, healthy, unhealthy
    restart_count: int = 0
    exit_code: int = 0
    out_of_memory: bool = False
    started_at: str = ""
    pid: int = 0
    addresses: Mapping[str, str] = field(default_factory=dict)  # network: address
    ports: Sequence[str] = ()  # published: "0.0.0.0:80->80/tcp"

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def well(self) -> bool:
        """Running, and healthy where the engine knows how to tell."""
        return self.running and self.health in ("", "healthy")


def available(run: Run) -> bool:
    """Tell whether a docker engine answers."""
    return run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=30).ok


def installed(run: Run) -> bool:
    """Tell whether the docker program is there at all."""
    return run(["docker", "--version"], timeout=30).returncode != NOT_FOUND


def containers(run: Run, labels: Mapping[str, str]) -> list[Container]:
    """Return the containers that have all these labels, running or not, by name."""
    listing = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
    for name, value in labels.items():
        listing += ["--filter", f"label={name}={value}"]
    return inspect(run, check(run(listing, timeout=60), listing).stdout.split())


def inspect(run: Run, names: Sequence[str]) -> list[Container]:
    """Describe containers by id or name; those that do not exist (any more) are left out."""
    if not names:
        return []
    argv = ["docker", "container", "inspect", *names]
    answer = run(argv, timeout=60)
    if not answer.ok and "no such container" not in answer.stderr.lower():
        check(answer, argv)
    return sorted((parse(each) for each in json.loads(answer.stdout or "[]")), key=lambda found: found.name)


def parse(document: Mapping[str, Any]) -> Container:
    """Read one entry of docker container inspect."""
    state, config = document["State"], document["Config"]
    network = document.get("NetworkSettings") or {}
    return Container(
        id=document["Id"],
        name=document["Name"].lstrip("/"),
        image=config.get("Image", ""),
        image_id=document.get("Image", ""),
        labels=config.get("Labels") or {},
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", "").replace("none", ""),
        restart_count=document.get("RestartCount", 0),
        exit_code=state.get("ExitCode", 0),
        out_of_memory=state.get("OOMKilled", False),
        started_at=state.get("StartedAt", ""),
        pid=state.get("Pid", 0),
        addresses=_addresses(network.get("Networks") or {}),
        ports=_ports(network.get("Ports") or {}),
    )


def _addresses(networks: Mapping[str, Any]) -> dict[str, str]:
    both = {name: one.get("IPAddress") or one.get("GlobalIPv6Address") for name, one in networks.items()}
    return {name: address for name, address in both.items() if address}


def _ports(ports: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{one['HostIp']}:{one['HostPort']}->{inside}" for inside, bound in ports.items() for one in bound or ()
    )


def logs(run: Run, container_id: str, lines: int = 20) -> str:
    """Return the last lines that a container wrote, standard output and error in the order of each."""
    answer = run(["docker", "logs", "--tail", str(lines), container_id], timeout=30)
    return "\n".join((answer.stdout + answer.stderr).rstrip().splitlines()[-lines:])


def execute(run: Run, argv: Sequence[str], **options: Any) -> Result:
    """Run a `docker exec`, and again when the engine could not so much as start the program.

    A busy machine was seen to fail so ("waiting for init preliminary setup: connection reset by peer"). As nothing of
    the program ran, to repeat it is safe.
    """
    answer = run(argv, **options)
    for _again in range(EXEC_REPEATS):
        if answer.ok or "OCI runtime exec failed" not in answer.stdout + answer.stderr:
            break
        answer = run(argv, **options)
    return answer


def missing_networks(run: Run, names: Sequence[str]) -> list[str]:
    """Return which of these networks do not exist."""
    argv = ["docker", "network", "ls", "--format", "{{.Name}}"]
    there = check(run(argv, timeout=30), argv).stdout.split()
    return [name for name in names if name not in there]


def create_network(run: Run, name: str) -> None:
    """Create a bridge network; one that appeared meanwhile is as good."""
    argv = ["docker", "network", "create", "--label", NETWORK_LABEL, name]
    answer = run(argv, timeout=60)
    if "already exists" not in answer.stderr:
        check(answer, argv)


def ensure_app_networks(run: Run, app: str) -> None:
    """Make the networks that an app's Compose file expects, where nobody needed them before."""
    for name in missing_networks(run, ["onebox_edge", f"onebox_{app}"]):
        create_network(run, name)


def image_id(run: Run, reference: str) -> str:
    """Return the id of a local image, or an empty string."""
    answer = run(["docker", "image", "inspect", "--format", "{{.Id}}", reference], timeout=30)
    return answer.stdout.strip() if answer.ok else ""
