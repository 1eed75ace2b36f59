"""One bed: its names, its places, and what tests ask of it while it is up."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

import docker
from docker import DockerClient
from docker.models.containers import Container

from .console import BedError

CHECKOUT = Path(__file__).resolve().parents[2]
CHECKOUT_ID = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]
STATE = CHECKOUT / ".bed"
DOMAIN = "example.test"
READY_SECONDS = 60

LABEL_CHECKOUT = "onebox.bed.checkout"
LABEL_NAME = "onebox.bed.name"
LABEL_KEY = "onebox.bed.key"


def bed_name(scenario: str) -> str:
    """The bed of a test scenario: two checkouts on one machine must not share it."""
    return f"{CHECKOUT_ID}-{scenario}"


def directory_of(name: str) -> Path:
    """Inside a checkout its own id says nothing, so that files can name .bed/default whatever the checkout."""
    return STATE / name.removeprefix(f"{CHECKOUT_ID}-")


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str

    def check(self) -> Result:
        if self.returncode:
            raise BedError(f"A command in the bed ended with {self.returncode}:\n{self.stdout}{self.stderr}")
        return self


@dataclass(frozen=True)
class Bed:
    name: str
    subnet: str  # the first three numbers of its /24
    hosts: tuple[str, ...]
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in (self.name, *self.hosts):
            if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?", name):
                raise BedError(
                    f"{name!r} cannot be a name here: small letters, digits and hyphens, for example `demo`."
                )

    @classmethod
    def load(cls, name: str) -> Bed:
        path = directory_of(name) / "bed.json"
        if not path.exists():
            raise BedError(f"There is no bed {name}: {path} is missing. Make it: python -m testbed up --name {name}")
        saved = json.loads(path.read_text())
        if saved["name"] != name:
            raise BedError(
                f"{path} is of the bed {saved['name']}, not of {name}: choose another name, or take it down."
            )
        return cls(saved["name"], saved["subnet"], tuple(saved["hosts"]), saved["credentials"])

    def save(self) -> None:
        path = self.directory / "bed.json"
        path.touch(mode=0o600)
        known = asdict(self) | {"addresses": self.addresses, "network": self.network, "containers": self.containers}
        path.write_text(json.dumps(known, indent=2) + "\n")

    # Names and places

    @property
    def directory(self) -> Path:
        return directory_of(self.name)

    @property
    def network(self) -> str:
        return f"onebox-{self.name}"

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL_CHECKOUT: str(CHECKOUT), LABEL_NAME: self.name}

    @property
    def addresses(self) -> dict[str, str]:
        """Of every part: dns, acme, registry, git, client, telegram, and the hosts."""
        parts = ("dns", "acme", "registry", "git", "client", "telegram")
        numbered = {part: f"{self.subnet}.{number}" for number, part in enumerate(parts, start=2)}
        return numbered | {host: f"{self.subnet}.{number}" for number, host in enumerate(self.hosts, start=10)}

    @property
    def containers(self) -> dict[str, str]:
        """Part -> name of its container. The first host has the bed's own name."""
        return {part: self.network if part == self.hosts[0] else f"{self.network}-{part}" for part in self.addresses}

    # While it is up

    @cached_property
    def engine(self) -> DockerClient:
        return docker.from_env()

    def container(self, part: str) -> Container:
        return self.engine.containers.get(self.containers[part])

    def exec(self, part: str, argv: Sequence[str], *, user: str = "") -> Result:
        """Runs a program in the container of a part: `bed.exec("server", ["systemctl", "is-active", "docker"])`."""
        done = self.container(part).exec_run(list(argv), user=user, demux=True)
        stdout, stderr = cast("tuple[bytes | None, bytes | None]", done.output)
        return Result(
            done.exit_code or 0, (stdout or b"").decode(errors="replace"), (stderr or b"").decode(errors="replace")
        )

    def host(self, argv: Sequence[str], host: str = "") -> Result:
        return self.exec(host or self.hosts[0], argv)

    def client(self, argv: Sequence[str]) -> Result:
        """From outside: the client knows the bed's names and trusts its CAs. It has curl, nmap, openssl and python3."""
        return self.exec("client", argv)

    def restart_host(self, host: str = "") -> None:
        """As if the power went and came back."""
        name = host or self.hosts[0]
        self.container(name).kill()
        self.container(name).start()
        self.wait_for_host(name)

    def wait_for_host(self, host: str) -> None:
        """Until systemd has started everything and SSH answers."""
        wait_for_port(self.addresses[host], 22, f"the SSH server of {host}")
        deadline = time.monotonic() + READY_SECONDS
        # Nothing or `offline` while systemd cannot be asked yet.
        while (state := self.state_of(host)) in ("", "offline") and time.monotonic() < deadline:
            time.sleep(0.2)
        if state != "running":
            failed = self.exec(host, ["systemctl", "--failed", "--plain", "--no-legend"]).stdout
            raise BedError(f"The host {host} is {state or 'not up'}, not running. Failed units:\n{failed}")

    def state_of(self, host: str) -> str:
        """systemd's own word for the whole host, once it has started everything: running, degraded, ..."""
        return self.exec(host, ["systemctl", "is-system-running", "--wait"]).stdout.strip()


def wait_for_port(address: str, port: int, what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not answers(address, port):
        if time.monotonic() > deadline:
            raise BedError(f"{what} did not answer at {address}:{port} within {READY_SECONDS} s.")
        time.sleep(0.2)


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True
