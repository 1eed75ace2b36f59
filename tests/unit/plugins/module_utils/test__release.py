"""Releases on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._release import (
    Content,
    Release,
    ReleaseError,
    Service,
    Store,
    differences,
    overview,
)
from hypothesis import given
from hypothesis import strategies as st

CONTENT = Content(
    compose="services: {web: {}}\n",
    image={"reference": "shop@sha256:1", "id": "sha256:2"},
    environment={"LOG_LEVEL": "info"},
    secrets={"TOKEN": "s3cr3t"},
    services=(Service("web", port=3000),),
    migration={"command": ["migrate"]},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path, "shop")
    store.create()
    return store


def release(number: int = 1, **others: Any) -> Release:
    at = f"2026-01-{number:02}T00:00:00Z"
    return Release(f"v{number}", "shop", f"v{number}", services=CONTENT.services, created_at=at, **others)


def test_the_same_content_has_the_same_id() -> None:
    assert CONTENT.id("1.2") == replace(CONTENT, environment=dict(CONTENT.environment)).id("1.2")
    assert CONTENT.id("1.2").startswith("1.2-")


@pytest.mark.parametrize(
    "change",
    [
        {"compose": "services: {}\n"},
        {"image": {"reference": "shop@sha256:3", "id": "sha256:2"}},
        {"environment": {"LOG_LEVEL": "debug"}},
        {"secrets": {"TOKEN": "another"}},
        {"services": (Service("web", port=3001),)},
        {"migration": {}},
    ],
)
def test_any_change_of_the_content_is_another_release(change: dict[str, Any]) -> None:
    assert replace(CONTENT, **change).id("1.2") != CONTENT.id("1.2")


@given(st.text())
def test_any_version_makes_a_name_for_a_directory(version: str) -> None:
    name = CONTENT.id(version)
    assert name == Path(name).name
    assert name.isascii()
    assert name[0] not in ".-"
    assert len(name) <= 51


def test_a_release_is_written_completely_and_for_root_only(store: Store) -> None:
    store.write(release(secret_names=("TOKEN",)), CONTENT)
    directory = store.path("v1")
    assert directory.stat().st_mode & 0o777 == 0o700
    modes = {each.name: each.stat().st_mode & 0o777 for each in directory.iterdir()}
    assert modes == dict.fromkeys(["compose.yaml", "env", "deploy.env", "release.json"], 0o600)
    assert store.read("v1") == release(secret_names=("TOKEN",))
    assert store.secrets_of(store.require("v1")) == ["s3cr3t"]
    assert "s3cr3t" not in (directory / "release.json").read_text()


def test_a_half_written_release_of_a_killed_run_does_not_count_and_goes_away(store: Store) -> None:
    left = store.releases_directory / ".xyz"
    left.mkdir()
    (left / "release.json").write_text("{")
    assert store.releases() == []
    store.write(release(), CONTENT)
    assert [each.name for each in store.releases_directory.iterdir()] == ["v1"]


def test_a_release_that_is_not_there_is_named_with_those_that_are(store: Store) -> None:
    store.write(release(), CONTENT)
    with pytest.raises(ReleaseError, match=r"Release v9 of shop is not on this server \(there: v1\)"):
        store.require("v9")


def test_pruning_keeps_what_a_slot_holds_then_what_served_then_the_newest(store: Store) -> None:
    for number in range(1, 8):
        store.write(release(number), CONTENT)
    store.link("blue", "v1")
    for served in ("v2", "v3"):
        store.append({"release": served, "outcome": "active"})
    assert sorted(store.prune(4, ["v7"])) == ["v4", "v5", "v6"]
    assert [each.id for each in store.releases()] == ["v7", "v3", "v2", "v1"]


def test_the_marker_says_which_slot_serves(store: Store) -> None:
    assert store.marked == "blue"
    store.mark("green")
    store.mark("green")
    assert store.marked == "green"
    assert [each.name for each in store.marker.parent.iterdir()] == ["green"]
    store.mark("blue")
    store.mark("blue")
    assert store.marked == "blue"


def test_a_history_cut_off_by_a_crash_goes_on_with_a_line_of_its_own(store: Store) -> None:
    (store.directory / "history.jsonl").write_text('{"release": "v1"}\n{"rele')
    store.append({"release": "v2"})
    assert [entry["release"] for entry in store.history()] == ["v1", "v2"]


def test_the_overview_of_a_bare_server_is_empty(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"active": None, "releases": [], "history": [], "interrupted": None}
    assert overview(Store(tmp_path / "none", "shop"), 5) == empty


def test_the_overview_says_what_serves_since_when(store: Store) -> None:
    for number in (1, 2):
        store.write(release(number), CONTENT)
    store.link("green", "v2")
    store.mark("green")
    store.append({"release": "v2", "outcome": "active", "at": "then", "by": "ada"})
    store.append({"release": "v3", "outcome": "failed", "at": "later", "by": "bob"})
    (store.path("v1") / "migration.json").write_text(json.dumps({"status": "ok"}))
    told = overview(store, 1)
    assert {"id": "v2", "slot": "green", "since": "then", "deployed_by": "ada"}.items() <= told["active"].items()
    assert [(each["id"], each["slot"], each["active"], each["migration"]) for each in told["releases"]] == [
        ("v2", "green", True, "none"),
        ("v1", None, False, "ok"),
    ]
    assert [entry["at"] for entry in told["history"]] == ["later"]


def test_differences_show_names_of_variables_and_never_values(store: Store) -> None:
    store.write(release(), CONTENT)
    store.link("blue", "v1")
    content = replace(CONTENT, secrets={"TOKEN": "n3w"}, environment={"LOG_LEVEL": "info", "MORE": "x"})
    (env,) = differences(store, release(2), content)
    assert env["before"] == "TOKEN: as it was, not shown\n"
    assert env["after"] == "MORE: a value, not shown\nTOKEN: changed, not shown\n"


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        ({"type": "web"}, "needs a name"),
        ({"name": "web", "type": "daemon"}, "the types web, worker, scheduler, bot"),
        ({"name": "web", "port": "http"}, "port of web is 'http'"),
        ({"name": "web", "start_seconds": 0}, "start_seconds of web is 0"),
        ({"name": "web", "health_path": "/health"}, "has a health_path but no port"),
    ],
)
def test_a_wrong_service_is_refused_with_what_is_right(service: dict[str, Any], fault: str) -> None:
    with pytest.raises(ReleaseError, match=fault):
        Service.from_dict(service)


def test_a_number_of_a_service_may_stand_in_quotes() -> None:
    assert Service.from_dict({"name": "web", "port": "3000", "replicas": "2"}) == Service("web", port=3000, replicas=2)


def test_keys_of_a_service_that_only_compose_needs_are_passed_over() -> None:
    assert Service.from_dict({"name": "web", "port": 1, "command": ["x"], "health_path": None}) == Service(
        "web", port=1
    )
