"""Asking, of real servers on the loopback device and of programs that are stood in for."""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _check_options as options
from ansible_collections.onebox.stack.plugins.module_utils import _checks as checks
from ansible_collections.onebox.stack.plugins.module_utils import _docker as docker
from ansible_collections.onebox.stack.plugins.module_utils import _probes as probes
from ansible_collections.onebox.stack.plugins.module_utils._process import Result


def no_run(argv: Sequence[str], **_: Any) -> Result:
    raise AssertionError(f"no program is needed, but {argv} was started")


class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(0.4)
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("X-Host", self.headers["Host"])
        self.send_header("X-Token", self.headers.get("Authorization", "none"))
        self.end_headers()
        self.wfile.write(b'{"version": "1.4.2"}' if self.path != "/big" else b"x" * (2 * probes.BODY_LIMIT))

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with an empty subject, as ACME authorities issue them; certificate and key in one file."""
    directory = tmp_path_factory.mktemp("tls")
    file = directory / "leaf.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/", "-addext", "subjectAltName=critical,DNS:shop.example.test", "-days", "10"]
    files = ["-keyout", str(directory / "key"), "-out", str(directory / "cert")]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    file.write_text((directory / "cert").read_text() + (directory / "key").read_text())
    return file


@pytest.fixture(scope="module")
def tls_port(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as port:
        yield port


def ask_http(port: int, path: str = "/", timeout: float = 5, **given: Any) -> checks.Answer:
    url = f"http://shop.example.test:{port}{path}"
    check = options.Http(**{"name": "shop", "url": url, "connect_to": "127.0.0.1", **given})
    return probes.ask(check, timeout, no_run)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


# --- HTTP


def test_a_page_is_asked_for_by_its_name_at_another_address(port: int) -> None:
    answer = ask_http(port, json={"version": "1.4.2"}, header={"X-Host": f"^shop.example.test:{port}$"})
    assert answer.ok, answer
    assert answer.text.endswith("version = 1.4.2")


def test_a_redirect_is_not_followed(port: int) -> None:
    assert ask_http(port, "/redirect").text == "status 302 to /elsewhere"
    assert ask_http(port, "/redirect", status=[302]).ok


def test_headers_are_sent_and_win_over_our_own(port: int) -> None:
    sent = {"authorization": "Bearer token", "HOST": "other.example.test"}
    assert ask_http(port, headers=sent, header={"X-Token": "^Bearer token$", "X-Host": "^other.example.test$"}).ok


def test_of_a_large_body_one_mebibyte_is_read(port: int) -> None:
    assert ask_http(port, "/big", body_contains="x" * 1000).ok


def test_a_slow_answer_ends_with_the_attempt(port: int) -> None:
    assert ask_http(port, "/slow", timeout=0.1).text == "no answer within 0.1 s"
    assert ask_http(port, "/slow", max_seconds=0.2).text.startswith("took 0.4")


def test_nobody_listening_is_an_answer() -> None:
    assert ask_http(free_port()) == checks.Answer(False, "connection refused")


def test_a_name_that_does_not_resolve_is_an_answer() -> None:
    assert ask_http(80, connect_to="nowhere.invalid").text.startswith("the name does not resolve")


def test_a_path_with_an_umlaut_can_be_asked_for(port: int) -> None:
    assert ask_http(port, "/größe?maß=ü").ok


def test_something_else_than_http_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.recv(4096)
                connected.sendall(b"220 mail ready\r\n\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert ask_http(listening.getsockname()[1]).text == "not an HTTP answer: BadStatusLine"
        thread.join()


# --- TLS


def ask_https(port: int, **given: Any) -> checks.Answer:
    return ask_http(port, url=f"https://shop.example.test:{port}/", **given)


def test_a_page_over_tls_is_trusted_by_a_given_authority(tls_port: int, certificate: Path) -> None:
    answer = ask_https(tls_port, ca_file=str(certificate))
    assert answer.ok, answer


def test_a_page_over_tls_is_not_trusted_without_it(tls_port: int) -> None:
    assert ask_https(tls_port).text.startswith("the certificate is not accepted: self")


def ask_tls(port: int, **given: Any) -> checks.Answer:
    check = options.Tls(**{"name": "certificate", "host": "127.0.0.1", "port": port, **given})
    return probes.ask(check, 5, no_run)


def test_a_certificate_with_an_empty_subject_is_fine(tls_port: int, certificate: Path) -> None:
    answer = ask_tls(tls_port, server_name="shop.example.test", ca_file=str(certificate))
    assert answer.ok, answer
    assert answer.text.endswith("10.0 days left")


def test_a_certificate_that_ends_soon_fails(tls_port: int, certificate: Path) -> None:
    assert not ask_tls(tls_port, server_name="shop.example.test", ca_file=str(certificate), min_days=11).ok


def test_a_certificate_for_another_name_fails(tls_port: int, certificate: Path) -> None:
    answer = ask_tls(tls_port, server_name="crm.example.test", ca_file=str(certificate))
    assert "not valid for 'crm.example.test'" in answer.text


def test_a_port_without_tls_and_a_missing_authority_are_answers(port: int, tmp_path: Path) -> None:
    assert ask_tls(port).text.startswith("no TLS: ")
    assert "cannot be read" in ask_tls(port, ca_file=str(tmp_path / "none")).text


# --- TCP


def test_a_port_that_listens_passes(port: int) -> None:
    assert probes.ask(options.Tcp(name="web", host="127.0.0.1", port=port), 1, no_run).ok
    assert not probes.ask(options.Tcp(name="web", host="127.0.0.1", port=free_port()), 1, no_run).ok


# --- containers


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Mapping[str, str]]:
    """The labels that were asked for, of an engine with one service and one migration."""
    seen: list[Mapping[str, str]] = []

    def containers(_run: Any, labels: Mapping[str, str]) -> list[docker.Container]:
        seen.append(labels)
        one_off = docker.Container("2", "shop-migrate", labels={"com.docker.compose.oneoff": "True"}, state="exited")
        return [docker.Container("1", "shop-web-1", started_at="2026-01-01T00:00:00Z", pid=os.getpid()), one_off]

    monkeypatch.setattr(docker, "containers", containers)
    monkeypatch.setattr(probes, "SLOTS", tmp_path)
    return seen


def test_an_app_is_its_slot_that_serves(asked: list[Mapping[str, str]], tmp_path: Path) -> None:
    check = options.Container(name="containers", app="shop")
    assert probes.ask(check, 1, no_run) == checks.Answer(True, "1 running, healthy: shop-web-1")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "green").touch()
    probes.ask(options.Container(name="containers", labels={"onebox.app": "shop"}), 1, no_run)
    assert asked == [
        {"onebox.app": "shop", "onebox.slot": "blue"},
        {"onebox.app": "shop", "onebox.slot": "green"},
    ]


def test_a_release_can_be_named_instead(asked: list[Mapping[str, str]]) -> None:
    labels = {"onebox.release": "20261121-1"}
    probes.ask(options.Container(name="containers", app="shop", service="web", labels=labels), 1, no_run)
    assert asked == [{"onebox.app": "shop", "onebox.service": "web", "onebox.release": "20261121-1"}]


@pytest.mark.usefixtures("asked")
def test_a_heartbeat_is_read_from_outside_of_the_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / str(os.getpid()) / "root" / "run" / "beat"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(probes, "PROC", tmp_path)
    check = options.Heartbeat(name="worker", app="shop", file="/run/beat", max_age_seconds=30)
    assert probes.ask(check, 1, no_run) == checks.Answer(False, "shop-web-1: no heartbeat")
    file.touch()
    assert probes.ask(check, 1, no_run) == checks.Answer(True, "shop-web-1: 0 s old")
    os.utime(file, (time.time() - 100, time.time() - 100))
    assert probes.ask(check, 1, no_run) == checks.Answer(False, "shop-web-1: 100 s old")


def test_an_engine_that_does_not_answer_is_an_answer() -> None:
    def run(_argv: Sequence[str], **_: Any) -> Result:
        return Result(127, "", "docker cannot be run")

    answer = probes.ask(options.Container(name="containers", app="shop"), 1, run)
    assert not answer.ok
    assert "docker cannot be run" in answer.text


# --- SQL


def test_a_query_reaches_psql_on_standard_input_in_a_read_only_transaction() -> None:
    seen: dict[str, Any] = {}

    def run(argv: Sequence[str], **given: Any) -> Result:
        seen.update(given, argv=" ".join(argv))
        return Result(0, "3\n", "")

    query = "select count(*) from plans -- all"
    check = options.Sql(name="plans", database="shop", query=query, expected="3")
    assert probes.ask(check, 2, run) == checks.Answer(True, "3")
    assert seen["stdin"].startswith(f"{query}\n")
    assert query not in seen["argv"]
    assert "default_transaction_read_only=on -c statement_timeout=2000" in seen["argv"]
