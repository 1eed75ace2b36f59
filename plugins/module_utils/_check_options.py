# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be checked, and what is wrong with a description of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

SHORTEST_INTERVAL = 0.1  # seconds
PORTS = range(1, 65536)
STATUSES = range(100, 600)


class CheckError(Exception):
    """The description of the checks is wrong; the message names each fault."""


@dataclass(frozen=True)
class Patience:
    """How long to go on asking, how often, and how long one attempt may take, in seconds."""

    deadline: float
    interval: float
    timeout: float


def holding(said: Mapping[str, object]) -> list[str]:
    """The texts whose condition holds."""
    return [text for text, holds in said.items() if holds]


def plain(value: Any) -> str:
    """Write a value so that 5 and "5" are the same: templates turn numbers into text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def address(text: str, port: int) -> tuple[str, int]:
    """Read "ip", "ip:port", "[ip6]" or "[ip6]:port"."""
    if text.count(":") > 1 and not text.startswith("["):
        return text, port
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("no address")
    return parts.hostname, parts.port or port


def without_query(url: str) -> str:
    """A query may hold a token."""
    return url.partition("?")[0]


def _failure(read: Callable[..., object], *given: object) -> str:
    """Why this cannot be read, or an empty text."""
    try:
        read(*given)
    except (ValueError, re.error) as error:
        return str(error)
    return ""


def _port_faults(port: int | None) -> list[str]:
    return [] if port is None or port in PORTS else [f"`port`: {port} is not between 1 and 65535"]


def _url_faults(url: str) -> list[str]:
    if fault := _failure(lambda: urlsplit(url).port):
        return [f"`url`: {fault}"]
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return [f"`url`: {without_query(url)!r} is not an http or https URL"]
    if parts.username is not None:
        return ["`url` holds a user name or password, which belong into `headers` (Authorization)"]
    return _port_faults(parts.port)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What every check has: its name, what a good answer is, and where to look when it does not come."""

    type: ClassVar[str]
    example: ClassVar[str]
    name: str

    def faults(self, _patience: Patience) -> list[str]:
        return []

    def expects(self) -> str:
        raise NotImplementedError

    def look_at(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Http(Check):
    type = "http"
    example = "{name: shop answers, type: http, url: 'https://shop.example.com/health', status: [200]}"
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # sent; may hold a token
    status: Sequence[int] = (200,)
    body_contains: str = ""
    header: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] = field(default_factory=dict)
    max_seconds: float = 0
    connect_to: str = ""
    ca_file: str = ""

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        return self.parts.hostname or ""

    @property
    def port(self) -> int:
        return self.parts.port or (443 if self.parts.scheme == "https" else 80)

    @property
    def target(self) -> tuple[str, int]:
        """Where to connect."""
        return address(self.connect_to, self.port) if self.connect_to else (self.host, self.port)

    @property
    def address(self) -> str:
        """The address to show to people, when a page is expected there."""
        page = any(200 <= status < 300 for status in self.status)  # noqa: PLR2004 - the statuses of success
        return f"{self.parts.scheme}://{self.parts.netloc}/" if page else ""

    def faults(self, patience: Patience) -> list[str]:
        long = f"`max_seconds` {self.max_seconds:g} is more than `timeout_seconds` {patience.timeout:g} of an attempt"
        connect_to = self.connect_to and _failure(address, self.connect_to, 1)
        return [
            *_url_faults(self.url),
            *(f"`status`: {one} is not an HTTP status" for one in self.status if one not in STATUSES),
            *(
                f"`header`: {name}: {regex!r} is not a regular expression ({fault})"
                for name, regex in self.header.items()
                if (fault := _failure(re.compile, regex))
            ),
            *holding(
                {
                    "`max_seconds` must be more than 0": self.max_seconds < 0,
                    f"`connect_to`: {self.connect_to!r} is not ip or ip:port": connect_to,
                    long: self.max_seconds > patience.timeout,
                }
            ),
        ]

    def expects(self) -> str:
        more = [
            *holding({f"a body with {self.body_contains!r}": self.body_contains}),
            *(f"header {name} like {regex!r}" for name, regex in self.header.items()),
            *(f"{path} = {plain(value)}" for path, value in self.json.items()),
            *holding({f"an answer within {self.max_seconds:g} s": self.max_seconds}),
        ]
        answer = f"{self.method} {without_query(self.url)} to answer {' or '.join(map(str, self.status))}"
        return ", ".join([answer, *more])

    def look_at(self) -> str:
        through = f" --connect-to ::{self.connect_to}" if self.connect_to else ""
        return f"curl -v{through} {without_query(self.url)} on the server, and the log of the service and of the proxy"


@dataclass(frozen=True, kw_only=True)
class Tcp(Check):
    type = "tcp"
    example = "{name: ssh listens, type: tcp, host: 127.0.0.1, port: 22}"
    host: str
    port: int

    def faults(self, _patience: Patience) -> list[str]:
        return _port_faults(self.port)

    def expects(self) -> str:
        return f"{self.host}:{self.port} to accept connections"

    def look_at(self) -> str:
        return f"ss -ltnp 'sport = :{self.port}' on {self.host}, and the firewall between"


@dataclass(frozen=True, kw_only=True)
class Tls(Check):
    type = "tls"
    example = "{name: certificate, type: tls, host: shop.example.com, min_days: 7}"
    host: str
    port: int = 443
    server_name: str = ""
    ca_file: str = ""
    min_days: float = 7

    @property
    def asked_name(self) -> str:
        return self.server_name or self.host

    def faults(self, _patience: Patience) -> list[str]:
        return _port_faults(self.port)

    def expects(self) -> str:
        trusted = self.ca_file or "the system's authorities"
        return f"a certificate for {self.asked_name}, trusted by {trusted}, with at least {self.min_days:g} days left"

    def look_at(self) -> str:
        return f"openssl s_client -connect {self.host}:{self.port} -servername {self.asked_name}, and the proxy's log"


@dataclass(frozen=True, kw_only=True)
class Chosen(Check):
    """A check of containers that are chosen by app, by labels or by name."""

    app: str = ""
    service: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    container: str = ""

    @property
    def choice(self) -> str:
        wanted = {"app": self.app, "service": self.service, **self.labels, "container": self.container}
        return ", ".join(f"{key} {value}" for key, value in wanted.items() if value)

    @property
    def wanted(self) -> dict[str, str]:
        """The labels that the containers must have."""
        labels = {"onebox.app": self.app, "onebox.service": self.service, **self.labels}
        return {key: value for key, value in labels.items() if value}

    def faults(self, _patience: Patience) -> list[str]:
        several = self.app or self.labels
        faults = {
            "`container` names one container, so `app` and `labels` cannot be given with it": self.container
            and several,
            "one of `app`, `labels` or `container` is missing": not self.container and not several,
            "`service` needs `app`": self.service and not self.app,
        }
        return holding(faults)[:1]

    def look_at(self) -> str:
        if self.container:
            return f"docker logs --tail 50 {self.container}"
        wanted = " ".join(f"--filter label={key}={value}" for key, value in self.wanted.items())
        return f"docker ps -a {wanted}, and docker logs of what it lists"


@dataclass(frozen=True, kw_only=True)
class Container(Chosen):
    type = "container"
    example = "{name: containers, type: container, app: shop}"
    count: int = 0  # 0: any number, but one at least
    max_restarts: int = 0
    running_seconds: float = 0

    def expects(self) -> str:
        number = f"{self.count} container(s)" if self.count else "every container"
        long = f" for {self.running_seconds:g} s" if self.running_seconds else ""
        return f"{number} of {self.choice} to run{long}, healthy, with at most {self.max_restarts} restarts"


@dataclass(frozen=True, kw_only=True)
class Heartbeat(Chosen):
    type = "heartbeat"
    example = "{name: worker, type: heartbeat, app: shop, service: worker, file: /tmp/heartbeat}"
    file: str
    max_age_seconds: float = 60

    def faults(self, patience: Patience) -> list[str]:
        relative = not self.file.startswith("/")
        return super().faults(patience) + holding({f"`file`: {self.file!r} is not an absolute path": relative})

    def expects(self) -> str:
        return f"{self.file} in every container of {self.choice} to be at most {self.max_age_seconds:g} s old"


@dataclass(frozen=True, kw_only=True)
class Sql(Check):
    type = "sql"
    example = "{name: plans, type: sql, database: shop, query: 'select count(*) from plans', expected: '1'}"
    container: str = "postgres"
    database: str
    query: str = field(repr=False)
    expected: str | None = None
    user: str = "postgres"

    def expects(self) -> str:
        answer = "work" if self.expected is None else f"answer {self.expected!r}"
        return f"the query in database {self.database} to {answer}"

    def look_at(self) -> str:
        return f"docker logs --tail 50 {self.container}"


TYPES: dict[str, type[Check]] = {kind.type: kind for kind in (Http, Tcp, Tls, Container, Heartbeat, Sql)}


def parse(described: Sequence[Mapping[str, Any]], patience: Patience) -> list[Check]:
    """Return the checks, or raise CheckError with all faults of the description at once."""
    given = [{key: value for key, value in one.items() if value is not None} for one in described]
    names = [one.get("name") for one in given]
    faults = holding(
        {
            "deadline_seconds is negative. Example: 60": patience.deadline < 0,
            "interval_seconds must be 0.1 or more. Example: 1": patience.interval < SHORTEST_INTERVAL,
            "timeout_seconds must be more than 0. Example: 10": patience.timeout <= 0,
        }
    )
    for number, (options, name) in enumerate(zip(given, names, strict=True)):
        found = _faults(options, patience)
        found += holding({"another check has this name already": name in names[:number]})
        example = TYPES.get(options.get("type", ""), Http).example
        faults += [f"checks[{number}] ({name}): {one}. Example: {example}" for one in found]
    faults += holding({f"checks is empty. Example: [{Http.example}]": not described})
    if faults:
        raise CheckError("Nothing was asked, the description of the checks is wrong:\n" + "\n".join(faults))
    return [_make(options) for options in given]


def _faults(options: Mapping[str, Any], patience: Patience) -> list[str]:
    name = options.get("type", "")
    if name not in TYPES:
        return [f"`type`: {name!r} is not one of {', '.join(TYPES)}"]
    known = {one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(TYPES[name])}
    faults = [f"`{one}` is missing" for one in holding(known) if options.get(one) in (None, "")]
    faults += [f"`{one}` does not belong to a check of type {name}" for one in options if one not in {*known, "type"}]
    return faults or _make(options).faults(patience)


def _make(options: Mapping[str, Any]) -> Check:
    return TYPES[options["type"]](**{key: value for key, value in options.items() if key != "type"})
