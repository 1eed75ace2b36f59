"""The module release_info as Ansible calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.onebox.stack.plugins.modules import release_info


def test_a_bare_server_has_nothing_and_stays_bare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer: dict[str, Any] = {}
    monkeypatch.setattr(
        "ansible.module_utils.basic.AnsibleModule.exit_json", lambda _module, **result: answer.update(result)
    )
    root = tmp_path / "none"
    with patch_module_args({"app": "shop", "root": str(root)}):
        release_info.main()
    assert answer == {"changed": False, "active": None, "releases": [], "history": [], "interrupted": None}
    assert not root.exists()
    assert capsys.readouterr().out == ""
