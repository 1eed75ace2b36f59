# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the answer to a health check is judged, how long to wait for a good one, and what is said of it.

Nothing here asks anybody; that is in _probes. So every judgement is tested in milliseconds.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from threading import Semaphore
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils._check_options import (
    Check,
    Container,
    Heartbeat,
    Http,
    Patience,
    Sql,
    Tls,
    holding,
    plain,
    without_query,
)
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container as Found
from ansible_collections.onebox.stack.plugins.module_utils._process import Result

SHOWN = 200  # characters of an answer: enough to recognise it, too few to dump a page
AT_ONCE = 8  # attempts
LEAST_ATTEMPT = 1  # seconds, for the attempt at the deadline


@dataclass(frozen=True)
class Answer:
    """What one attempt found; `ok` is None when there was no attempt."""

    ok: bool | None
    text: str


@dataclass(frozen=True)
class Reply:
    """What an HTTP server said; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str
    seconds: float


def judge_http(check: Http, reply: Reply) -> Answer:
    """Compare a reply with all that is expected of it."""
    values = json_values(reply.body, check.json)
    if wrong := "; ".join(_http_faults(check, reply, values)):
        return Answer(False, shorten(wrong))
    said = "".join(f", {path} = {value}" for path, value in values.items())
    return Answer(True, shorten(f"{reply.status} in {reply.seconds:.2f} s{said}"))


def _http_faults(check: Http, reply: Reply, values: Mapping[str, str | None]) -> Iterator[str]:
    if reply.status not in check.status:
        location = without_query(reply.headers.get("location", ""))
        yield f"status {reply.status}" + (f" to {location}" if location else f", body {_start(reply.body)}")
    if check.body_contains not in reply.body:
        yield f"status {reply.status}, another body: {_start(reply.body)}"
    for name, regex in check.header.items():
        sent = reply.headers.get(name.lower())
        if sent is None:
            yield f"no header {name}"
        elif not re.search(regex, sent):
            yield f"header {name} is {_start(sent)}"
    for path, value in values.items():
        if value is None:
            yield f"no JSON value {path}"
        elif value != plain(check.json[path]):
            yield f"{path} is {_start(value)}"
    if 0 < check.max_seconds < reply.seconds:
        yield f"took {reply.seconds:.2f} s"


def json_values(body: str, paths: Collection[str]) -> dict[str, str | None]:
    """The value at each path of a JSON document as text, None where there is none."""
    try:
        document = json.loads(body) if paths else None
    except (ValueError, RecursionError):
        document = None
    return {path: _json_value(document, path) for path in paths}


def _json_value(document: Any, path: str) -> str | None:
    """Follow a path like "services.0.name" through objects and lists."""
    for step in path.split("."):
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return plain(document)


def judge_tls(check: Tls, not_after: float, now: float) -> Answer:
    """Judge the days left; name and chain were verified in the handshake."""
    days = (not_after - now) / 86400
    until = datetime.fromtimestamp(not_after, timezone.utc).date()
    return Answer(days >= check.min_days, f"valid until {until}, {days:.1f} days left")


def judge_containers(check: Container, found: Sequence[Found], now: float) -> Answer:
    """Every container must be well; how many there must be is known only with `count`."""
    faults = [f"{one.name} {fault}" for one in found for fault in _container_faults(check, one, now)]
    if not found or (check.count and len(found) != check.count):
        faults.insert(0, f"{len(found)} containers")
    names = ", ".join(one.name for one in found)
    return Answer(not faults, shorten("; ".join(faults) or f"{len(found)} running, healthy: {names}"))


def _container_faults(check: Container, one: Found, now: float) -> list[str]:
    if not one.running:
        memory = ", out of memory" if one.out_of_memory else ""
        return [f"is {one.state} (exit code {one.exit_code}{memory}, {one.restart_count} restarts)"]
    age = now - started(one.started_at)
    return holding(
        {
            f"is {one.health}": not one.well,
            f"was restarted {one.restart_count} times": one.restart_count > check.max_restarts,
            f"has run for {age:.0f} s only": check.running_seconds > max(age, 0),
        }
    )


def started(moment: str) -> float:
    """Read the engine's time, "2026-11-21T07:06:05.123456789Z"; nanoseconds are more than Python 3.10 reads."""
    whole = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", moment)
    return datetime.fromisoformat(whole[0] + "+00:00").timestamp() if whole else 0


def judge_heartbeats(check: Heartbeat, ages: Mapping[str, float | None]) -> Answer:
    """Judge the age of the file by container; None means that there is no such file, or the container is down."""
    old = {name: age for name, age in ages.items() if age is None or age > check.max_age_seconds}
    if not ages:
        return Answer(False, "no container")
    said = "; ".join(f"{name}: {_age(age)}" for name, age in (old or ages).items())
    return Answer(not old, shorten(said))


def _age(age: float | None) -> str:
    return "no heartbeat" if age is None else f"{max(age, 0):.0f} s old"


def judge_sql(check: Sql, result: Result) -> Answer:
    """Compare what psql printed, unaligned and without headings, with what is expected."""
    said = result.stdout.strip()
    if not result.ok:
        return Answer(False, shorten(result.stderr.strip() or f"psql ended with code {result.returncode}"))
    return Answer(check.expected is None or said == check.expected.strip(), shorten(said or "no rows"))


def shorten(text: str) -> str:
    """One line of at most SHOWN characters."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _start(text: str) -> str:
    return repr(shorten(text[:80]))


@dataclass(frozen=True)
class Outcome:
    """What became of a check: its last answer, how often it was asked, and when that was settled."""

    check: Check
    answer: Answer
    attempts: int = 0
    seconds: float = 0

    def report(self) -> dict[str, Any]:
        return {
            "name": self.check.name,
            "type": self.check.type,
            "ok": self.answer.ok,
            "skipped": self.answer.ok is None,
            "answer": self.answer.text,
            "seconds": round(self.seconds, 2),
            "attempts": self.attempts,
            "address": getattr(self.check, "address", ""),
        }


Ask = Callable[[Check, float], Answer]  # a check and the seconds that the attempt may take


def wait(
    checks: Sequence[Check],
    ask: Ask,
    patience: Patience,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Outcome]:
    """Ask each check until it passes or the shared deadline is over, each beside the others, and at least once."""
    start = clock()
    turns = Semaphore(AT_ONCE)

    def settle(check: Check) -> Outcome:
        attempts = 0
        while True:
            with turns:
                remaining = start + patience.deadline - clock()
                answer = ask(check, min(patience.timeout, max(remaining, LEAST_ATTEMPT)))
            attempts += 1
            remaining = start + patience.deadline - clock()
            if answer.ok or remaining <= 0:
                return Outcome(check, answer, attempts, clock() - start)
            sleep(min(patience.interval, remaining))

    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        return list(pool.map(settle, checks))


def skipped(check: Check) -> dict[str, Any]:
    """Report a check that was not asked, because in check mode there may be nothing yet to ask."""
    return Outcome(check, Answer(None, f"skipped in check mode: a run would expect {check.expects()}")).report()


def failure(outcomes: Sequence[Outcome]) -> str:
    """Say which checks failed, one line each."""
    failed = [outcome for outcome in outcomes if not outcome.answer.ok]
    lines = [
        f"{one.check.name}: expected {one.check.expects()}; last answer: {one.answer.text}"
        f" (failing for {one.seconds:.0f} s, {one.attempts} attempts); look at: {one.check.look_at()}"
        for one in failed
    ]
    return "\n".join([f"{len(failed)} of {len(outcomes)} health checks failed, nothing was changed by asking.", *lines])
