# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask what a health check wants to know: over the network, of the container engine, of the database.

Only the standard library: the server needs no package for it.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.onebox.stack.plugins.module_utils import _docker
from ansible_collections.onebox.stack.plugins.module_utils._check_options import (
    Check,
    Chosen,
    Container,
    Heartbeat,
    Http,
    Sql,
    Tcp,
    Tls,
)
from ansible_collections.onebox.stack.plugins.module_utils._checks import (
    Answer,
    Reply,
    judge_containers,
    judge_heartbeats,
    judge_http,
    judge_sql,
    judge_tls,
    shorten,
)
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container as Found
from ansible_collections.onebox.stack.plugins.module_utils._process import ProcessError, Run

BODY_LIMIT = 1024 * 1024
SLOTS = Path("/opt/onebox/proxy/slots")
PROC = Path("/proc")
FAILURES = (OSError, http.client.HTTPException, ProcessError)


def ask(check: Check, timeout: float, run: Run) -> Answer:
    """Make one attempt; whatever goes wrong on the way is an answer too."""
    try:
        return _ASK[type(check)](check, timeout, run)
    except FAILURES as error:
        return Answer(False, shorten(describe(error, timeout)))


def describe(error: Exception, timeout: float) -> str:
    """Say in plain words why there was no answer."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:.3g} s"
    said = next((say(error) for kind, say in _SAID if isinstance(error, kind)), "")
    return said or getattr(error, "strerror", None) or str(error) or type(error).__name__


# The first that fits; the special kinds stand before those that they belong to.
_SAID: tuple[tuple[type[Exception], Callable[[Any], str]], ...] = (
    (ssl.SSLCertVerificationError, lambda error: f"the certificate is not accepted: {error.verify_message}"),
    (ssl.SSLError, lambda error: f"no TLS: {error.reason or error}"),
    (socket.gaierror, lambda error: f"the name does not resolve: {error.strerror}"),
    (ConnectionError, lambda error: (error.strerror or "connection closed without an answer").lower()),
    (http.client.HTTPException, lambda error: f"not an HTTP answer: {type(error).__name__}"),
)


# --- over the network -----------------------------------------------------------------------------------------------


def _http(check: Http, timeout: float, _run: Run) -> Answer:
    start = time.monotonic()
    with socket.create_connection(check.target, timeout) as plain, _secured(check, plain) as connected:
        connection = http.client.HTTPConnection(check.host, check.port, timeout=timeout)
        connection.sock = connected  # the host of the URL, reached where connect_to says
        path = (check.parts.path or "/") + (f"?{check.parts.query}" if check.parts.query else "")
        headers = {"Host": check.parts.netloc, "User-Agent": "onebox-health-check", "Connection": "close"}
        connection.request(check.method, request_target(path), headers=_merge(headers, check.headers))
        response = connection.getresponse()
        body = _body(response, start + timeout)
        sent = {name.lower(): value for name, value in response.getheaders()}
    return judge_http(check, Reply(response.status, sent, body, time.monotonic() - start))


def request_target(path: str) -> str:
    """Return a path as it is sent: what HTTP does not take, such as an umlaut, as %xx."""
    return quote(path, safe="/?:@!$&'()*+,;=%~")


def _merge(own: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Given headers win, whatever the case of their names."""
    names = {name.lower() for name in given}
    return {
        **{name: value for name, value in own.items() if name.lower() not in names},
        **{name: str(value) for name, value in given.items()},
    }


def _secured(check: Http, plain: socket.socket) -> socket.socket:
    if check.parts.scheme == "http":
        return plain
    return _trusting(check.ca_file).wrap_socket(plain, server_hostname=check.host)


def _trusting(ca_file: str) -> ssl.SSLContext:
    """Trust the given authorities only, or else those of the system."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise OSError(f"ca_file {ca_file} cannot be read: {getattr(error, 'strerror', error)}") from error


def _body(response: http.client.HTTPResponse, end: float) -> str:
    """Read a bounded part of the body in bounded time: a drip of bytes does not hold the check."""
    parts: list[bytes] = []
    size = 0
    while size < BODY_LIMIT and (part := response.read1(min(65536, BODY_LIMIT - size))):
        parts.append(part)
        size += len(part)
        if time.monotonic() > end:
            raise TimeoutError
    return b"".join(parts).decode("utf-8", "replace")


def _tcp(check: Tcp, timeout: float, _run: Run) -> Answer:
    start = time.monotonic()
    with socket.create_connection((check.host, check.port), timeout):
        return Answer(True, f"accepts connections, {time.monotonic() - start:.3f} s")


def _tls(check: Tls, timeout: float, _run: Run) -> Answer:
    with (
        socket.create_connection((check.host, check.port), timeout) as plain,
        _trusting(check.ca_file).wrap_socket(plain, server_hostname=check.asked_name) as secured,
    ):
        # Chain and name (of the subject alternative names: the subject may be empty) are verified by now.
        leaf = secured.getpeercert() or {}
    return judge_tls(check, ssl.cert_time_to_seconds(str(leaf["notAfter"])), time.time())


# --- of the container engine ----------------------------------------------------------------------------------------


def _containers(check: Container, _timeout: float, run: Run) -> Answer:
    return judge_containers(check, chosen(check, run), time.time())


def _heartbeat(check: Heartbeat, _timeout: float, run: Run) -> Answer:
    return judge_heartbeats(check, {one.name: beat_age(one, check.file) for one in chosen(check, run)})


def chosen(check: Chosen, run: Run) -> list[Found]:
    """Return the containers of a check; of an app those of the slot that serves, for the other one is kept stopped."""
    if check.container:
        return _docker.inspect(run, [check.container])
    wanted = check.wanted
    app = wanted.get("onebox.app")
    if app and not {"onebox.slot", "onebox.release"} & wanted.keys():
        wanted["onebox.slot"] = "green" if (SLOTS / app / "green").exists() else "blue"
    # One-off containers (a migration, a job) come and go beside the services.
    return [one for one in _docker.containers(run, wanted) if one.labels.get("com.docker.compose.oneoff") != "True"]


def beat_age(container: Found, file: str) -> float | None:
    """Seconds since the file was written, seen from the server so that the image needs no tool for it."""
    if not container.running or not container.pid:
        return None
    try:
        # Not through links: an absolute one would lead out of the container.
        return time.time() - os.lstat(PROC / str(container.pid) / "root" / file.lstrip("/")).st_mtime
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return None


# --- of the database ------------------------------------------------------------------------------------------------


def _sql(check: Sql, timeout: float, run: Run) -> Answer:
    limits = f"-c default_transaction_read_only=on -c statement_timeout={int(timeout * 1000)}"
    client = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", check.database]
    argv = ["docker", "exec", "-i", "-u", check.user, "-e", f"PGOPTIONS={limits}", check.container, *client]
    return judge_sql(check, run(argv, stdin=f"{check.query}\n;\n", timeout=timeout + 1))


_ASK: Mapping[type[Check], Callable[..., Answer]] = {
    Http: _http,
    Tcp: _tcp,
    Tls: _tls,
    Container: _containers,
    Heartbeat: _heartbeat,
    Sql: _sql,
}
