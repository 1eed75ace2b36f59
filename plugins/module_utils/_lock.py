# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lock that knows its owner and vanishes with it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType

ORPHAN_SECONDS = 90.0


class LockError(Exception):
    """Somebody else holds the lock."""


class InterruptedBySignal(Exception):  # noqa: N818 - it is not an error of the program
    """The process was told to end."""


@contextlib.contextmanager
def lock(path: Path, who: str, reason: str, *, inherit: bool = False) -> Iterator[None]:
    """Hold the lock; with inherit, started programs hold it too, so that no orphan works beside a new owner."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path)
        at = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
        owner = {"who": who, "pid": os.getpid(), "host": socket.gethostname(), "at": at, "reason": reason}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        os.set_inheritable(descriptor, inherit)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path) -> None:
    """Take the lock; when its owner is dead, wait until the last program that it had started has ended."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while not _free(descriptor):
        owner = _owner(path)
        if _alive(owner.get("pid", 0)) or time.monotonic() > deadline:
            raise LockError(_refusal(path, owner))
        time.sleep(0.2)


def _free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(path: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _alive(pid: object) -> bool:
    return isinstance(pid, int) and pid > 0 and Path(f"/proc/{pid}").exists()


def _refusal(path: Path, owner: dict[str, object]) -> str:
    who = "{who} (process {pid} on {host}) since {at}: {reason}".format_map(
        {"who": "somebody", "pid": "?", "host": "?", "at": "?", "reason": "?", **owner}
    )
    return (
        f"The lock {path} is held by {who}. Nothing was changed. Wait until that run has ended and run again; "
        "the lock goes with its owner, nothing has to be removed."
    )


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Turn the signals that end a process into an exception, once, so that work can be taken back."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise InterruptedBySignal(f"stopped by {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
