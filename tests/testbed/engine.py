"""The Docker Engine on which the test bed runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import docker
from docker import DockerClient
from docker.errors import DockerException

from .bed import STATE
from .console import BedError, step

# Program -> the Debian (and Ubuntu) package that brings it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
}
ENGINE_PROGRAMS = {"dockerd": "docker.io", "iptables": "iptables"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
START_SECONDS = 60


def ensure() -> DockerClient:
    """A client of an engine that answers, and the programs that the bed needs; installed and started where possible."""
    client = connect()
    wanted = PROGRAMS if client else PROGRAMS | ENGINE_PROGRAMS
    missing = missing_packages(wanted, KEYRING)
    if missing:
        install(missing)
    return client or start()


def connect() -> DockerClient | None:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException:
        return None
    return client


def missing_packages(programs: dict[str, str], keyring: Path) -> list[str]:
    # /usr/sbin is not in every user's PATH.
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = [package for program, package in programs.items() if shutil.which(program, path=path) is None]
    return missing + ([] if keyring.exists() else ["debian-archive-keyring"])


def install(packages: Iterable[str]) -> None:
    names = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BedError(
            f"The test bed needs these Debian packages: {names}. Nothing was changed. "
            f"Install them (on Debian or Ubuntu: sudo apt-get install {names}), or run this as root there."
        )
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"apt-get install {names}"):
        for command in ("apt-get update -q", f"apt-get install -qy --no-install-recommends {names}"):
            done = subprocess.run(command.split(), env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BedError(f"`{command}` failed:\n{done.stderr.strip()[-1500:]}")


def start() -> DockerClient:
    if os.geteuid() != 0:
        raise BedError(
            "No Docker Engine answers. Nothing was changed. Start it (sudo systemctl start docker), see that this user "
            "may use it (member of the group docker), or name another one in DOCKER_HOST."
        )
    log = STATE / "dockerd.log"
    with step("start of the Docker Engine"):
        return wait(log, systemctl if Path("/run/systemd/system").is_dir() else lambda: dockerd(log))


def systemctl() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["systemctl", "start", "docker"])


def dockerd(log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(["dockerd"], stdout=output, stderr=output, start_new_session=True)


def wait(log: Path, begin: Callable[[], subprocess.Popen[bytes]]) -> DockerClient:
    """Start it, again when it gave up: one that was killed a moment ago still counts as running for the next."""
    deadline = time.monotonic() + START_SECONDS
    process = begin()
    while time.monotonic() < deadline:
        if client := connect():
            return client
        time.sleep(0.5)
        if process.poll() not in (None, 0):
            process = begin()
    said = "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else ""
    raise BedError(
        f"The Docker Engine did not answer within {START_SECONDS} s. Its log: {log} (or: journalctl -u docker).\n{said}"
    )
