# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check a host's inventory on the controller, before anything is touched."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.onebox.stack.plugins.module_utils import _inventory

ROLES = Path(__file__).parents[2] / "roles"


def load_specs(roles: Path) -> _inventory.Specs:
    """The inputs of every role below a directory, from its argument spec."""
    files = sorted(roles.glob("*/meta/argument_specs.yml"))
    specs = {file.parents[1].name: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    return {role: spec["argument_specs"]["main"].get("options") or {} for role, spec in specs.items()}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    _requires_connection = False
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        specs = load_specs(ROLES)
        needed = self._needed_roles(specs)
        values = {
            name: _inventory.resolve(value, self._template)
            for name, value in variables.items()
            if _inventory.role_of(name, specs)
        }
        problems = _inventory.check(specs, values, needed)
        result.update(changed=False, checked=len(values), problems=[asdict(problem) for problem in problems])
        if problems:
            result.update(failed=True, msg=_inventory.report(variables["inventory_hostname"], problems))
        return result

    def _needed_roles(self, specs: _inventory.Specs) -> list[str]:
        _, args = self.validate_argument_spec({"roles": {"type": "list", "elements": "str"}})
        needed: list[str] = list(specs) if args["roles"] is None else args["roles"]
        if unknown := sorted(set(needed) - specs.keys()):
            raise AnsibleError(f"roles: the collection has no {', '.join(unknown)}; it has {', '.join(specs)}")
        return needed

    def _template(self, value: Any) -> Any:
        try:
            return self._templar.template(value)
        except AnsibleError as error:
            return _inventory.unresolved(str(error), str(value))
