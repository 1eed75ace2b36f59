"""Releases that serve, over a pretended engine: whatever happens in between, one serves in the end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._activation import Activation, Settings
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container
from ansible_collections.onebox.stack.plugins.module_utils._lock import InterruptedBySignal
from ansible_collections.onebox.stack.plugins.module_utils._process import Result
from ansible_collections.onebox.stack.plugins.module_utils._readiness import Machine
from ansible_collections.onebox.stack.plugins.module_utils._release import (
    OTHER,
    Content,
    Release,
    ReleaseError,
    Service,
    Store,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SERVICES = (
    Service("web", "web", port=3000, health_path="/health", replicas=2, start_seconds=10),
    Service("worker", "worker", heartbeat_file="/tmp/beat", start_seconds=10),
    Service("bot", "bot", start_seconds=10),
)
SECRET = "correct horse battery"


class Killed(BaseException):
    """SIGKILL: nothing of the engine runs any more."""


@dataclass
class World:
    """A server with an engine: containers, a clock, and an end that comes when it is told to."""

    containers: dict[str, Container] = field(default_factory=dict)
    time: float = 1_800_000_000.0
    touches: int = 0
    die_at: int = -1
    death: BaseException | None = None
    networks: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)  # release/service: crash, page, up
    commands: list[list[str]] = field(default_factory=list)
    connections: int = 0

    def touch(self) -> None:
        self.touches += 1
        if self.touches == self.die_at:
            raise self.death or Killed

    def machine(self) -> Machine:
        return Machine(self.run, self.page, lambda _one, _file: 0.0, self.connected, lambda: self.time, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def connected(self, _pid: int) -> int:
        return self.connections

    def page(self, address: str, _port: int, _path: str) -> str:
        labels = next(one.labels for one in self.containers.values() if address in one.addresses.values())
        return "status 500" if self.broken.get(f"{labels['onebox.release']}/web") == "page" else ""

    def run(self, argv: list[str], **options: Any) -> Result:
        self.touch()
        self.commands.append(argv)
        done = getattr(self, f"_{argv[1]}")(argv[2:], options)
        self.touch()
        return done if isinstance(done, Result) else Result(0, done or "", "")

    def _ps(self, _arguments: list[str], _options: Any) -> str:
        return "\n".join(self.containers)

    def _container(self, arguments: list[str], _options: Any) -> str:
        return json.dumps([described(self.containers[name]) for name in arguments[1:]])

    def _network(self, arguments: list[str], _options: Any) -> str:
        if arguments[0] == "create":
            self.networks.append(arguments[-1])
        return "\n".join(self.networks)

    def _logs(self, _arguments: list[str], _options: Any) -> str:
        return f"could not connect with {SECRET}"

    def _stop(self, arguments: list[str], _options: Any) -> None:
        for name in arguments:
            self.containers[name] = replace(self.containers[name], state="exited", pid=0)
            self.touch()

    def _rm(self, arguments: list[str], _options: Any) -> None:
        for name in arguments[2:]:
            del self.containers[name]
            self.touch()

    def _compose(self, arguments: list[str], options: Any) -> Result | None:
        project, directory = arguments[1], Path(arguments[3])
        services = arguments[arguments.index("--quiet-pull") + 1 :]
        release = Release.from_dict(json.loads((directory / "release.json").read_text()))
        assert self.networks == ["onebox_edge", "onebox_shop"], "the networks that the Compose file expects are there"
        assert options["env"] == {"ONEBOX_SLOT": project.removeprefix("shop-"), "ONEBOX_RELEASE": release.id}
        for service in (one for one in release.services if one.name in services):
            if self.broken.get(f"{release.id}/{service.name}") == "up":
                return Result(1, "", f"no space left on device, {SECRET}")
            for number in range(service.replicas):
                self._up(f"{project}-{service.name}-{number + 1}", service, options["env"])
                self.touch()
        return None

    def _up(self, name: str, service: Service, env: dict[str, str]) -> None:
        found = self.containers.get(name)
        if found and found.running and found.labels["onebox.release"] == env["ONEBOX_RELEASE"]:
            return
        labels = {"onebox.app": "shop", "onebox.service": service.name, "onebox.type": service.type}
        labels |= {"onebox.slot": env["ONEBOX_SLOT"], "onebox.release": env["ONEBOX_RELEASE"]}
        crashes = self.broken.get(f"{env['ONEBOX_RELEASE']}/{service.name}") == "crash"
        at = datetime.fromtimestamp(self.time, timezone.utc).isoformat()
        self.containers[name] = Container(
            id=name, name=name, labels=labels, started_at=at, pid=1, restart_count=int(crashes), addresses={"n": name}
        )

    def running(self, kind: str) -> set[tuple[str, str]]:
        alive = [one.labels for one in self.containers.values() if one.running and one.labels["onebox.type"] == kind]
        return {(labels["onebox.slot"], labels["onebox.release"]) for labels in alive}


def described(one: Container) -> dict[str, Any]:
    """Turn a container into what docker inspect prints."""
    return {
        "Id": one.id,
        "Name": f"/{one.name}",
        "Config": {"Labels": one.labels},
        "State": {"Status": one.state, "StartedAt": one.started_at, "Pid": one.pid},
        "RestartCount": one.restart_count,
        "NetworkSettings": {"Networks": {"n": {"IPAddress": one.addresses["n"]}}},
    }


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path / "root")


def new_store(root: Path) -> Store:
    """Four releases on disk, and nothing that runs."""
    template = root.parent / "template"
    if not template.exists():
        write_releases(template)
    shutil.copytree(template, root)
    return Store(root, "shop")


def write_releases(root: Path) -> None:
    store = Store(root, "shop")
    store.create()
    for number in range(1, 5):
        image = {"reference": f"shop@sha256:{number}"}
        content = Content("services: {}", image, {"A": "b"}, {"TOKEN": SECRET}, SERVICES, {})
        at = f"2026-01-0{number}T00:00:00Z"
        store.write(Release(f"v{number}", "shop", f"v{number}", image, "c", SERVICES, ("TOKEN",), at), content)


def deploy(store: Store, world: World, release: str, **options: Any) -> Activation:
    activation = Activation(store, store.require(release), Settings("ada", **options), world.machine())
    activation.perform()
    return activation


def assert_serves_alone(store: Store, world: World, release: str) -> None:
    assert store.active == release
    for kind in ("web", "worker", "bot"):
        assert world.running(kind) == {(store.marked, release)}, kind
    assert store.journal() is None
    assert [entry["release"] for entry in store.history() if entry["outcome"] == "active"][-1] == release


def test_the_first_release_serves_from_the_blue_slot(store: Store) -> None:
    world = World()
    assert deploy(store, world, "v1").steps
    assert_serves_alone(store, world, "v1")
    assert store.marked == "blue"


def test_a_release_that_serves_is_left_alone(store: Store) -> None:
    world = World()
    deploy(store, world, "v1")
    before = dict(world.containers)
    assert deploy(store, world, "v1").steps == ()
    assert world.containers == before


def test_the_second_release_goes_to_the_other_slot_and_the_first_is_stopped_but_kept(store: Store) -> None:
    world = World()
    deploy(store, world, "v1")
    deploy(store, world, "v2")
    assert_serves_alone(store, world, "v2")
    assert store.marked == "green"
    assert [one.state for one in world.containers.values() if one.labels["onebox.release"] == "v1"] == ["exited"] * 4
    assert store.history()[-1]["previous"] == "v1"


def test_going_back_starts_the_kept_containers_without_asking_any_registry(store: Store) -> None:
    world = World()
    for release in ("v1", "v2"):
        deploy(store, world, release)
    world.commands.clear()
    deploy(store, world, "v1")
    assert_serves_alone(store, world, "v1")
    assert not any("rm" in argv or "pull" in argv for argv in world.commands)


def test_a_stopped_service_of_the_serving_release_is_started_in_place(store: Store) -> None:
    world = World()
    deploy(store, world, "v1")
    del world.containers["shop-blue-worker-1"]
    steps = deploy(store, world, "v1").steps
    assert str(steps[0]) == "start blue worker"
    assert_serves_alone(store, world, "v1")


@pytest.mark.parametrize(("service", "fault"), [("web", "page"), ("worker", "crash"), ("bot", "crash"), ("bot", "up")])
def test_a_release_that_fails_before_the_switch_leaves_the_old_one_serving(
    store: Store, service: str, fault: str
) -> None:
    world = World(broken={f"v2/{service}": fault})
    deploy(store, world, "v1")
    with pytest.raises(ReleaseError) as error:
        deploy(store, world, "v2")
    assert "Release v1 in slot blue serves as before" in str(error.value)
    assert SECRET not in str(error.value)
    assert store.history()[-1]["outcome"] == "failed"
    for kind in ("web", "worker", "bot"):
        assert world.running(kind) == {("blue", "v1")}
    deploy(store, world, "v3")
    assert_serves_alone(store, world, "v3")


def test_a_fault_that_nobody_thought_of_is_taken_back_too(store: Store) -> None:
    world = World()
    deploy(store, world, "v1")
    world.death, world.die_at = KeyError("State"), world.touches + 12
    with pytest.raises(ReleaseError, match="Release v1 in slot blue serves as before"):
        deploy(store, world, "v2")
    for kind in ("web", "worker", "bot"):
        assert world.running(kind) == {("blue", "v1")}


def test_the_error_shows_the_last_lines_of_the_culprit_with_secrets_hidden(store: Store) -> None:
    world = World(broken={"v1/worker": "crash"})
    with pytest.raises(ReleaseError, match=r"Last lines of shop-blue-worker-1:\n  could not connect with \*{8}\n"):
        deploy(store, world, "v1")


def test_a_first_release_that_fails_leaves_an_empty_slot(store: Store) -> None:
    world = World(broken={"v1/web": "page"})
    with pytest.raises(ReleaseError, match="No release serves"):
        deploy(store, world, "v1")
    assert store.active == ""
    deploy(store, world, "v2")
    assert_serves_alone(store, world, "v2")
    assert store.marked == "blue"


def test_a_fault_after_the_switch_keeps_the_new_release_and_the_next_run_cleans_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    deploy(store, world, "v1")
    with monkeypatch.context() as engine:
        engine.setattr(Activation, "stop", lambda *_: (_ for _ in ()).throw(OSError("engine gone")))
        with pytest.raises(ReleaseError, match="The new release serves from slot green"):
            deploy(store, world, "v2")
    assert store.active == "v2"
    assert "interrupted at the step 'stop blue'" in deploy(store, world, "v2").resumed
    assert_serves_alone(store, world, "v2")
    assert store.history()[-1]["previous"] == "v1"


def test_draining_waits_for_connections_but_not_for_ever(store: Store) -> None:
    world = World(connections=3)
    deploy(store, world, "v1")
    before = world.time
    deploy(store, world, "v2", drain_seconds=30)
    assert 30 <= world.time - before < 40


def test_restarts_from_before_do_not_count_against_the_serving_release(store: Store) -> None:
    world = World()
    deploy(store, world, "v1")
    name = "shop-blue-web-1"
    world.containers[name] = replace(world.containers[name], restart_count=2)
    assert deploy(store, world, "v1").steps == ()


def test_an_interrupted_run_for_another_release_stands_in_the_history(store: Store) -> None:
    world = World()
    deploy(store, world, "v1")
    world.die_at = world.touches + 10
    with pytest.raises(Killed):
        deploy(store, world, "v2")
    deploy(store, world, "v3")
    assert [(entry["release"], entry["outcome"]) for entry in store.history()] == [
        ("v1", "active"),
        ("v2", "failed"),
        ("v3", "active"),
    ]


def test_a_run_that_was_killed_after_the_switch_stands_in_the_history_as_one_that_served(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(broken={"v3/web": "page"})
    deploy(store, world, "v1")
    with monkeypatch.context() as patch:
        patch.setattr(World, "connected", killed)
        with pytest.raises(Killed):
            deploy(store, world, "v2")
    with pytest.raises(ReleaseError, match="Release v2 in slot green serves as before"):
        deploy(store, world, "v3")
    deploy(store, world, "v2")
    assert [(entry["release"], entry["outcome"], entry["previous"]) for entry in store.history()] == [
        ("v1", "active", ""),
        ("v2", "active", "v1"),
        ("v3", "failed", "v2"),
    ]


def killed(*_arguments: Any) -> int:
    raise Killed


def one_serves(store: Store, world: World) -> bool:
    """The slot that the marker names has all of its web containers."""
    web = [one for one in world.containers.values() if one.running and one.labels["onebox.type"] == "web"]
    serving = [one for one in web if one.labels["onebox.slot"] == store.marked]
    return {one.labels["onebox.release"] for one in serving} == {store.active} and len(serving) == 2


def touching(worlds: list[World], method: Callable[..., Any]) -> Callable[..., Any]:
    """Let the end come before and after a method of the store, too."""

    def around(*arguments: Any) -> Any:
        worlds[-1].touch()
        done = method(*arguments)
        worlds[-1].touch()
        return done

    return around


@pytest.mark.parametrize(
    ("wanted_next", "death", "first"),
    [
        ("v1", None, False),
        ("v2", None, False),
        ("v3", None, False),
        ("v3", InterruptedBySignal("stopped by SIGTERM"), False),
        ("v2", None, True),
        ("v3", None, True),
        ("v2", InterruptedBySignal("stopped by SIGTERM"), True),
    ],
)
def test_a_run_killed_at_any_moment_is_mended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted_next: str, death: BaseException | None, first: bool
) -> None:
    worlds = [World()]
    for name in ("note", "forget", "append", "mark", "link", "prune"):
        monkeypatch.setattr(Store, name, touching(worlds, getattr(Store, name)))
    for moment in range(1, 1000):
        store, world = new_store(tmp_path / str(moment)), World(death=death)
        worlds.append(world)
        if not first:
            deploy(store, world, "v1")
        world.die_at = world.touches + moment
        try:
            deploy(store, world, "v2")
        except (Killed, ReleaseError, InterruptedBySignal):
            assert first or one_serves(store, world), moment
            assert len(world.running("bot")) <= 1
        if world.touches < world.die_at:
            break
        deploy(store, world, wanted_next)
        assert_serves_alone(store, world, wanted_next)
    else:
        pytest.fail("the run never came to its end")


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["v1", "v2", "v3", "v4"]),
            st.sampled_from(["well", "web", "worker", "bot", "killed", "signal"]),
            st.integers(1, 60),
        ),
        max_size=6,
    )
)
def test_no_sequence_of_failures_ends_with_zero_or_two_releases_serving(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, str, int]]
) -> None:
    store, world = new_store(tmp_path_factory.mktemp("events") / "root"), World()
    deploy(store, world, "v1")
    for release, event, moment in events:
        keeps_serving = not store.journal()  # only then is a fault in mending the serving release ruled out
        if event in ("killed", "signal"):
            world.die_at = world.touches + moment
            world.death = InterruptedBySignal("stopped by SIGTERM") if event == "signal" else None
        elif event != "well" and release != store.active:
            world.broken = {f"{release}/{event}": "page" if event == "web" else "crash"}
        try:
            deploy(store, world, release)
        except (Killed, ReleaseError, InterruptedBySignal):
            assert one_serves(store, world) or not keeps_serving
        world.broken, world.die_at = {}, -1
        assert len(world.running("bot")) <= 1
    deploy(store, world, "v4", keep=4)
    assert_serves_alone(store, world, "v4")
    assert OTHER[store.marked] not in {slot for slot, _ in world.running("web")}
