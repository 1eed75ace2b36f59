#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refuse a host that cannot become what it is meant for, before anything is touched."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check
short_description: Check that a host has what is needed, and tell what it is
version_added: 0.1.0
author: The onebox.stack maintainers (@onebox-stack)
description:
  - Reads the system, free disk space, listening ports and the Compose plugin of a host, and reports all that is
    missing at once, each with the inventory variable or the step that mends it.
  - What is not asked for is not checked. Without any option, it only tells what the host is.
  - Changes nothing, in check mode and out of it. Needs root to see which process holds a port.
options:
  systems:
    description: Systems that are supported, by name and version. Any other is refused by name.
    type: list
    elements: str
    default: []
  docker_source:
    description:
      - Where Docker's packages are to come from, the variable C(docker_source).
      - V(distro) is refused on a system whose archive has no Compose v2.
    type: str
    choices: [upstream, distro]
  compose_minimum:
    description:
      - Oldest version of the Compose plugin that will do. A host without the plugin passes, since it will be installed.
    type: str
    default: ""
  free_gib:
    description: Free disk space that the images need, in GiB, the variable C(docker_free_gib).
    type: float
    default: 0
  path:
    description: Where the space is needed. When it does not exist yet, its nearest parent counts.
    type: path
    default: /var/lib/docker
  ports:
    description: TCP ports that must be free on every address of the host.
    type: list
    elements: int
    default: []
  ports_project:
    description: Compose project whose containers may hold the O(ports), since they are what will listen there.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: The same in check mode.
  diff_mode:
    support: none
    description: Nothing is changed, so there is nothing to compare.
"""

EXAMPLES = r"""
- name: Make sure that the system is supported and has room
  onebox.stack.host_check:
    systems: [Debian 12, Debian 13, Ubuntu 24.04]
    docker_source: upstream
    compose_minimum: "2.20"
    free_gib: 5

- name: Make sure that the proxy's ports are free
  onebox.stack.host_check:
    ports: [80, 443]
    ports_project: proxy

- name: Read the host's memory
  onebox.stack.host_check: {}
  register: host
"""

RETURN = r"""
problems:
  description: What is missing, one sentence each. Empty when all is well.
  returned: always
  type: list
  elements: str
  sample: ["port 80 is held by nginx (pid 812); stop it: systemctl disable --now nginx"]
system:
  description: The system's name and version.
  returned: always
  type: str
  sample: Debian 13
memory_bytes:
  description: Memory of the host, in bytes.
  returned: always
  type: int
  sample: 4110655488
cpus:
  description: Number of processors.
  returned: always
  type: int
  sample: 2
free_bytes:
  description: Free disk space at O(path), in bytes.
  returned: always
  type: int
  sample: 21474836480
compose_version:
  description: Version of the Compose plugin. Empty when there is none.
  returned: always
  type: str
  sample: 2.26.1
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.onebox.stack.plugins.module_utils import _host, _process

ARGUMENTS: dict[str, dict[str, Any]] = {
    "systems": {"type": "list", "elements": "str", "default": []},
    "docker_source": {"type": "str", "choices": ["upstream", "distro"]},
    "compose_minimum": {"type": "str", "default": ""},
    "free_gib": {"type": "float", "default": 0},
    "path": {"type": "path", "default": "/var/lib/docker"},
    "ports": {"type": "list", "elements": "int", "default": []},
    "ports_project": {"type": "str", "default": ""},
}


def run(params: dict[str, Any]) -> dict[str, Any]:
    needs = _host.Needs(
        systems=tuple(params["systems"]),
        free_gib=params["free_gib"],
        ports=tuple(params["ports"]),
        ports_project=params["ports_project"],
        compose_minimum=params["compose_minimum"],
        docker_source=params["docker_source"] or "",
    )
    host = _host.read(_process.run, Path("/"), params["path"], needs.ports)
    return {
        "changed": False,
        "problems": _host.problems(host, needs),
        "system": host.system,
        "memory_bytes": host.memory_bytes,
        "cpus": host.cpus,
        "free_bytes": host.free_bytes,
        "compose_version": host.compose_version,
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module.params)
    except _host.HostError as error:
        module.fail_json(msg=str(error))
    if result["problems"]:
        module.fail_json(msg=_host.report(result["problems"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
