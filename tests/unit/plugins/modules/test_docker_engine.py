"""What the module does to install the engine, with programs that are pretended."""

from __future__ import annotations

from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _engine as engine
from ansible_collections.onebox.stack.plugins.module_utils._process import Result
from ansible_collections.onebox.stack.plugins.modules import docker_engine

NOBLE = engine.System("ubuntu", "noble")


class Programs:
    """Remembers what was run; `apt-get install` fails when it is told to."""

    def __init__(self, *fingerprints: str, fails: bool = False) -> None:
        self.fingerprints, self.fails = fingerprints or (engine.KEY_FINGERPRINT,), fails
        self.asked: list[str] = []

    def __call__(self, argv: Sequence[str], **_options: Any) -> Result:
        self.asked.append(" ".join(argv))
        if argv[0] == "gpg":
            return Result(0, "".join(f"pub:-:4096:\nfpr:::::::::{one}:\n" for one in self.fingerprints), "")
        if self.fails and "install" in argv:
            return Result(100, "", "E: Unable to locate package docker-ce\n")
        return Result(0, "", "")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package repository that serves a key, and places of the host below a temporary directory."""

    class Key(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/linux/ubuntu/gpg" else 404)
            self.end_headers()
            self.wfile.write(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Key)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(engine, "KEY_FILE", str(tmp_path / "docker.asc"))
    monkeypatch.setattr(engine, "SOURCES_FILE", str(tmp_path / "docker.sources"))
    yield f"http://127.0.0.1:{server.server_port}/linux"
    server.shutdown()


def test_the_repository_is_added_with_its_key_before_its_packages_are_installed(mirror: str, tmp_path: Path) -> None:
    programs = Programs()
    docker_engine.write(engine.Plan(("docker-ce",), "Types: deb\n"), mirror, NOBLE, programs)
    assert (tmp_path / "docker.asc").read_text().startswith("-----BEGIN PGP")
    assert (tmp_path / "docker.sources").read_text() == "Types: deb\n"
    assert programs.asked[-2].endswith("update")
    assert programs.asked[-1].endswith("install --no-install-recommends docker-ce")


@pytest.mark.parametrize("fingerprints", [("0" * 40,), (engine.KEY_FINGERPRINT, "0" * 40)])
def test_a_key_that_is_not_dockers_is_refused_and_nothing_is_trusted(
    mirror: str, tmp_path: Path, fingerprints: tuple[str, ...]
) -> None:
    programs = Programs(*fingerprints)
    with pytest.raises(engine.EngineError, match="is not Docker's key"):
        docker_engine.write(engine.Plan(("docker-ce",), "Types: deb\n"), mirror, NOBLE, programs)
    assert list(tmp_path.iterdir()) == []
    assert not any(line.endswith("docker-ce") for line in programs.asked)


def test_a_repository_that_does_not_answer_is_told_with_the_way_on(mirror: str) -> None:
    with pytest.raises(engine.EngineError, match="docker_source: distro"):
        docker_engine.write_key(f"{mirror}/nowhere", NOBLE, Programs())


def test_a_failed_installation_shows_what_apt_said() -> None:
    with pytest.raises(engine.EngineError, match="Unable to locate package docker-ce"):
        docker_engine.write(engine.Plan(("docker-ce",)), "", NOBLE, Programs(fails=True))


def test_an_interrupted_installation_is_finished_first() -> None:
    programs = Programs()
    docker_engine.write(engine.Plan(("docker.io",)), "", engine.System("debian", "trixie"), programs)
    assert programs.asked[0] == "dpkg --configure --pending --force-confold"
