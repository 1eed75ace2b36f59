from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _postgres
from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, Result
from ansible_collections.onebox.stack.plugins.modules import postgres_database

SHOP = {"name": "shop", "owner": "shop", "password": "s3cret", "extensions": []}
PARAMS = {"container": "postgres", "databases": [SHOP]}
ALL = ["create role shop", "create database shop", "close database shop to other roles"]


def bare(*_argv: Any, **_options: Any) -> Result:
    return Result(NOT_FOUND, "", "docker cannot be run")


class Engine:
    """A docker engine with one container."""

    def __init__(self, state: str, answer: Result) -> None:
        self.state, self.answer = state, answer
        self.statements: list[str] = []

    def __call__(self, argv: list[str], stdin: str = "", **_options: Any) -> Result:
        if "exec" in argv:
            self.statements.append(stdin)
            return self.answer
        one = {"Id": "1", "Name": "/postgres", "State": {"Status": self.state}, "Config": {}}
        return Result(0, json.dumps([one]), "")


def test_a_server_as_wanted_is_asked_once_and_not_changed() -> None:
    verifier = _postgres.verifier("s3cret", b"salt", 1)
    document = {"roles": {"shop": [True, verifier]}, "databases": {"shop": ["shop", False]}}
    engine = Engine("running", Result(0, json.dumps(document), ""))
    assert postgres_database.converge(PARAMS, False, engine)["changed"] is False
    assert len(engine.statements) == 1


def test_the_steps_are_carried_out_and_reported_without_secrets() -> None:
    engine = Engine("running", Result(0, '{"roles": null, "databases": null}', ""))
    result = postgres_database.converge(PARAMS, False, engine)
    assert result["actions"] == ALL
    assert len(engine.statements) == 1 + len(ALL)
    assert not any(secret in json.dumps(result) for secret in ("s3cret", "SCRAM"))
    assert not any("s3cret" in statement for statement in engine.statements)


def test_check_mode_changes_nothing() -> None:
    engine = Engine("running", Result(0, '{"roles": null, "databases": null}', ""))
    assert postgres_database.converge(PARAMS, True, engine)["actions"] == ALL
    assert len(engine.statements) == 1


@pytest.mark.parametrize("engine", [bare, Engine("exited", Result(1, "", "container is not running"))])
def test_check_mode_without_a_running_container_foretells_all(engine: Any) -> None:
    assert postgres_database.converge(PARAMS, True, engine)["actions"] == ALL
    with pytest.raises(_postgres.PostgresError, match="'postgres'"):
        postgres_database.converge(PARAMS, False, engine)


def test_a_refusal_of_a_running_server_is_an_error_in_check_mode_too() -> None:
    with pytest.raises(_postgres.PostgresError, match="permission denied"):
        postgres_database.converge(PARAMS, True, Engine("running", Result(1, "", "permission denied")))
