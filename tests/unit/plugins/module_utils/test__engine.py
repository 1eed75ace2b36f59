"""Which packages give a server its Docker Engine."""

from __future__ import annotations

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _engine as engine

TRIXIE = engine.System("debian", "trixie")
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\nID=debian\n'


def test_the_system_is_read_from_os_release() -> None:
    assert engine.system(OS_RELEASE) == TRIXIE


def test_only_what_is_missing_is_installed() -> None:
    plan = engine.plan(("docker.io", "git"), {"git": "1:2.47"}, None, None)
    assert plan == engine.Plan(("docker.io",))


def test_nothing_is_done_when_all_is_there() -> None:
    text = engine.sources(TRIXIE, "https://download.docker.com/linux", "amd64")
    assert not engine.plan(("git",), {"git": "1:2.47"}, text, text).changed


def test_a_changed_repository_is_written_again() -> None:
    assert engine.plan(("git",), {"git": "1:2.47"}, "new", "old").sources == "new"


def test_the_repository_is_trusted_for_its_own_key_only() -> None:
    text = engine.sources(engine.System("ubuntu", "noble"), "https://mirror.example.com/linux/", "arm64")
    assert "URIs: https://mirror.example.com/linux/ubuntu\nSuites: noble\n" in text
    assert f"Signed-By: {engine.KEY_FILE}\n" in text


def test_a_half_configured_package_does_not_count_as_installed() -> None:
    assert engine.installed("docker.io\tiF \t26.1\ngit\tii \t1:2.47\n") == {"git": "1:2.47"}


def test_a_distribution_without_packages_is_refused_with_the_way_on() -> None:
    with pytest.raises(engine.EngineError, match="docker_source: upstream"):
        engine.packages("distro", engine.System("fedora", "43"))


@pytest.mark.parametrize("source", ["upstream", "distro"])
def test_what_https_needs_to_trust_a_registry_is_installed_too(source: str) -> None:
    assert "ca-certificates" in engine.packages(source, TRIXIE)
