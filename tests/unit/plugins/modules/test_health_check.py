"""The module as Ansible runs it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

COLLECTIONS = Path(__file__).parents[4] / ".collections"
MODULE = "ansible_collections.onebox.stack.plugins.modules.health_check"


def health_check(**params: Any) -> dict[str, Any]:
    """Run the module in a process of its own, as the server would, and return its result."""
    script = (
        "import json, sys; from ansible.module_utils.testing import patch_module_args; import importlib\n"
        f"with patch_module_args(json.load(sys.stdin)): importlib.import_module('{MODULE}').main()"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps({"deadline_seconds": 0, **params}),
        env={"PYTHONPATH": str(COLLECTIONS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads(answer.stdout or answer.stderr)
    return result


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_checks_that_pass_are_reported_with_their_answers(port: int) -> None:
    result = health_check(checks=[{"name": "web", "type": "tcp", "host": "127.0.0.1", "port": port}])
    (check,) = result["checks"]
    assert (result.get("failed"), result["changed"], result["failed_checks"]) == (None, False, [])
    assert (check["name"], check["ok"], check["attempts"]) == ("web", True, 1)
    assert check["answer"].startswith("accepts connections")


def test_a_failed_check_fails_the_task_and_the_others_are_reported_too(port: int) -> None:
    web = {"name": "web", "type": "tcp", "host": "127.0.0.1", "port": port}
    result = health_check(checks=[web, {"name": "missing", "type": "tls", "host": "127.0.0.1", "ca_file": "/none"}])
    assert result["failed"]
    assert result["failed_checks"] == ["missing"]
    assert [check["ok"] for check in result["checks"]] == [True, False]
    assert result["msg"].startswith("1 of 2 health checks failed")


def test_a_secret_that_is_sent_appears_nowhere(port: int) -> None:
    secret = "a-bearer-token"
    url = f"http://127.0.0.1:{port}/{secret}"
    check = {"name": "web", "type": "http", "url": url, "headers": {"Authorization": secret}}
    result = health_check(checks=[check], timeout_seconds=0.1)
    assert result["failed"]
    assert secret not in json.dumps(result)


def test_bad_input_is_refused_before_anything_is_asked() -> None:
    result = health_check(checks=[{"name": "web", "type": "http"}, {"name": "db", "type": "tcp", "host": "db"}])
    assert result["failed"]
    assert "checks" not in result
    assert "checks[0] (web): `url` is missing. Example: " in result["msg"]
    assert "checks[1] (db): `port` is missing. Example: " in result["msg"]


def test_in_check_mode_nothing_is_asked_and_that_is_said() -> None:
    check = {"name": "web", "type": "tcp", "host": "127.0.0.1", "port": 1}
    result = health_check(checks=[check], _ansible_check_mode=True)
    assert not result.get("failed")
    assert result["msg"] == "1 health checks were not asked: check mode"
    assert (result["checks"][0]["skipped"], result["checks"][0]["ok"]) == (True, None)


def test_the_options_are_those_of_the_documentation() -> None:
    module = pytest.importorskip(MODULE)
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]["checks"]["suboptions"]
    assert documented.keys() == module.CHECK_OPTIONS.keys()
