# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a systemd unit needs so that it runs, starts at boot, and has read its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils._process import Run

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "InvocationID",
    "ActiveEnterTimestampMonotonic",
)
SECONDS = 300  # longer than systemd's own limit for a start
LOG_LINES = 20
VERBS = {"restarted": "restart", "reloaded": "reload"}


class UnitError(Exception):
    """The unit is not as wanted; the message says why and what to do."""


@dataclass(frozen=True)
class Unit:
    """A unit as systemd describes it; the default is one that does not exist."""

    loaded: str = "not-found"  # loaded, not-found, masked, bad-setting, error
    active: str = "inactive"  # active, reloading, inactive, failed, activating, deactivating
    enabled: str = ""  # enabled, disabled, static, ...
    stale: bool = False  # its file on disk is not the one that systemd has read
    invocation: str = ""  # another one at each start
    active_since: float = 0  # seconds on the clock that starts at boot

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading")


@dataclass(frozen=True)
class Mark:
    """The configuration (as a fingerprint) that a start (by its invocation) of the unit has read."""

    invocation: str = ""
    config: str = ""

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> Mark:
        return cls(str(known.get("invocation", "")), str(known.get("config", "")))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Config:
    """The configuration files: a fingerprint of what they hold, and when the last of them changed."""

    fingerprint: str
    changed_at: float  # on the same clock as Unit.active_since


def parse(shown: str) -> Unit:
    """Read the output of `systemctl show`."""
    value = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return Unit(
        loaded=value.get("LoadState", "not-found"),
        active=value.get("ActiveState", "inactive"),
        enabled=value.get("UnitFileState", ""),
        stale=value.get("NeedDaemonReload") == "yes",
        invocation=value.get("InvocationID", ""),
        active_since=int(value.get("ActiveEnterTimestampMonotonic") or 0) / 1e6,
    )


def outdated(unit: Unit, config: Config, mark: Mark) -> bool:
    """Tell whether the running unit may have read another configuration than the one on disk."""
    if mark.invocation == unit.invocation:
        return mark.config != config.fingerprint
    # Started by somebody else since: it has read what was there then.
    return config.changed_at >= unit.active_since


def plan(unit: Unit, config: Config, mark: Mark, action: str) -> tuple[str, ...]:
    """Return the verbs of systemctl that are needed, in order."""
    verbs = []
    if unit.stale:
        verbs.append("daemon-reload")
    if unit.enabled == "disabled" or unit.loaded == "not-found":
        verbs.append("enable")
    if not unit.running:
        verbs += ["reset-failed", "start"] if unit.active == "failed" else ["start"]
    elif unit.stale or outdated(unit, config, mark):
        # A reload does not read the unit's own file again.
        verbs.append("restart" if unit.stale else VERBS[action])
    return tuple(verbs)


def read(run: Run, name: str) -> Unit:
    """Ask systemd for a unit; raises UnitError when there is no systemd."""
    answer = run(["systemctl", "show", name, f"--property={','.join(PROPERTIES)}"], timeout=30)
    if not answer.ok:
        said = (answer.stderr or answer.stdout).strip()
        raise UnitError(f"systemd does not answer for {name}: {said}. The server must have been booted with systemd.")
    return parse(answer.stdout)


def refuse(name: str, unit: Unit) -> None:
    """Raise UnitError for a unit that cannot be started."""
    if unit.loaded == "not-found":
        raise UnitError(
            f"there is no unit {name}; nothing was changed. Install what brings it, or correct `name`, e.g. docker"
        )
    if unit.loaded == "masked":
        raise UnitError(f"{name} is masked; nothing was changed. If it is to run, allow it: systemctl unmask {name}")
    if unit.loaded != "loaded":
        raise UnitError(
            f"systemd cannot read the unit {name} ({unit.loaded}). See what it says: systemctl status {name}"
        )


def argv(verb: str, name: str) -> list[str]:
    """The command of a verb."""
    return ["systemctl", verb] if verb == "daemon-reload" else ["systemctl", verb, name]


def write(run: Run, name: str, verbs: Sequence[str]) -> Unit:
    """Carry the plan out and return the unit as it then is; raises UnitError with its last log lines."""
    for verb in verbs:
        answer = run(argv(verb, name), timeout=SECONDS)
        if not answer.ok:
            raise UnitError(failure(run, name, verb, answer.stderr or answer.stdout))
    unit = read(run, name)
    if not unit.running:
        raise UnitError(failure(run, name, verbs[-1], f"the unit is {unit.active}"))
    return unit


def failure(run: Run, name: str, verb: str, said: str) -> str:
    """Say what failed, how the unit is now, what it wrote last, and what to do."""
    log = run(["journalctl", "--unit", name, "--lines", str(LOG_LINES), "--no-pager", "--output", "cat"], timeout=30)
    reply = run(["systemctl", "is-active", name], timeout=30).stdout.strip()
    state = f"{name} is now {reply or 'in an unknown state'}"
    if verb == "reload" and reply == "active":
        state += " and goes on with the old configuration"
    first = next(iter(said.strip().splitlines()), "it said nothing").rstrip(".")
    return (
        f"systemctl {verb} {name} failed: {first}. {state}. Mend what its log names and run again; "
        f"the {verb} is then made up for. Last lines of its log:\n{log.stdout.rstrip()}"
    )
