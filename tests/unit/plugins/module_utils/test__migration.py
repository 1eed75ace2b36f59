"""Migrations over a pretended engine."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._lock import InterruptedBySignal
from ansible_collections.onebox.stack.plugins.module_utils._migration import (
    Commands,
    Migration,
    MigrationError,
    Programs,
    read_record,
)
from ansible_collections.onebox.stack.plugins.module_utils._process import TIMED_OUT, Result
from ansible_collections.onebox.stack.plugins.module_utils._release import Content, Release, Store

RELEASE = Release("v1", "shop", "v1", secret_names=("TOKEN",), created_by="ada")
ALL = Commands(("migrate",), ("bootstrap",), ("version",), 600)


@dataclass
class World:
    """An engine that knows the answers to the application's commands."""

    answers: dict[str, Result] = field(default_factory=dict)
    leftover: list[str] = field(default_factory=list)  # states of a container of an earlier run, one per look
    asked: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    argv: list[str] = field(default_factory=list)
    time: float = 0

    def run(self, argv: list[str], **_: Any) -> Result:
        if argv[:3] == ["docker", "container", "inspect"]:
            states = [self.leftover.pop(0)] if self.leftover else []
            return Result(0, json.dumps([described(state) for state in states]), "")
        if argv[1] == "network":
            return Result(0, "onebox_edge\nonebox_shop\n", "")
        if argv[1] == "rm":
            self.removed.append(argv[-1])
            self.leftover.clear()
            return Result(0, "", "")
        self.argv = argv
        self.asked.append(argv[-1])
        return self.answers.get(argv[-1], Result(0, f"noise\n{len(self.asked)}\n", ""))

    def run_into(self, argv: list[str], log: Path, **options: Any) -> Result:
        result = self.run(argv, **options)
        with log.open("a") as stream:
            stream.write(result.stdout)
        return result

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def programs(self) -> Programs:
        return Programs(self.run, self.run_into, lambda: self.time, self.sleep)


def described(state: str) -> dict[str, Any]:
    return {"Id": "left", "Name": "/shop-migrate", "Config": {}, "State": {"Status": state}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path, "shop")
    store.create()
    store.write(RELEASE, Content("", {}, {}, {"TOKEN": "hunter2"}, (), {}))
    return store


def migrate(store: Store, world: World, commands: Commands = ALL) -> Migration:
    migration = Migration(store, RELEASE, commands, world.programs())
    migration.perform()
    return migration


def test_the_commands_run_in_order_and_the_schema_versions_are_recorded(store: Store) -> None:
    world = World()
    migrate(store, world)
    assert world.asked == ["version", "migrate", "version", "bootstrap"]
    record = read_record(store, "v1")
    assert (record.status, record.before, record.after, record.exit_code) == ("ok", "1", "3", 0)


def test_the_container_is_the_releases_own(store: Store) -> None:
    world = World()
    migrate(store, world)
    directory = str(store.path("v1"))
    compose = ["docker", "compose", "-p", "shop-migrate", "--project-directory", directory]
    assert world.argv[:6] == compose
    assert world.argv[6:8] == ["-f", f"{directory}/compose.yaml"]
    assert world.argv[-3:] == ["shop-migrate", "migrate", "bootstrap"]


def test_a_failed_migration_shows_its_last_lines_without_secrets_and_is_recorded(store: Store) -> None:
    lines = "".join(f"line {number}\n" for number in range(30))
    world = World({"migrate": Result(7, f"{lines}cannot use hunter2\n", "")})
    with pytest.raises(MigrationError, match="The migration of release v1 of shop ended with code 7") as error:
        migrate(store, world)
    text = str(error.value)
    assert "cannot use ********" in text
    assert "line 29" in text
    assert "line 3\n" not in text
    assert "No release serves yet" in text
    assert "hunter2" not in (store.path("v1") / "migration.log").read_text()
    assert read_record(store, "v1").status == "failed"
    assert read_record(store, "v1").exit_code == 7
    assert store.history()[-1]["action"] == "migration"
    assert "bootstrap" not in world.asked


def test_a_failed_bootstrap_is_a_failed_migration(store: Store) -> None:
    with pytest.raises(MigrationError, match="The bootstrap of release v1"):
        migrate(store, World({"bootstrap": Result(1, "", "")}))
    assert read_record(store, "v1").status == "failed"


def test_a_migration_that_hangs_is_killed(store: Store) -> None:
    world = World({"migrate": Result(TIMED_OUT, "", "")})
    with pytest.raises(MigrationError, match=r"did not end within 600 s \(timeout_seconds\) and was killed"):
        migrate(store, world)
    assert "shop-migrate" in world.removed


def test_an_unknown_version_before_the_first_migration_is_no_fault_but_one_after_it_is(store: Store) -> None:
    with pytest.raises(MigrationError, match="The version command of release v1 of shop ended with code 1"):
        migrate(store, World({"version": Result(1, "", "no table")}))
    assert "no table" in (store.path("v1") / "migration.log").read_text()


def test_a_migration_whose_controller_is_gone_is_waited_for(store: Store) -> None:
    world = World(leftover=["running", "running", "exited"])
    assert "was still running" in migrate(store, world).adopted
    assert world.time == 2
    assert world.removed == ["left"]
    assert "migrate" in world.asked


def test_a_migration_whose_controller_is_gone_is_not_waited_for_for_ever(store: Store) -> None:
    with pytest.raises(MigrationError, match="of a run that is gone did not end within 600 s"):
        migrate(store, World(leftover=["running"] * 700))


def test_a_signal_removes_the_container_and_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def stopped(*_: Any, **__: Any) -> Result:
        raise InterruptedBySignal("stopped by SIGTERM")

    monkeypatch.setattr(world, "run_into", stopped)
    with pytest.raises(MigrationError, match="was stopped by SIGTERM"):
        migrate(store, world)
    assert world.removed == ["shop-migrate"]
    assert read_record(store, "v1").status == "failed"


def test_a_bootstrap_alone_is_something_to_do() -> None:
    assert Commands(bootstrap=("x",)).any
    assert not Commands(version=("x",)).any
