"""The action plugin with Ansible's own templating: what the pure check is given."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.template import Templar, trust_as_template
from ansible_collections.onebox.stack.plugins.action import inventory_check

SPEC = """\
argument_specs:
  main:
    options:
      app_name: {type: str, required: true, description: [Name., "Example: C(app_name: shop)"]}
      app_secrets: {type: dict, no_log: true, default: {}, description: Secrets.}
"""


@pytest.fixture(autouse=True)
def roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app/meta").mkdir(parents=True)
    (tmp_path / "app/meta/argument_specs.yml").write_text(SPEC)
    monkeypatch.setattr(inventory_check, "ROLES", tmp_path)
    return tmp_path


def run(variables: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    variables = {"inventory_hostname": "web1", **variables}
    task = SimpleNamespace(args=arguments, async_val=0, check_mode=False, action="inventory_check")
    templar = Templar(variables=variables)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=""))
    action = inventory_check.ActionModule(task, connection, SimpleNamespace(), None, templar, None)
    return action.run(task_vars=variables)


def test_values_are_templated_before_they_are_checked() -> None:
    name = trust_as_template("{{ onebox_name }}")
    assert run({"app_name": name, "onebox_name": "shop"})["problems"] == []


def test_an_undefined_variable_is_named_and_hides_no_other() -> None:
    secrets = {name: trust_as_template(f"{{{{ vault_{name} }}}}") for name in ("a", "b")}
    result = run({"app_name": "shop", "app_secrets": secrets})
    assert result["failed"] is True
    assert result["msg"].startswith("The inventory of web1 has 2 problems; nothing was touched:\n- app_secrets.a: ")
    assert [problem["fault"].split(";")[0] for problem in result["problems"]] == [
        "vault_a is not defined",
        "vault_b is not defined",
    ]


def test_a_template_around_a_secret_that_fails_keeps_it() -> None:
    result = run({"app_name": trust_as_template("{{ vault_x | from_json }}"), "vault_x": "swordfish"})
    assert [problem["fault"] for problem in result["problems"]] == [
        "cannot be computed: its template, which holds a secret, fails"
    ]
    assert "swordfish" not in str(result)


def test_only_the_roles_asked_for_require_their_inputs() -> None:
    assert run({}, roles=[])["problems"] == []
    assert [problem["path"] for problem in run({})["problems"]] == ["app_name"]


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(Exception, match="the collection has no ap; it has app"):
        run({}, roles=["ap"])
