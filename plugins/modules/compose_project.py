#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Compose project whose containers run and have read their configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_project
short_description: A Compose project that runs, is healthy, and has read its configuration
version_added: 0.1.0
author: The onebox.stack maintainers (@onebox-stack)
description:
  - Makes the containers of a project those of its C(compose.yaml) and env files, then waits until each is well.
  - Well is a container that is healthy, or has run for 3 seconds where it has no health check, or a one-shot job (a
    service without a restart policy) that has ended with code 0.
  - Has a service read changed configuration files by a command of its own (O(reload)), so that no handler is needed,
    which would be lost when a run is killed.
  - What the last complete run left is recorded in C(/var/lib/onebox/<name>.compose.json), as fingerprints. An image
    tag that was moved by a pull of somebody else is taken when something else changes, too.
options:
  name:
    description: Name of the project.
    type: str
    required: true
  directory:
    description: Absolute path of the directory that holds C(compose.yaml).
    type: path
    required: true
  networks:
    description:
      - External networks of the project, made when they are missing, with the label C(onebox.network=true).
    type: list
    elements: str
    default: []
  reload:
    description: How services read changed files without being started anew.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: Name of the service.
        type: str
        required: true
      command:
        description: Command to run in each of its containers. It must fail when it refuses the files.
        type: list
        elements: str
        required: true
      paths:
        description: Files and directories on the server that it reads, as absolute paths. A path may be missing.
        type: list
        elements: path
        required: true
  wait_seconds:
    description: How long the services may take to become well, in seconds.
    type: int
    default: 120
extends_documentation_fragment: onebox.stack.written
attributes:
  check_mode:
    support: full
    description: Tells what would be done. Without Docker, Compose file or engine, all of it would.
  diff_mode:
    support: full
    description: Shows the steps and their reasons.
"""

EXAMPLES = r"""
- name: Run the proxy with the sites on disk
  onebox.stack.compose_project:
    name: proxy
    directory: /opt/onebox/proxy
    networks: [onebox_edge]
    reload:
      - service: proxy
        command: [caddy, reload, --force, --config, /etc/caddy/Caddyfile]
        paths: [/opt/onebox/proxy/Caddyfile, /opt/onebox/proxy/sites]
"""

RETURN = r"""
services:
  description: The project's containers after the run; in check mode as they are now.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the service.
      type: str
      sample: proxy
    container:
      description: Name of the container.
      type: str
      sample: proxy-proxy-1
    state:
      description: State of the container, such as V(running), or V(exited) for a one-shot job.
      type: str
      sample: running
    health:
      description: What its health check says. Empty where it has none.
      type: str
      sample: healthy
actions:
  description: What was needed, in order.
  returned: success
  type: list
  elements: str
  sample: [create network onebox_edge, up, reload proxy]
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _compose as compose
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container, create_network
from ansible_collections.onebox.stack.plugins.module_utils._fingerprint import concerns, fingerprint, recall, record
from ansible_collections.onebox.stack.plugins.module_utils._process import ProcessError, Run, run

RELOAD: dict[str, dict[str, Any]] = {
    "service": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    "paths": {"type": "list", "elements": "path", "required": True},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "networks": {"type": "list", "elements": "str", "default": []},
    "reload": {"type": "list", "elements": "dict", "default": [], "options": RELOAD},
    "written": {"type": "list", "elements": "path", "default": []},
    "wait_seconds": {"type": "int", "default": 120},
}
FILES = ("compose.yaml", "env")  # what a change of recreates containers


@dataclass(frozen=True)
class Plan:
    """What is missing, and the state that it was found in."""

    project: compose.Project
    found: tuple[Container, ...]
    networks: tuple[str, ...]
    why_up: str
    reloads: tuple[compose.Reload, ...]  # without those of containers that `up` has still to make

    @property
    def steps(self) -> dict[str, str]:
        """What to do, in order, and why."""
        networks = {f"create network {name}": "it is missing" for name in self.networks}
        reloads = {f"reload {one.service}": "its files changed" for one in self.reloads}
        return {**networks, **({"up": self.why_up} if self.why_up else {}), **reloads}


def wanted_reloads(params: dict[str, Any]) -> list[compose.Reload]:
    """The reloads as the options describe them, with the fingerprint of the files as they are now."""
    return [
        compose.Reload(one["service"], tuple(one["command"]), fingerprint(one["paths"])) for one in params["reload"]
    ]


def read(params: dict[str, Any], known: compose.Record, ask: Run) -> Plan:
    """Read the Compose file, the containers and the files that services read, and plan."""
    name, directory = params["name"], params["directory"]
    if not Path(directory, "compose.yaml").is_file():
        raise compose.ComposeError(f"{directory}/compose.yaml does not exist; nothing was changed. Write it first.")
    project = compose.read_project(ask, name, directory)
    wanted = wanted_reloads(params)
    compose.refuse_unknown(project, wanted)
    found = compose.read_containers(ask, name)
    absent = [one.service for one in wanted if not compose.of_service(one.service, found)]
    return Plan(
        project,
        found,
        tuple(compose.unknown_networks(ask, params["networks"], found)),
        compose.why_up(project, found, known),
        compose.reloads(wanted, known, absent),
    )


def write(plan: Plan, params: dict[str, Any], known: compose.Record, ask: Run) -> Plan:
    """Carry the plan out, or just wait until all is well, and record what the containers have read.

    Returns the plan with the containers as they are now, and those reloads that were needed after all.
    """
    name, memory = params["name"], memory_of(params)
    wanted = wanted_reloads(params)
    for network in plan.networks:
        create_network(ask, network)
    if plan.why_up:
        record(memory, {})  # a run that is killed here leaves nothing that the next one would believe
        compose.up(ask, plan.project, name, params["directory"])
    found = compose.wait(ask, plan.project, name, params["wait_seconds"], None if plan.why_up else plan.found)
    pending = compose.reloads(wanted, known, compose.created(plan.found, found))
    done = {one.service: one.files for one in wanted if one not in pending}
    for step in (None, *pending):
        if step:
            compose.reload(ask, step, found)
            done[step.service] = step.files
        now = compose.Record(plan.project.config, compose.hashes(found), done).to_dict()
        if step or now != known.to_dict():
            record(memory, now)
    return replace(plan, found=found, reloads=pending)


def memory_of(params: dict[str, Any]) -> str:
    return f"{params['name']}.compose.json"


def converge(params: dict[str, Any], check_mode: bool, ask: Run = run) -> dict[str, Any]:
    """Read, plan, write, report."""
    known = compose.Record.from_dict(recall(memory_of(params)))
    try:
        plan = read(params, known, ask)
    except (compose.ComposeError, ProcessError):
        if check_mode and not (Path(params["directory"], "compose.yaml").is_file() and compose.ready(ask)):
            return report({"up": "there is no such project yet"}, ())
        raise
    if check_mode:
        return report(foretell(plan.steps, params), plan.found)
    done = write(plan, params, known, ask)
    return report(done.steps, done.found)


def foretell(steps: dict[str, str], params: dict[str, Any]) -> dict[str, str]:
    """Add to the steps what the files that check mode did not write will need."""
    written = params["written"]
    if "up" in steps:
        return steps
    if concerns(written, [f"{params['directory']}/{name}" for name in FILES]):
        return {**steps, "up": "its files change"}
    reloads = {
        f"reload {one['service']}": "its files change" for one in params["reload"] if concerns(written, one["paths"])
    }
    return {**steps, **reloads}


def report(steps: dict[str, str], found: tuple[Container, ...]) -> dict[str, Any]:
    """The module's answer."""
    return {
        "changed": bool(steps),
        "actions": list(steps),
        "services": [
            {
                "name": one.labels.get(compose.SERVICE, ""),
                "container": one.name,
                "state": one.state,
                "health": one.health,
            }
            for one in found
        ],
        "diff": {"before": "", "after": "".join(f"{step}: {reason}\n" for step, reason in steps.items())},
    }


def main() -> None:
    """Give Ansible the answer."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = converge(module.params, module.check_mode)
    except (compose.ComposeError, ProcessError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
