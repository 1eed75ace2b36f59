"""The hosts under test: bare Debian servers with systemd and SSH."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docker import DockerClient

from . import keys
from .bed import Bed
from .containers import File, Part


def part(bed: Bed, host: str, image: str, cgroup_version: str) -> Part:
    directory = bed.directory
    container = bed.containers[host]
    return Part(
        host,
        image,
        environment={"container": "docker", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE": "1", "BED_DNS": bed.addresses["dns"]},
        volumes={f"{container}-docker": "/var/lib/docker", f"{container}-containerd": "/var/lib/containerd"},
        files={
            "/etc/ssh/ssh_host_ed25519_key": File((directory / "ssh" / host).read_bytes(), 0o600),
            "/root/.ssh/authorized_keys": File(keys.public(directory / "id_ed25519").encode(), 0o600),
        },
        options={"hostname": host} | privileges() | cgroups(cgroup_version),
    )


def privileges() -> dict[str, Any]:
    """What systemd and a nested Docker Engine need; `privileged` needs more than every machine can give.

    Without SYS_PTRACE root cannot enter a nested container of another user (`docker exec`, /proc/<pid>/root).
    """
    return {
        "cap_add": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "tmpfs": {"/run": "", "/run/lock": "", "/tmp": "exec"},
    }


def cgroups(version: str) -> dict[str, Any]:
    """On cgroup v2 a namespace of its own is enough (the image's init makes it writable), and cleaner.

    On v1 the hierarchies cannot be delegated to a namespace, so the host shares the machine's.
    """
    if version == "2":
        return {"cgroupns": "private"}
    return {"cgroupns": "host", "volumes": ["/sys/fs/cgroup:/sys/fs/cgroup:rw"]}


def prepare(directory: Path, hosts: tuple[str, ...]) -> None:
    keys.ssh_key(directory / "id_ed25519", "onebox test bed")
    for host in hosts:
        keys.ssh_key(directory / "ssh" / host, host)


def parts(bed: Bed, client: DockerClient, image: str) -> list[Part]:
    version = str(client.info().get("CgroupVersion", "1"))
    return [part(bed, host, image, version) for host in bed.hosts]
