#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Databases and their owners in a PostgreSQL that runs in a container."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_database
short_description: Databases, their owners and their extensions in a PostgreSQL container
version_added: 0.1.0
author: The onebox.stack maintainers (@onebox-stack)
description:
  - Makes databases, each with an owner who may log in, closed to other roles, with its extensions.
  - Speaks to PostgreSQL through C(psql) in its container, as the superuser C(postgres) over the container's socket.
  - A password never leaves the module. PostgreSQL is given its SCRAM-SHA-256 verifier, which is computed here, on
    standard input.
  - Never drops anything. What is taken out of the list stays on the server.
options:
  container:
    description: Name of the container.
    type: str
    default: postgres
  databases:
    description: The databases.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the database, at most 63 bytes.
        type: str
        required: true
      owner:
        description: Role that owns it and may log in. A database that belongs to another role is given to this one.
        type: str
        required: true
      password:
        description: Password of the owner. It is changed when the server's verifier is not one of it.
        type: str
        required: true
      extensions:
        description: Extensions that the database must have, with those that they need.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    support: full
    description: Tells what would be done. Without Docker or a running container, all of it would.
  diff_mode:
    support: full
    description: Shows the steps, without passwords or verifiers.
"""

EXAMPLES = r"""
- name: Make the shop's database
  onebox.stack.postgres_database:
    databases:
      - name: shop
        owner: shop
        password: "{{ vault_postgres_shop_password }}"
        extensions: [pg_trgm]
"""

RETURN = r"""
actions:
  description: What was needed, in order.
  returned: success
  type: list
  elements: str
  sample: [create role shop, create database shop, close database shop to other roles]
"""

from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils import _postgres as postgres
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, run
from ansible_collections.onebox.stack.plugins.module_utils._quiet import QuietModule

DATABASE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "extensions": {"type": "list", "elements": "str", "default": []},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "container": {"type": "str", "default": "postgres"},
    "databases": {"type": "list", "elements": "dict", "required": True, "options": DATABASE},
}


def read(container: str, wanted: list[postgres.Wanted], check_mode: bool, ask: Run) -> postgres.Server:
    """What there is; in check mode nothing, when the server is not there yet."""
    try:
        return postgres.read(ask, container, wanted)
    except postgres.PostgresError:
        if check_mode and not postgres.reachable(ask, container):
            return postgres.Server()
        raise


def converge(params: dict[str, Any], check_mode: bool, ask: Run = run) -> dict[str, Any]:
    """Read, plan, write, report."""
    container = params["container"]
    wanted = [postgres.Wanted(**{**one, "extensions": tuple(one["extensions"])}) for one in params["databases"]]
    postgres.refuse(wanted)
    steps = postgres.plan(read(container, wanted, check_mode, ask), wanted)
    if not check_mode:
        postgres.write(ask, container, steps)
    actions = [step.text for step in steps]
    return {
        "changed": bool(steps),
        "actions": actions,
        "diff": {"before": "", "after": "".join(f"{action}\n" for action in actions)},
    }


def main() -> None:
    """Give Ansible the answer."""
    module = QuietModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = converge(module.params, module.check_mode)
    except postgres.PostgresError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
