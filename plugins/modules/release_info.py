#!/usr/bin/python

# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Tell which release of an app serves, which others are there, and what happened
version_added: 0.1.0
description:
  - Reads the files of an app's releases on the server. Needs no container engine and changes nothing.
options:
  history:
    description: How many entries of the history to return at most, the newest.
    type: int
    default: 10
extends_documentation_fragment: onebox.stack.app
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: N/A
    description: Changes nothing.
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Ask which release of the shop serves
  onebox.stack.release_info:
    app: shop
  register: __shop
"""

RETURN = r"""
active:
  description: The release that serves, or null before the first.
  returned: success
  type: dict
  contains:
    id:
      description: Id of the release.
      type: str
    version:
      description: Version that was asked for.
      type: str
    image:
      description: The image, with C(reference), C(id), C(commit) and C(version).
      type: dict
    commit:
      description: Commit from which the image was built, when it is known.
      type: str
    slot:
      description: V(blue) or V(green).
      type: str
    since:
      description: Since when it serves, UTC, ISO 8601; empty when no run has ended yet.
      type: str
    deployed_by:
      description: Who made it serve.
      type: str
    services:
      description: The services, as the engine knows them.
      type: list
      elements: dict
releases:
  description: All releases on the server, newest first, with C(id), C(version), C(commit), C(created_at),
    C(created_by), C(slot) (null unless a slot holds it), C(active) and C(migration) (V(none), V(running), V(ok) or
    V(failed)).
  returned: success
  type: list
  elements: dict
history:
  description: Actions, newest first, with C(at), C(by), C(action), C(release), C(version), C(commit), C(previous),
    C(outcome) (V(active) or V(failed)), C(seconds) and C(detail).
  returned: success
  type: list
  elements: dict
interrupted:
  description: The journal of a run that did not come to its end, with C(release), C(slot), C(step), C(previous), C(at)
    and C(by); null when there is none. A run that is going on at this moment looks the same.
  returned: success
  type: dict
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils._release import ReleaseError, Store, overview


def run(module: AnsibleModule) -> dict[str, Any]:
    store = Store(Path(module.params["root"]), module.params["app"])
    return {"changed": False, **overview(store, module.params["history"])}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/opt/onebox"},
            "history": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
