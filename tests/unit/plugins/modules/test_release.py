"""The module release as Ansible calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.testing import patch_module_args
from ansible_collections.onebox.stack.plugins.module_utils import _readiness
from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, Result
from ansible_collections.onebox.stack.plugins.modules import release

COMPOSE = "services: {web: {image: shop}}\n"


class EndedError(Exception):
    """The module has given its answer."""


@pytest.fixture(autouse=True)
def _no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> Result:
        return Result(NOT_FOUND, "", "docker cannot be run")

    monkeypatch.setattr(release, "Machine", lambda: _readiness.Machine(run=run))


def call(monkeypatch: pytest.MonkeyPatch, root: Path, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    """Run the module; return its answer, with `failed` when it failed."""
    answer: dict[str, Any] = {}

    def end(module: Any, **result: Any) -> None:
        answer.update(remove_values(result, module.no_log_values))
        raise EndedError

    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.exit_json", end)
    monkeypatch.setattr(
        "ansible.module_utils.basic.AnsibleModule.fail_json",
        lambda module, **result: end(module, failed=True, **result),
    )
    arguments = {"app": "shop", "root": str(root), "_ansible_check_mode": check_mode, **params}
    with patch_module_args(arguments), pytest.raises(EndedError):
        release.main()
    return answer


def test_a_release_is_written_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    params: dict[str, Any] = {
        "compose": COMPOSE,
        "version": "1.2",
        "secrets": {"TOKEN": "hunter2"},
        "deployed_by": "ada",
    }
    first = call(monkeypatch, tmp_path, **params)
    second = call(monkeypatch, tmp_path, **params)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["release"] == second["release"]
    assert first["release"]["active"] is False
    assert first["release"]["slot"] is None
    assert (Path(first["release"]["directory"]) / "compose.yaml").read_text() == COMPOSE
    assert "hunter2" not in str(first)


def test_a_secret_that_the_id_happens_to_spell_leaves_the_id_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = {**dict.fromkeys("ABC", "1"), "FLAG": 2, "TOKEN": "hunter2"}
    answer = call(monkeypatch, tmp_path, compose=COMPOSE, version="1.2", secrets=secrets)
    assert answer["release"]["id"].startswith("1.2-")
    assert (tmp_path / "apps/shop/releases" / answer["release"]["id"]).is_dir()


def test_check_mode_on_a_bare_server_predicts_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tmp_path / "none"
    written = call(monkeypatch, root, check_mode=True, compose=COMPOSE)
    assert written["changed"]
    assert COMPOSE in [each["after"] for each in written["diff"]]
    served = call(monkeypatch, root, check_mode=True, state="active", release=written["release"]["id"])
    assert served["changed"]
    assert served["steps"]
    assert not root.exists()


def test_a_release_that_is_not_there_cannot_serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = call(monkeypatch, tmp_path, state="active", release="v9")
    assert answer["failed"]
    assert "Release v9 of shop is not on this server" in answer["msg"]


def test_a_wrong_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = call(monkeypatch, tmp_path, compose=COMPOSE, environment={"LOG-LEVEL": "info"})
    assert answer["failed"]
    assert "'LOG-LEVEL' is not a name for an environment variable" in answer["msg"]


def test_a_missing_engine_is_told_as_such(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = call(monkeypatch, tmp_path, compose=COMPOSE)
    answer = call(monkeypatch, tmp_path, state="active", release=written["release"]["id"])
    assert answer["failed"]
    assert "docker ps --all ended with code 127" in answer["msg"]
