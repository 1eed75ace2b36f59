# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run looks like in text: its parts, its failures, and what came of it. Nothing here needs Ansible."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TAIL = 20  # lines of a program's output below a failure
HEALTH_CHECK = "onebox.stack.health_check"
RELEASE = "onebox.stack.release"
BAD = ("failed", "unreachable", "rescued", "ignored")
LOCAL = re.compile(r"localhost$|127\.|::1$")


def seconds(number: float) -> str:
    """Write a time for people: 14.2 s, 3 min 20 s."""
    if number < 100:  # noqa: PLR2004 - beyond that, minutes are easier to read
        return f"{number:.1f} s"
    return f"{int(number) // 60} min {int(number) % 60:02} s"


@dataclass
class Part:
    """One play, and what came of its tasks so far."""

    name: str
    position: str  # among the plays: 2/5
    check_mode: bool
    started: float
    tasks: int = 0
    results: Counter[str] = field(default_factory=Counter)
    announced: bool = False
    seconds: float = 0

    @property
    def title(self) -> str:
        return f"[{self.position}] {self.name}{' (check mode)' if self.check_mode else ''}"

    @property
    def verb(self) -> str:
        return "would change" if self.check_mode else "changed"

    def result(self) -> str:
        """The line that ends the part."""
        counts = [f"{self.results['changed']} {self.verb}", f"{self.results['unchanged']} unchanged"]
        counts += [f"{self.results[kind]} {kind}" for kind in BAD if self.results[kind]]
        return f"{self.title} … {', '.join(counts)}, {seconds(self.seconds)}"


def loop_note(result: Mapping[str, Any]) -> str:
    """Say how many items of a loop changed."""
    items = result.get("results")
    if not isinstance(items, list):
        return ""
    changed = sum(1 for item in items if isinstance(item, Mapping) and item.get("changed"))
    return f" ({changed} of {len(items)} items)"


def failure_lines(result: Mapping[str, Any]) -> list[str]:
    """What a person needs of a failed result: its message as it is, and the end of what the program wrote."""
    if "censored" in result:
        return [str(result["censored"])]
    lines = str(result.get("msg") or result.get("reason") or "").splitlines()
    if "assertion" in result:
        lines.append(f"assertion: {result['assertion']}")
    if "cmd" in result:
        command = result["cmd"]
        lines.append(f"command: {command if isinstance(command, str) else ' '.join(map(str, command))}")
    for key in ("module_stderr", "stderr", "module_stdout", "stdout"):
        written = str(result.get(key) or "").strip().splitlines()
        if written:
            last = f" (last {TAIL} lines)" if len(written) > TAIL else ""
            return [*lines, f"{key.removeprefix('module_')}{last}:", *(f"  {line}" for line in written[-TAIL:])]
    return lines


@dataclass
class Findings:
    """What the summary is made of, gathered on the way; checks and releases by host and name."""

    parts: list[Part] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    checks: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    releases: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def note(self, action: str, host: str, result: Mapping[str, Any]) -> None:
        """Remember health checks and releases; of a name that comes twice, the last."""
        if action not in (HEALTH_CHECK, RELEASE):
            return
        for one in result.get("results") or [result]:
            self.checks |= {(host, str(check["name"])): check for check in one.get("checks") or ()}
            asked = {"app": "", "state": "active", **((one.get("invocation") or {}).get("module_args") or {})}
            if asked["state"] == "active" and one.get("release") and not one.get("failed"):
                self.releases[host, str(asked["app"])] = one["release"]

    def summary(self, total: float) -> list[str]:
        """The block at the end: a word at the left, what belongs to it beside it."""
        times = [*((part.name, part.seconds) for part in self.parts if part.tasks), ("total", total)]
        dry = [part.results["changed"] for part in self.parts if part.check_mode]
        would_change = f"{sum(dry)} task{'s' * (sum(dry) > 1)}" if any(dry) else "nothing"
        blocks = {
            "Addresses": addresses(self.checks.values()),
            "Release": [release_line(app, one) + self._on(host) for (host, app), one in self.releases.items()],
            "Checks": check_lines({name + self._on(host): one for (host, name), one in self.checks.items()}),
            "Time": aligned([(name, seconds(spent)) for name, spent in times]),
            "Check mode": [f"{would_change} would change"] if dry else [],
        }
        return [
            f"{'' if number else word:10}  {line}".rstrip()
            for word, lines in blocks.items()
            for number, line in enumerate(lines)
        ]

    def _on(self, host: str) -> str:
        """Where something was found, when that is not clear."""
        return f"  [{host}]" if len(self.hosts) > 1 else ""


def addresses(checks: Collection[Mapping[str, Any]]) -> list[str]:
    """The addresses that were asked and that others can reach, each once."""
    found = dict.fromkeys(str(check.get("address") or "") for check in checks)
    return [one for one in found if one and not LOCAL.match(urlsplit(one).hostname or "")]


def release_line(app: str, release: Mapping[str, Any]) -> str:
    """One line about a release that was made active."""
    facts = [f"{key} {release[key]}" for key in ("version", "commit", "slot") if release.get(key)]
    return ", ".join([f"{app} {release['id']}".lstrip(), *facts])


def check_lines(checks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The number of checks that passed, then each with its answer; what was skipped is said aloud."""
    states = ["skipped" if check.get("skipped") else "ok" if check.get("ok") else "FAILED" for check in checks.values()]
    number = Counter(states)
    more = [f", {number[state]} {state}" for state in ("FAILED", "skipped") if number[state]]
    rows = zip(states, aligned([(name, check.get("answer", "")) for name, check in checks.items()]), strict=True)
    head = [f"{number['ok']} of {len(checks)} passed{''.join(more)}"] if checks else []
    return head + [f"  {state:7}  {row}" for state, row in rows]


def aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Two columns."""
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:{width}}  {text}" for name, text in rows]
