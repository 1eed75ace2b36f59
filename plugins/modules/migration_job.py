#!/usr/bin/python

# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_job
short_description: Run the migration of a release
version_added: 0.1.0
description:
  - Runs the commands of a migration in one-shot containers of the service C(migrate) of the release's own
    C(compose.yaml), so always with the new image and the new environment, before any service of the release starts.
  - The order is O(version_command), O(command), O(version_command), O(bootstrap_command).
  - A migration that has succeeded for a release does not run again. One that failed or was interrupted does.
  - One migration of an app runs at a time. When the controller of an earlier one is gone but its container still runs,
    that is waited for, then the commands run; migration tools pass over what was applied already.
options:
  release:
    description: Id of the release, as returned by M(onebox.stack.release) with C(state=present).
    type: str
    required: true
  command:
    description: The command that migrates, for example V([npx, prisma, migrate, deploy]). Empty for none.
    type: list
    elements: str
    default: []
  bootstrap_command:
    description: A command that makes sure that default rows exist. It must be safe to run every time.
    type: list
    elements: str
    default: []
  version_command:
    description: A command whose last line of output is the schema's version. It may fail before the first migration.
    type: list
    elements: str
    default: []
  timeout_seconds:
    description: Seconds after which each of the commands is killed.
    type: float
    default: 600
extends_documentation_fragment: onebox.stack.app
attributes:
  check_mode:
    support: full
    description: Can predict without a change, also on a server that has nothing yet.
  diff_mode:
    support: none
    description: Shows no differences; what a migration changes is not known before.
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Migrate with the image and the environment of the new release
  onebox.stack.migration_job:
    app: shop
    release: "{{ __app_release.release.id }}"
    command: [npx, prisma, migrate, deploy]
    version_command: [node, scripts/schema-version.js]
    bootstrap_command: [node, scripts/bootstrap.js]
    timeout_seconds: 300
"""

RETURN = r"""
migration:
  description: What became of the migration. In check mode on a server without it, C(status) is V(none).
  returned: success
  type: dict
  contains:
    release:
      description: Id of the release.
      type: str
    status:
      description: V(none), V(running), V(ok) or V(failed).
      type: str
    before:
      description: Version of the schema before; empty when it is not known.
      type: str
    after:
      description: Version of the schema after.
      type: str
    started_at:
      description: When it began, UTC, ISO 8601.
      type: str
    seconds:
      description: How long it took.
      type: float
    exit_code:
      description: Exit code of the command that decided; null when nothing ran.
      type: int
    log:
      description: File on the server that keeps the output of all runs for this release.
      type: str
adopted:
  description: A sentence about a migration of an earlier, killed run that was waited for; empty when there was none.
  returned: success
  type: str
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _migration as migration
from ansible_collections.onebox.stack.plugins.module_utils._lock import (
    InterruptedBySignal,
    LockError,
    lock,
    signals_raise,
)
from ansible_collections.onebox.stack.plugins.module_utils._process import ProcessError
from ansible_collections.onebox.stack.plugins.module_utils._release import ReleaseError, Store

_FAULTS = (migration.MigrationError, ReleaseError, LockError, ProcessError, InterruptedBySignal, OSError)


def run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    store = Store(Path(params["root"]), params["app"])
    commands = migration.Commands(
        command=tuple(params["command"]),
        bootstrap=tuple(params["bootstrap_command"]),
        version=tuple(params["version_command"]),
        timeout_seconds=params["timeout_seconds"],
    )
    record = migration.read_record(store, params["release"])
    changed = commands.any and record.status != "ok"
    adopted = ""
    if changed and not module.check_mode:
        release = store.require(params["release"])
        module.no_log_values.update(store.secrets_of(release))
        job = migration.Migration(store, release, commands, migration.Programs())
        with lock(store.directory / "migration.lock", "migration_job", f"migration of {release.id}"), signals_raise():
            record = job.perform()
        adopted = job.adopted
    return {"changed": changed, "migration": migration.report(record, store, params["release"]), "adopted": adopted}


def main() -> None:
    words = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/opt/onebox"},
            "release": {"type": "str", "required": True},
            "command": words,
            "bootstrap_command": words,
            "version_command": words,
            "timeout_seconds": {"type": "float", "default": 600},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except _FAULTS as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
