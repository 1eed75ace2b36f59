# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run programs: functions that answer instead of raising, so that tests can stand in for them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOT_FOUND = 127
TIMED_OUT = 124


@dataclass(frozen=True)
class Result:
    """What a program answered."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0


Run = Callable[..., Result]


class ProcessError(Exception):
    """A program ended with an error."""

    def __init__(self, argv: Sequence[str], result: Result) -> None:
        self.argv = tuple(argv)
        self.result = result
        said = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()
        super().__init__(f"{' '.join(argv[:3])} ended with code {result.returncode}: " + "\n".join(said[-20:]))


def check(result: Result, argv: Sequence[str]) -> Result:
    """Return the result of a program that succeeded, raise ProcessError for another."""
    if not result.ok:
        raise ProcessError(argv, result)
    return result


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Result:
    """Run argv and return its answer; env is added to the own environment."""
    pipe = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    streams = {"stdin": pipe, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return _follow(argv, streams, stdin, timeout, env=env, cwd=cwd)


def run_into(
    argv: Sequence[str], log: Path, *, timeout: float | None = None, env: Mapping[str, str] | None = None
) -> Result:
    """Run argv with its output appended to the file log, which goes on growing should the caller be killed."""
    with log.open("ab") as stream:
        begin = stream.tell()
        streams = {"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": subprocess.STDOUT}
        result = _follow(argv, streams, None, timeout, env=env)
    with log.open("rb") as written:
        written.seek(begin)
        return Result(result.returncode, written.read().decode("utf-8", "replace"), result.stderr)


def _follow(
    argv: Sequence[str], streams: dict[str, Any], stdin: str | None, timeout: float | None, **options: Any
) -> Result:
    options["env"] = {**os.environ, **(options["env"] or {})}
    # close_fds=False passes on only what is marked inheritable: a lock, which then lasts as long as the child.
    options |= {"start_new_session": True, "close_fds": False, "encoding": "utf-8", "errors": "replace"}
    try:
        process = subprocess.Popen(list(argv), **streams, **options)  # noqa: S603 - a list, never a shell
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        return Result(NOT_FOUND, "", f"{argv[0]} cannot be run: {error.strerror}: {error.filename}")
    try:
        stdout, stderr = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        stdout, stderr = _end(process)
        return Result(TIMED_OUT, stdout or "", f"{stderr or ''}\nstopped after {timeout:g} s without an end".lstrip())
    except BaseException:  # a signal: nothing that was started may go on alone
        _end(process)
        raise
    return Result(process.returncode, stdout or "", stderr or "")


def _end(process: subprocess.Popen[str], grace: float = 2) -> tuple[str, str]:
    """End the process and all that it started, and return what they had written."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=grace)
    return "", ""
