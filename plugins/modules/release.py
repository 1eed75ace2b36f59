#!/usr/bin/python

# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Write a release of an app, and have it serve
version_added: 0.1.0
description:
  - A release is one unit, kept in an immutable directory below C(apps/<app>/releases) with its Compose file, its
    environment and a description. Its id follows from its content, so the same content is written once.
  - With O(state=active) the release starts in the idle one of two slots, beside the release that serves. When all its
    services are ready, the scheduler and the bot move over, the proxy's marker file moves, and the old slot is drained
    and stopped, but kept.
  - A fault before the marker moves puts everything back as it was. The work is done in one call on the server with a
    journal before each step, so that after a lost connection or a killed process one release serves and the next run
    finishes.
  - A service is ready when its containers run without a restart, are healthy where they have a health check, answer
    their C(health_path) with 2xx or 3xx or have a fresh C(heartbeat_file); one without any check when it has run for
    3 seconds.
options:
  state:
    description:
      - V(present) writes the release, V(active) has it serve.
      - O(compose) and what else makes up a release are read for V(present) only.
    type: str
    choices: [present, active]
    default: present
  release:
    description: Id of the release that is to serve, as returned with O(state=present). The newest one when not given.
    type: str
  version:
    description: Version for people, the beginning of the id. The version of O(image) when not given.
    type: str
  image:
    description: The image as returned by M(onebox.stack.image), with C(reference), C(id), C(commit) and C(version).
    type: dict
    default: {}
  compose:
    description:
      - Text of the Compose file. Required for O(state=present).
      - C(${ONEBOX_SLOT}) and C(${ONEBOX_RELEASE}) in it are filled in at the start.
      - Each service needs the labels C(onebox.app), C(onebox.service), C(onebox.type), C(onebox.release) and
        C(onebox.slot).
    type: str
  environment:
    description: Environment variables that are no secrets.
    type: dict
    default: {}
  secrets:
    description: Environment variables that are secrets. They go to a file with mode 0600 and are never shown.
    type: dict
    default: {}
  services:
    description:
      - The services of the release, each with C(name), C(type) (V(web), V(worker), V(scheduler) or V(bot)), and
        optionally C(port), C(health_path), C(heartbeat_file), C(heartbeat_seconds) (60), C(start_seconds) (60) and
        C(replicas) (1).
      - Of a V(scheduler) and a V(bot) no two run at a time. Other keys are for the Compose file and not read here.
    type: list
    elements: dict
    default: []
  migration:
    description: The migration of the release, kept with it; see M(onebox.stack.migration_job).
    type: dict
    default: {}
  deployed_by:
    description: Who does this, for the history.
    type: str
    default: ""
  drain_seconds:
    description: Seconds to wait at most until nobody is connected to the old web services any more.
    type: float
    default: 30
  keep:
    description: How many releases to keep at least; those that a slot holds stay anyway.
    type: int
    default: 5
extends_documentation_fragment: onebox.stack.app
attributes:
  check_mode:
    support: full
    description: Can predict without a change, also on a server that has nothing yet.
  diff_mode:
    support: full
    description: Shows the Compose file against that of the release that serves, and names of variables, never values.
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Write the release
  onebox.stack.release:
    app: shop
    image: "{{ __app_image.image }}"
    compose: "{{ lookup('ansible.builtin.template', 'compose.yaml.j2') }}"
    environment:
      LOG_LEVEL: info
    secrets:
      DATABASE_URL: "{{ app_database_url }}"
    services:
      - {name: web, type: web, port: 3000, health_path: /health}
      - {name: worker, type: worker, heartbeat_file: /tmp/heartbeat, heartbeat_seconds: 30}
      - {name: bot, type: bot}
    deployed_by: "{{ lookup('ansible.builtin.env', 'USER') }}"
  register: __app_release

- name: Have it serve
  onebox.stack.release:
    app: shop
    state: active
    release: "{{ __app_release.release.id }}"
    drain_seconds: 30
"""

RETURN = r"""
release:
  description: The release.
  returned: success
  type: dict
  contains:
    id:
      description: Its id.
      type: str
    directory:
      description: Its directory on the server.
      type: str
    version:
      description: Its version for people.
      type: str
    commit:
      description: Commit from which its image was built, when it is known.
      type: str
    image:
      description: Its image, as given.
      type: dict
    active:
      description: Whether it serves (in check mode, whether it served before).
      type: bool
    slot:
      description: The slot that holds it, V(blue) or V(green), or null.
      type: str
steps:
  description: What was done to have it serve, in order; in check mode what would be done.
  returned: success
  type: list
  elements: str
resumed:
  description: A sentence about an earlier run that was interrupted and is finished by this one, or an empty text.
  returned: success
  type: str
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _docker as docker
from ansible_collections.onebox.stack.plugins.module_utils._activation import Activation, Settings
from ansible_collections.onebox.stack.plugins.module_utils._compose_env import EnvError
from ansible_collections.onebox.stack.plugins.module_utils._lock import (
    InterruptedBySignal,
    LockError,
    lock,
    signals_raise,
)
from ansible_collections.onebox.stack.plugins.module_utils._process import ProcessError
from ansible_collections.onebox.stack.plugins.module_utils._readiness import Machine
from ansible_collections.onebox.stack.plugins.module_utils._release import (
    Content,
    Release,
    ReleaseError,
    Service,
    Store,
    differences,
    now,
)

_FAULTS = (ReleaseError, EnvError, LockError, ProcessError, InterruptedBySignal, OSError)


def present(module: AnsibleModule, store: Store) -> dict[str, Any]:
    """Write the release unless it is there."""
    params = module.params
    content = _content(params)
    wanted = _release(params, content)
    # The next task needs the id as it is. What it spells anyway, such as a secret `1`, is not kept by blotting it out.
    module.no_log_values = {text for text in module.no_log_values if text not in wanted.id}
    found = store.read(wanted.id)
    if found is None and not module.check_mode:
        store.create()
        with lock(store.directory / "lock", params["deployed_by"], f"writing {wanted.id}"), signals_raise():
            store.write(wanted, content)
    diff = [] if found else differences(store, wanted, content)
    return {"changed": found is None, "diff": diff, "steps": [], "resumed": "", "release": found or wanted}


def _content(params: dict[str, Any]) -> Content:
    return Content(
        compose=params["compose"],
        image={key: str(value or "") for key, value in params["image"].items()},
        environment=params["environment"],
        secrets=params["secrets"],
        services=tuple(Service.from_dict(each) for each in params["services"]),
        migration=params["migration"],
    )


def _release(params: dict[str, Any], content: Content) -> Release:
    version = params["version"] or content.image.get("version", "")
    return Release(
        id=content.id(version),
        app=params["app"],
        version=version,
        image=content.image,
        commit=content.image.get("commit", ""),
        services=content.services,
        secret_names=tuple(sorted(content.secrets)),
        created_at=now(),
        created_by=params["deployed_by"],
        migration=content.migration,
    )


def active(module: AnsibleModule, store: Store) -> dict[str, Any]:
    """Have the release serve, alone."""
    params = module.params
    machine = Machine()
    release_id = params["release"] or next((each.id for each in store.releases()), "")
    if module.check_mode and (store.read(release_id) is None or not docker.available(machine.run)):
        steps = ["start the release beside what serves, then switch to it"]
        return {"changed": True, "steps": steps, "resumed": "", "release": Release(release_id, params["app"])}
    wanted = store.require(release_id)
    module.no_log_values.update(store.secrets_of(wanted))
    settings = Settings(params["deployed_by"], params["drain_seconds"], params["keep"])
    if module.check_mode:
        return _outcome(Activation(store, wanted, settings, machine))
    reason = f"having {wanted.id} serve"
    with lock(store.directory / "lock", params["deployed_by"], reason, inherit=True), signals_raise():
        activation = Activation(store, wanted, settings, machine)
        activation.perform()
    return _outcome(activation)


def _outcome(activation: Activation) -> dict[str, Any]:
    steps = [str(step) for step in activation.steps]
    return {"changed": bool(steps), "steps": steps, "resumed": activation.resumed, "release": activation.wanted}


def report(store: Store, result: dict[str, Any]) -> dict[str, Any]:
    """Describe the release as it is now."""
    release: Release = result["release"]
    about = {key: getattr(release, key) for key in ("id", "version", "commit", "image")}
    slot = store.slot_of(release.id)
    place = {"directory": str(store.path(release.id)), "slot": slot, "active": slot == store.marked}
    return {**result, "release": {**about, **place}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "active"], "default": "present"},
            "root": {"type": "path", "default": "/opt/onebox"},
            "release": {"type": "str"},
            "version": {"type": "str"},
            "image": {"type": "dict", "default": {}},
            "compose": {"type": "str"},
            "environment": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "services": {"type": "list", "elements": "dict", "default": []},
            "migration": {"type": "dict", "default": {}},
            "deployed_by": {"type": "str", "default": ""},
            "drain_seconds": {"type": "float", "default": 30},
            "keep": {"type": "int", "default": 5},
        },
        required_if=[("state", "present", ["compose"])],
        supports_check_mode=True,
    )
    store = Store(Path(module.params["root"]), module.params["app"])
    try:
        result = report(store, {"present": present, "active": active}[module.params["state"]](module, store))
    except _FAULTS as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
