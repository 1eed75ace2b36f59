"""The module migration_job as Ansible calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.onebox.stack.plugins.module_utils import _migration
from ansible_collections.onebox.stack.plugins.module_utils._process import Result
from ansible_collections.onebox.stack.plugins.module_utils._release import Content, Release, Store
from ansible_collections.onebox.stack.plugins.modules import migration_job


class EndedError(Exception):
    """The module has given its answer."""


def call(monkeypatch: pytest.MonkeyPatch, root: Path, check_mode: bool = False, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {}

    def end(_module: Any, **result: Any) -> None:
        answer.update(result)
        raise EndedError

    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.exit_json", end)
    fail = lambda module, **result: end(module, failed=True, **result)  # noqa: E731 - as a method it takes the module
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.fail_json", fail)
    arguments = {"app": "shop", "root": str(root), "release": "v1", "_ansible_check_mode": check_mode, **params}
    with patch_module_args(arguments), pytest.raises(EndedError):
        migration_job.main()
    return answer


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    def run(argv: list[str], *_: Any, **__: Any) -> Result:
        return Result(0, "[]" if "inspect" in argv else "", "")

    programs = _migration.Programs(run, run)
    monkeypatch.setattr(_migration, "Programs", lambda: programs)
    store = Store(tmp_path, "shop")
    store.create()
    store.write(Release("v1", "shop"), Content("", {}, {}, {}, (), {}))
    return store


def test_a_migration_runs_once_for_a_release(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    first, second = (call(monkeypatch, store.root, command=["migrate"]) for _ in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["migration"] == second["migration"]
    assert first["migration"]["status"] == "ok"


def test_a_failed_migration_is_tried_again(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    (store.path("v1") / "migration.json").write_text(json.dumps({"status": "failed"}))
    assert call(monkeypatch, store.root, command=["migrate"])["changed"]


def test_without_commands_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = call(monkeypatch, tmp_path / "none")
    assert answer["changed"] is False
    assert answer["migration"]["status"] == "none"


def test_check_mode_on_a_bare_server_predicts_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = call(monkeypatch, tmp_path / "none", check_mode=True, command=["migrate"])
    assert answer["changed"] is True
    assert not (tmp_path / "none").exists()
