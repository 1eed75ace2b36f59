# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server is and has, and whether that is enough: reads only.

Everything is read below a root directory (`/`, or a test's), and programs start through a function that tests replace.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.onebox.stack.plugins.module_utils._process import Run

GIB = 1024**3
KIB = 1024
LISTEN = "0A"  # state of a listening socket in /proc/net/tcp
WITHOUT_COMPOSE = ("Debian 12",)  # systems whose own archive has no Compose v2
CONTAINERS = ("docker", "ps", "--no-trunc", "--format")
CONTAINER_LINE = '{{.ID}}\t{{.Names}}\t{{.Label "com.docker.compose.project"}}\t{{.Ports}}'


class HostError(Exception):
    """The host cannot be read."""


@dataclass(frozen=True)
class Holder:
    """A process that listens on a port; pid 0 when it cannot be seen. `cgroup` tells its unit or container."""

    port: int
    name: str = ""
    pid: int = 0
    cgroup: str = ""


@dataclass(frozen=True)
class Container:
    id: str
    name: str
    project: str
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Host:
    system: str
    pretty_name: str
    memory_bytes: int
    cpus: int
    path: str
    free_bytes: int
    compose_version: str
    holders: tuple[Holder, ...]
    containers: tuple[Container, ...]


@dataclass(frozen=True)
class Needs:
    systems: tuple[str, ...] = ()
    free_gib: float = 0
    ports: tuple[int, ...] = ()
    ports_project: str = ""
    compose_minimum: str = ""
    docker_source: str = ""


# -- read -------------------------------------------------------------------------------------------------------------


def parse_system(os_release: str) -> tuple[str, str]:
    """The name by which a system is supported (Debian 12) and the one by which it calls itself."""
    words = (word.partition("=") for word in shlex.split(os_release, comments=True))
    fields = {key: value for key, _, value in words}
    system = f"{fields.get('ID', 'unknown').capitalize()} {fields.get('VERSION_ID', '')}".strip()
    return system, fields.get("PRETTY_NAME", system)


def parse_memory(meminfo: str) -> int:
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) * KIB if found else 0


def parse_listeners(net_tcp: str) -> dict[str, int]:
    """The port of each listening socket, by its inode."""
    rows = (line.split() for line in net_tcp.splitlines()[1:])
    return {row[9]: int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTEN}


def parse_containers(docker_ps: str) -> tuple[Container, ...]:
    rows = (line.split("\t") for line in docker_ps.splitlines())
    return tuple(Container(key, name, project, tuple(_published(ports))) for key, name, project, ports in rows)


def _published(ports: str) -> Iterator[int]:
    """80 of `0.0.0.0:80->8080/tcp, :::80->8080/tcp, 9000/tcp`; both of a range `8000-8001->...`."""
    for first, last in re.findall(r":(\d+)(?:-(\d+))?->\S*?/tcp", ports):
        yield from range(int(first), int(last or first) + 1)


def parse_version(text: str) -> tuple[int, ...]:
    """(2, 26, 1) of `v2.26.1-4`; nothing of what holds no version."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # a process that ended meanwhile, IPv6 turned off
        return ""


def read_holders(proc: Path, ports: Iterable[int]) -> tuple[Holder, ...]:
    """Who listens on the ports. Of several processes with one socket, the oldest: it is the one to stop."""
    listeners = parse_listeners(_read(proc / "net/tcp")) | parse_listeners(_read(proc / "net/tcp6"))
    wanted = {inode: port for inode, port in listeners.items() if port in set(ports)}
    holders = {port: Holder(port) for port in wanted.values()}
    processes = sorted((int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()), reverse=True)
    for pid in processes if wanted else ():
        for inode in _sockets(proc / f"{pid}/fd") & wanted.keys():
            name, cgroup = _read(proc / f"{pid}/comm").strip(), _read(proc / f"{pid}/cgroup")
            holders[wanted[inode]] = Holder(wanted[inode], name, pid, cgroup)
    return tuple(holders[port] for port in sorted(holders))


def _sockets(directory: Path) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):  # the process ended, or is not ours to see
        for entry in directory.iterdir():
            with contextlib.suppress(OSError):
                found.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


def free_bytes(path: Path) -> int:
    """Free space where the path is, or will be: at its nearest parent that exists."""
    return shutil.disk_usage(next(place for place in (path, *path.parents) if place.exists())).free


def read(run: Run, root: Path, path: str, ports: Iterable[int]) -> Host:
    if not (os_release := _read(root / "etc/os-release")):
        raise HostError("/etc/os-release cannot be read, so the system is not known. Nothing was touched.")
    system, pretty_name = parse_system(os_release)
    compose = run(["docker", "compose", "version", "--short"])
    containers = run([*CONTAINERS, CONTAINER_LINE])
    return Host(
        system=system,
        pretty_name=pretty_name,
        memory_bytes=parse_memory(_read(root / "proc/meminfo")),
        cpus=os.cpu_count() or 1,
        path=path,
        free_bytes=free_bytes(root / path.lstrip("/")),
        compose_version=".".join(map(str, parse_version(compose.stdout))) if compose.returncode == 0 else "",
        holders=read_holders(root / "proc", ports),
        containers=parse_containers(containers.stdout) if containers.returncode == 0 else (),
    )


# -- plan: what is missing --------------------------------------------------------------------------------------------


def problems(host: Host, needs: Needs) -> list[str]:
    """All that keeps the host from what it is meant for, each with the variable or the step that mends it."""
    found = (_system(host, needs), _compose_source(host, needs), _compose_version(host, needs), _space(host, needs))
    ports = (_port(host, needs, port) for port in needs.ports)
    return [problem for problem in (*found, *ports) if problem]


def _system(host: Host, needs: Needs) -> str:
    if not needs.systems or host.system in needs.systems:
        return ""
    return f"{host.pretty_name} ({host.system}) is not supported. Supported are: {', '.join(needs.systems)}."


def _compose_source(host: Host, needs: Needs) -> str:
    if needs.docker_source != "distro" or host.system not in WITHOUT_COMPOSE:
        return ""
    return (
        f"docker_source: distro needs a Compose v2 plugin in the distribution's archive, and {host.system} has none. "
        "Set docker_source: upstream, or use a newer release of the distribution."
    )


def _compose_version(host: Host, needs: Needs) -> str:
    if not host.compose_version or parse_version(host.compose_version) >= parse_version(needs.compose_minimum):
        return ""
    return (
        f"the Compose plugin is {host.compose_version}, and {needs.compose_minimum} or newer is needed. "
        "Upgrade its package, or remove it and set docker_source: upstream."
    )


def _space(host: Host, needs: Needs) -> str:
    if host.free_bytes >= needs.free_gib * GIB:
        return ""
    return (
        f"docker_free_gib: {host.free_bytes / GIB:.1f} GiB are free at {host.path}, and {needs.free_gib:g} GiB are "
        "needed. Free some space (docker system df shows what Docker takes), or lower it. Example: docker_free_gib: 2"
    )


def _port(host: Host, needs: Needs, port: int) -> str:
    ours = [item for item in host.containers if needs.ports_project and item.project == needs.ports_project]
    published = next((item for item in host.containers if port in item.ports), None)
    holder = next((item for item in host.holders if item.port == port), None)
    if published:
        held = f"port {port} is held by the container {published.name}; stop it: docker stop {published.name}"
        return "" if published in ours else held
    if holder is None or any(item.id in holder.cgroup for item in ours):  # ours, on the host's network
        return ""
    if ours and holder.name == "docker-proxy":  # of a container of ours that starts again and again, and so is not seen
        return ""
    if not holder.pid:
        return f"port {port} is held by a process that cannot be seen from here; find it: ss -ltnp sport = :{port}"
    unit = re.search(r"/([^/\n]+\.(?:service|socket))$", holder.cgroup, re.MULTILINE)
    stop = f"systemctl disable --now {unit[1].removesuffix('.service')}" if unit else f"kill {holder.pid}"
    return f"port {port} is held by {holder.name} (pid {holder.pid}); stop it: {stop}"


def report(found: list[str]) -> str:
    count = "a problem" if len(found) == 1 else f"{len(found)} problems"
    return f"The host has {count}; nothing was touched:\n" + "\n".join(f"- {problem}" for problem in found)
