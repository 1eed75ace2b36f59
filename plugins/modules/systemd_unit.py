#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A systemd unit that runs with the configuration on disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_unit
short_description: A systemd unit that runs, starts at boot, and has read its configuration
version_added: 0.1.0
author: The onebox.stack maintainers (@onebox-stack)
description:
  - Enables and starts a unit, and restarts or reloads it when its configuration files are not those that it has read.
  - Takes the place of a handler, which is lost when a run is killed between the write of a file and the restart.
    Which configuration the unit has read is recorded in C(/var/lib/onebox/<name>.unit.json).
  - A unit that somebody restarted after the last change of a file needs nothing.
options:
  name:
    description: Name of the unit.
    type: str
    required: true
  config:
    description:
      - Files and directories that hold the unit's configuration, as absolute paths. A path may be missing.
      - A difference in a name or in a content counts. When the unit's own file changed, systemd reads it again first.
    type: list
    elements: path
    default: []
  action:
    description: What makes the unit read a changed configuration.
    type: str
    choices: [restarted, reloaded]
    default: restarted
extends_documentation_fragment: onebox.stack.written
attributes:
  check_mode:
    support: full
    description: Tells what would be done. A unit that does not exist yet would be enabled and started.
  diff_mode:
    support: full
    description: Shows the unit's state and the steps.
"""

EXAMPLES = r"""
- name: Run the engine with the settings on disk
  onebox.stack.systemd_unit:
    name: docker
    config:
      - /etc/docker/daemon.json

- name: Run the SSH server with the settings on disk, without closing a session
  onebox.stack.systemd_unit:
    name: ssh
    action: reloaded
    config:
      - /etc/ssh/sshd_config
      - /etc/ssh/sshd_config.d
"""

RETURN = r"""
actions:
  description: Verbs of C(systemctl) that were needed, in order.
  returned: success
  type: list
  elements: str
  sample: [enable, restart]
state:
  description: State of the unit after the run, such as V(active); in check mode as it is now.
  returned: success
  type: str
  sample: active
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _systemd as systemd
from ansible_collections.onebox.stack.plugins.module_utils._fingerprint import (
    concerns,
    fingerprint,
    newest,
    recall,
    record,
)
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, run

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "config": {"type": "list", "elements": "path", "default": []},
    "written": {"type": "list", "elements": "path", "default": []},
    "action": {"type": "str", "choices": ["restarted", "reloaded"], "default": "restarted"},
}


def read_unit(name: str, check_mode: bool, ask: Run) -> systemd.Unit:
    """The unit; in check mode one that is not there yet is what a bare host has."""
    try:
        unit = systemd.read(ask, name)
    except systemd.UnitError:
        if check_mode:
            return systemd.Unit()
        raise
    if not (check_mode and unit.loaded == "not-found"):
        systemd.refuse(name, unit)
    return unit


def read_config(paths: list[str]) -> systemd.Config:
    """The configuration, its time of change on the clock that systemd uses."""
    since_boot = time.clock_gettime(time.CLOCK_MONOTONIC)
    return systemd.Config(fingerprint(paths), newest(paths) - time.time() + since_boot)


def converge(params: dict[str, Any], check_mode: bool, ask: Run = run) -> dict[str, Any]:
    """Read, plan, write, report."""
    name, memory = params["name"], f"{params['name']}.unit.json"
    before, config = read_unit(name, check_mode, ask), read_config(params["config"])
    mark = systemd.Mark.from_dict(recall(memory))
    # A unit of a package that is still to be installed: Debian's packages enable and start what they bring.
    verbs = () if before == systemd.Unit() else systemd.plan(before, config, mark, params["action"])
    if check_mode and not verbs and before.running and concerns(params["written"], params["config"]):
        verbs = (systemd.VERBS[params["action"]],)
    after = before
    if not check_mode:
        if verbs:
            record(memory, systemd.Mark(before.invocation).to_dict())  # until it is known what the unit has read
            after = systemd.write(ask, name, verbs)
        if (now := systemd.Mark(after.invocation, config.fingerprint)) != mark:
            record(memory, now.to_dict())
    steps = "".join(f"{' '.join(systemd.argv(verb, name))}\n" for verb in verbs)
    return {
        "changed": bool(verbs),
        "actions": list(verbs),
        "state": after.active,
        "diff": {"before": f"{name} is {before.active}\n" if verbs else "", "after": steps},
    }


def main() -> None:
    """Give Ansible the answer."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = converge(module.params, module.check_mode)
    except (systemd.UnitError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
