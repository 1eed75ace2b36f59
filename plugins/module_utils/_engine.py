# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which packages give a server its Docker Engine, and what is missing of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Docker's release key: https://docs.docker.com/engine/install/debian/ gives this fingerprint.
KEY_FINGERPRINT = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
KEY_FILE = "/etc/apt/keyrings/docker.asc"
SOURCES_FILE = "/etc/apt/sources.list.d/docker.sources"

# Images come from registries by HTTPS; one that is built on the server from git, over SSH with a deploy key.
FOR_IMAGES = ("ca-certificates", "git", "openssh-client")
UPSTREAM = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin", *FOR_IMAGES)
DISTRO = {
    "debian": ("docker.io", "docker-cli", "docker-buildx", "docker-compose", *FOR_IMAGES),
    "ubuntu": ("docker.io", "docker-buildx", "docker-compose-v2", *FOR_IMAGES),
}


class EngineError(Exception):
    """The engine cannot be installed; the message says why and what to do."""


@dataclass(frozen=True)
class System:
    """The parts of /etc/os-release that choose packages, e.g. debian and trixie."""

    id: str
    codename: str


@dataclass(frozen=True)
class Plan:
    """What is missing: packages, and the repository's file when it is not as it should be."""

    packages: tuple[str, ...] = ()
    sources: str | None = None

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.packages) or self.sources is not None


def system(os_release: str) -> System:
    """Read the text of /etc/os-release."""
    lines = (line.partition("=") for line in os_release.splitlines())
    facts = {key: value.strip("\"'") for key, _, value in lines}
    return System(facts.get("ID", ""), facts.get("VERSION_CODENAME", ""))


def sources(where: System, repository_url: str, architecture: str) -> str:
    """Text of the deb822 file that names Docker's repository, trusted for its own key only."""
    return (
        "Types: deb\n"
        f"URIs: {repository_url.rstrip('/')}/{where.id}\n"
        f"Suites: {where.codename}\n"
        "Components: stable\n"
        f"Architectures: {architecture}\n"
        f"Signed-By: {KEY_FILE}\n"
    )


def installed(dpkg_status: str) -> dict[str, str]:
    """Versions of the installed packages, from lines of `dpkg-query` as `name<TAB>status<TAB>version`."""
    rows = (line.split("\t") for line in dpkg_status.splitlines())
    return {name: version for name, status, version in rows if status.startswith("ii")}


def packages(source: str, where: System) -> tuple[str, ...]:
    """The packages that a source gives on a system; raises EngineError for a system without any."""
    if source == "upstream":
        return UPSTREAM
    try:
        return DISTRO[where.id]
    except KeyError:
        raise EngineError(
            f"docker_source: distro knows no packages for {where.id!r}. Example: docker_source: upstream"
        ) from None


def plan(wanted: tuple[str, ...], present: Mapping[str, str], text: str | None, on_disk: str | None) -> Plan:
    """What is missing. `text` is the repository's file as it should be, None where no repository is added."""
    missing = tuple(name for name in wanted if name not in present)
    return Plan(missing, text if text is not None and text != on_disk else None)
