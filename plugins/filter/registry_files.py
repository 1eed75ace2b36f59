# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that turns registries into files of module config_files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: registry_files
short_description: Files that let the Docker Engine use registries
version_added: 0.1.0
description:
  - Turns the list C(docker_registries) into files for M(onebox.stack.config_files), the certificate authority of each
    registry and root's C(config.json) with the logins.
options:
  _input:
    description: The registries, as in the input C(docker_registries) of the role C(docker).
    type: list
    elements: dict
    required: true
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Write the logins of the registries
  onebox.stack.config_files:
    files: "{{ docker_registries | onebox.stack.registry_files }}"
"""

RETURN = r"""
_value:
  description: Files in the form that M(onebox.stack.config_files) takes.
  type: list
  elements: dict
"""


# By this name, and no other, the Docker CLI looks for the login of Docker Hub.
HUB = "https://index.docker.io/v1/"
HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com")


def registry_files(registries: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The certificate authorities and the logins of registries, as files."""
    return [*(authority(item) for item in registries if item.get("ca_file")), *logins(registries)]


def authority(registry: Mapping[str, Any]) -> dict[str, str]:
    """The file by which the engine trusts a private registry; raises AnsibleFilterError when it cannot be read."""
    try:
        text = Path(registry["ca_file"]).expanduser().read_text()
    except OSError as error:
        raise AnsibleFilterError(f"docker_registries: ca_file of {registry['host']} cannot be read: {error}") from error
    return {"path": f"/etc/docker/certs.d/{registry['host']}/ca.crt", "content": text}


def logins(registries: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Root's config.json, the place where the Docker CLI looks for logins; none without a login."""
    logins = {
        HUB if item["host"] in HUB_HOSTS else item["host"]: f"{item['username']}:{item.get('password', '')}"
        for item in registries
        if item.get("username")
    }
    auths = {host: {"auth": base64.b64encode(login.encode()).decode()} for host, login in logins.items()}
    if not auths:
        return []
    return [{"path": "/root/.docker/config.json", "secret_content": json.dumps({"auths": auths}, indent=2) + "\n"}]


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"registry_files": registry_files}
