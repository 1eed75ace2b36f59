from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _compose, _fingerprint
from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, ProcessError, Result, Run
from ansible_collections.onebox.stack.plugins.modules import compose_project

OLD, JUST_NOW = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


class Engine:
    """A docker engine with one project of one service, which does what it is told."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.file: dict[str, Any] = {"restart": "unless-stopped"}
        self.running: str | None = None  # hash of the file that the container was made of
        self.number = 0
        self.networks: list[str] = []
        self.state: dict[str, Any] = {"Status": "running", "StartedAt": OLD}
        self.reload = Result(0, "", "")
        self.killed_by: str | None = None

    @property
    def hash(self) -> str:
        return json.dumps(self.file)

    def __call__(self, argv: list[str], **_options: Any) -> Result:
        self.asked.append(argv)
        answers: dict[str, Callable[[list[str]], Result]] = {
            "config": self.config,
            "up": self.up,
            "ps": lambda _: Result(0, f"{self.number}\n" if self.running else "", ""),
            "inspect": self.inspect,
            "ls": lambda _: Result(0, "\n".join(self.networks), ""),
            "create": self.create,
            "exec": lambda _: self.reload,
            "logs": lambda _: Result(0, "the last words\n", ""),
        }
        for word, answer in answers.items():
            if word in argv:
                result = answer(argv)
                if self.killed_by == word:
                    raise KeyboardInterrupt
                return result
        return Result(0, "", "")

    def config(self, _argv: list[str]) -> Result:
        return Result(0, json.dumps({"services": {"web": self.file}}), "")

    def up(self, _argv: list[str]) -> Result:
        if self.running != self.hash:
            self.running, self.number = self.hash, self.number + 1
        return Result(0, "", "")

    def create(self, argv: list[str]) -> Result:
        self.networks.append(argv[-1])
        return Result(0, "", "")

    def inspect(self, argv: list[str]) -> Result:
        if "--format" in argv:
            return Result(0, json.dumps({"Log": [{"ExitCode": 1, "Output": "no answer on port 80"}]}), "")
        labels = {_compose.PROJECT: "p", _compose.SERVICE: "web", _compose.HASH: self.running}
        one = {"Id": str(self.number), "Name": "/p-web-1", "State": self.state, "Config": {"Labels": labels}}
        one["NetworkSettings"] = {"Networks": {name: {"IPAddress": "172.18.0.2"} for name in self.networks}}
        return Result(0, json.dumps([one]), "")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(_fingerprint, "STATE", tmp_path / "state")
    (tmp_path / "compose.yaml").touch()
    (tmp_path / "web.conf").write_text("one")
    return Engine()


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    reload = {"service": "web", "command": ["web", "reload"], "paths": [str(tmp_path / "web.conf")]}
    return {
        "name": "p",
        "directory": str(tmp_path),
        "networks": ["onebox_edge"],
        "reload": [reload],
        "written": [],
        "wait_seconds": 0,
    }


def actions(params: dict[str, Any], engine: Run, *, check: bool = False) -> list[str]:
    result = compose_project.converge(params, check, engine)
    assert result["changed"] == bool(result["actions"])
    return list(result["actions"])


def test_the_first_run_makes_all_and_the_second_changes_nothing_with_three_calls(
    engine: Engine, params: dict[str, Any]
) -> None:
    assert actions(params, engine) == ["create network onebox_edge", "up"]
    engine.asked.clear()
    assert actions(params, engine) == []
    assert len(engine.asked) == 3


def test_check_mode_tells_the_same_and_does_nothing(engine: Engine, params: dict[str, Any]) -> None:
    assert actions(params, engine, check=True) == ["create network onebox_edge", "up"]
    assert not engine.running
    assert not engine.networks


def test_check_mode_foretells_what_files_will_need_that_it_did_not_write(
    engine: Engine, params: dict[str, Any], tmp_path: Path
) -> None:
    actions(params, engine)
    for file, foretold in {"web.conf": ["reload web"], "compose.yaml": ["up"], "env": ["up"], "README": []}.items():
        wanted = {**params, "written": [str(tmp_path / file)]}
        assert actions(wanted, engine, check=True) == foretold
        assert actions(wanted, engine) == [], "it was the same text after all"


def test_changed_files_are_reloaded_and_a_changed_service_is_made_anew_instead(
    engine: Engine, params: dict[str, Any], tmp_path: Path
) -> None:
    actions(params, engine)
    (tmp_path / "web.conf").write_text("two")
    assert actions(params, engine, check=True) == ["reload web"]
    assert actions(params, engine) == ["reload web"]
    assert actions(params, engine) == []
    engine.file["image"] = "other"
    (tmp_path / "web.conf").write_text("three")
    assert actions(params, engine) == ["up"]
    assert actions(params, engine) == []


def test_a_refused_reload_is_tried_again_by_the_next_run(
    engine: Engine, params: dict[str, Any], tmp_path: Path
) -> None:
    actions(params, engine)
    (tmp_path / "web.conf").write_text("bad")
    engine.reload = Result(1, "", "line 1: bad")
    for _ in range(2):
        with pytest.raises(_compose.ComposeError, match="old one still serves"):
            actions(params, engine)
    engine.reload = Result(0, "", "")
    (tmp_path / "web.conf").write_text("one")  # what it had read before: nobody knows how far the reload came
    assert actions(params, engine) == ["reload web"]


@pytest.mark.parametrize("moment", ["up", "exec"])
def test_a_killed_run_is_mended_by_the_next(
    engine: Engine, params: dict[str, Any], tmp_path: Path, moment: str
) -> None:
    actions(params, engine)
    (tmp_path / "web.conf").write_text("two")
    if moment == "up":
        engine.file["image"] = "other"
    engine.killed_by = moment
    with pytest.raises(KeyboardInterrupt):
        actions(params, engine)
    engine.killed_by = None
    (tmp_path / "web.conf").write_text("one")
    assert "reload web" in actions(params, engine)
    assert actions(params, engine) == []


def test_an_unhealthy_service_is_named_with_its_health_check_and_its_last_words(
    engine: Engine, params: dict[str, Any]
) -> None:
    actions(params, engine)
    engine.state = {"Status": "running", "StartedAt": OLD, "Health": {"Status": "unhealthy"}}
    with pytest.raises(_compose.ComposeError) as caught:
        actions(params, engine)
    for words in ("Service web runs but is unhealthy", "no answer on port 80", "the last words", "run again"):
        assert words in str(caught.value)


def test_a_service_that_ends_again_and_again_never_counts_as_well(engine: Engine, params: dict[str, Any]) -> None:
    engine.state = {"Status": "running", "StartedAt": JUST_NOW}
    with pytest.raises(_compose.ComposeError, match="Service web has only just started"):
        actions(params, engine)


def test_check_mode_on_a_bare_host_tells_that_the_project_would_be_made(
    params: dict[str, Any], engine: Engine, tmp_path: Path
) -> None:
    def bare(*_argv: Any, **_options: Any) -> Result:
        return Result(NOT_FOUND, "", "docker cannot be run")

    assert actions(params, bare, check=True) == ["up"]
    with pytest.raises(ProcessError, match="docker cannot be run"):
        compose_project.converge(params, False, bare)
    (tmp_path / "compose.yaml").unlink()
    assert actions(params, engine, check=True) == ["up"]
    with pytest.raises(_compose.ComposeError, match=r"compose\.yaml does not exist"):
        actions(params, engine)
