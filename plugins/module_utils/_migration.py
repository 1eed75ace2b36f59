# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The migration of a release: one-shot containers of its own image with its own environment, once."""

from __future__ import annotations

import contextlib
import json
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils import _docker as docker
from ansible_collections.onebox.stack.plugins.module_utils._activation import compose
from ansible_collections.onebox.stack.plugins.module_utils._compose_env import mask
from ansible_collections.onebox.stack.plugins.module_utils._files import read_text_or_none, write_atomically
from ansible_collections.onebox.stack.plugins.module_utils._lock import InterruptedBySignal
from ansible_collections.onebox.stack.plugins.module_utils._process import TIMED_OUT, Result, Run, run, run_into
from ansible_collections.onebox.stack.plugins.module_utils._release import Release, Store, now

SERVICE = "migrate"
_LOG_LINES = 20


class MigrationError(Exception):
    """The migration did not succeed; the message says what happened, how things are, and what to do."""

    def __init__(self, message: str, exit_code: int | None) -> None:
        self.exit_code = exit_code
        super().__init__(message)


@dataclass(frozen=True)
class Commands:
    """What the application brings to migrate with."""

    command: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    timeout_seconds: float = 600

    @property
    def any(self) -> bool:
        return bool(self.command or self.bootstrap)


@dataclass(frozen=True)
class Record:
    """What migration.json keeps."""

    status: str = "none"  # none, running, ok, failed
    before: str = ""
    after: str = ""
    started_at: str = ""
    seconds: float = 0
    exit_code: int | None = None


@dataclass(frozen=True)
class Programs:
    """How programs are run; tests give others."""

    run: Run = run
    run_into: Callable[..., Result] = run_into
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def read_record(store: Store, release_id: str) -> Record:
    """Return what is known of the migration of a release."""
    text = read_text_or_none(store.path(release_id) / "migration.json") if release_id else None
    try:
        return Record(**json.loads(text)) if text else Record()
    except (ValueError, TypeError):
        return Record("failed")


def report(record: Record, store: Store, release_id: str) -> dict[str, Any]:
    """Return the record as a module's answer."""
    return {**asdict(record), "release": release_id, "log": str(store.path(release_id) / "migration.log")}


class Migration:
    """One run of a release's migration."""

    def __init__(self, store: Store, release: Release, commands: Commands, programs: Programs) -> None:
        self.store, self.release, self.commands, self.programs = store, release, commands, programs
        self.log = store.path(release.id) / "migration.log"
        self.name = f"{store.app}-{SERVICE}"
        self.adopted = ""

    def perform(self) -> Record:
        """Run version, command, version, bootstrap; raise MigrationError when one fails."""
        begun = self.programs.clock()
        self.log.touch(0o600)
        record = Record("running", started_at=now())
        self._keep(record)
        try:
            docker.ensure_app_networks(self.programs.run, self.store.app)
            self._clear_name()
            record = replace(record, before=self._version(needed=False))
            self._run("migration", self.commands.command)
            record = replace(record, after=self._version(needed=True))
            self._run("bootstrap", self.commands.bootstrap)
        except (MigrationError, InterruptedBySignal) as error:
            code = getattr(error, "exit_code", None)
            record = replace(record, status="failed", seconds=self._since(begun), exit_code=code)
            self._keep(record)
            self._remember(record, str(error))
            self._remove(self.name)
            if isinstance(error, InterruptedBySignal):
                raise self._failed("migration", f"was {error}", None) from error
            raise
        finally:
            self._hide_secrets()
        record = replace(record, status="ok", seconds=self._since(begun), exit_code=0)
        self._keep(record)
        return record

    def _keep(self, record: Record) -> None:
        write_atomically(self.log.with_suffix(".json"), json.dumps(asdict(record), indent=2) + "\n", 0o600)

    def _remember(self, record: Record, fault: str) -> None:
        """A deploy that ends here belongs into the history too."""
        about = {"by": self.release.created_by, "release": self.release.id, "version": self.release.version}
        how = {"outcome": "failed", "seconds": record.seconds, "detail": fault.splitlines()[0]}
        past = {"at": now(), "action": "migration", "commit": self.release.commit, "previous": self.store.active}
        self.store.append({**past, **about, **how})

    def _since(self, begun: float) -> float:
        return round(self.programs.clock() - begun, 1)

    # --- the containers

    def _argv(self, command: Sequence[str]) -> list[str]:
        """A container of the release's own Compose file: new image and new environment by construction."""
        start = [*compose(self.store, self.release.id, self.name), "run", "--rm", "--no-TTY", "--no-deps"]
        return [*start, "--quiet-pull", "--name", self.name, SERVICE, *command]

    @property
    def _env(self) -> Mapping[str, str]:
        return {"ONEBOX_SLOT": SERVICE, "ONEBOX_RELEASE": self.release.id}

    def _run(self, what: str, command: Sequence[str]) -> None:
        if not command:
            return
        self._head(f"{what}: {' '.join(command)}")
        limit = self.commands.timeout_seconds
        result = self.programs.run_into(self._argv(command), self.log, timeout=limit, env=self._env)
        if result.returncode == TIMED_OUT:
            self._remove(self.name)
            raise self._failed(what, f"did not end within {limit:g} s (timeout_seconds) and was killed", TIMED_OUT)
        if not result.ok:
            raise self._failed(what, f"ended with code {result.returncode}", result.returncode)

    def _version(self, *, needed: bool) -> str:
        """Ask for the schema version; before the first migration there may be none."""
        if not self.commands.version:
            return ""
        result = self.programs.run(self._argv(self.commands.version), timeout=60, env=self._env)
        if result.ok:
            return (result.stdout.strip().splitlines() or [""])[-1].strip()
        self._remove(self.name)
        if needed:
            self._head(f"version: {' '.join(self.commands.version)}\n{result.stdout}{result.stderr}")
            raise self._failed("version command", f"ended with code {result.returncode}", result.returncode)
        return ""

    def _clear_name(self) -> None:
        """Wait for a migration whose controller is gone, so that no two run at a time; remove what has ended."""
        end = self.programs.clock() + self.commands.timeout_seconds
        while found := docker.inspect(self.programs.run, [self.name]):
            if not found[0].running:
                self._remove(found[0].id)
                return
            if not self.adopted:
                self.adopted = f"A migration of a run that is gone was still running ({self.name}); it was waited for."
                self._head(self.adopted)
            if self.programs.clock() > end:
                self._remove(found[0].id)
                limit = self.commands.timeout_seconds
                raise self._failed("migration", f"of a run that is gone did not end within {limit:g} s", TIMED_OUT)
            self.programs.sleep(1)

    def _remove(self, name: str) -> None:
        """Kill and remove a container; it may be gone already, or not exist yet."""
        self.programs.run(["docker", "rm", "--force", "--volumes", name], timeout=60)

    # --- log and errors

    def _head(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(f"=== {now()} {text.rstrip()}\n")

    def _hide_secrets(self) -> None:
        """Have no secret that a tool printed stay in the log."""
        with contextlib.suppress(OSError):
            text = self.log.read_text(encoding="utf-8", errors="replace")
            hidden = mask(text, self.store.secrets_of(self.release))
            if hidden != text:
                write_atomically(self.log, hidden, 0o600)

    def _failed(self, what: str, how: str, exit_code: int | None) -> MigrationError:
        """Say what happened, with the lines that matter."""
        text = mask(self.log.read_text(encoding="utf-8", errors="replace"), self.store.secrets_of(self.release))
        active = self.store.active
        serves = f"Release {active} still serves and was not touched" if active else "No release serves yet"
        return MigrationError(
            f"The {what} of release {self.release.id} of {self.store.app} {how}.\nLast lines of {self.log}:\n"
            + textwrap.indent("\n".join(text.splitlines()[-_LOG_LINES:]), "  ")
            + f"\n{serves}; no service of the new one was started. The database is as the migration left it. "
            "Mend the cause and deploy again: the migration then runs again.",
            exit_code,
        )
