# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that turns what the inventory describes into checks that it is so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: health_checks
short_description: Checks for databases, sites or services
version_added: 0.1.0
description:
  - Turns a list of the inventory into checks for M(onebox.stack.health_check).
options:
  _input:
    description: The list, as in C(postgres_databases), C(proxy_sites) or C(app_services).
    type: list
    elements: dict
    required: true
  kind:
    description: What the list holds.
    type: str
    choices: [databases, sites, services]
    required: true
  app:
    description: Name of the app, for services.
    type: str
  ca_file:
    description: File on the server with the certificate authority of the sites; empty for a public one.
    type: str
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Visit each site
  onebox.stack.health_check:
    checks: "{{ proxy_sites | onebox.stack.health_checks('sites') }}"
"""

RETURN = r"""
_value:
  description: Checks in the form that M(onebox.stack.health_check) takes.
  type: list
  elements: dict
"""

Check = dict[str, Any]
Item = Mapping[str, Any]


def databases(items: Sequence[Item], **_options: str) -> list[Check]:
    """Each database answers a query."""
    return [
        {
            "name": item["name"],
            "type": "sql",
            "container": "postgres",
            "database": item["name"],
            "query": "SELECT 1",
            "expected": "1",
        }
        for item in items
    ]


def sites(items: Sequence[Item], ca_file: str = "", **_options: str) -> list[Check]:
    """Each host name sends plain HTTP to HTTPS, and has a certificate that is trusted."""
    hosts = [host for item in items for host in item["hosts"]]
    redirects = [
        {"name": f"http {host}", "type": "http", "url": f"http://{host}/", "status": [301, 308]} for host in hosts
    ]
    tls = [
        {"name": f"tls {host}", "type": "tls", "host": host, "port": 443, "ca_file": ca_file, "min_days": 1}
        for host in hosts
    ]
    return redirects + tls


def services(items: Sequence[Item], app: str = "", **_options: str) -> list[Check]:
    """Each service runs without restarts, and its heartbeat, where it has one, is young."""
    checks: list[Check] = []
    for item in items:
        labels = {"onebox.app": app, "onebox.service": item["name"]}
        checks.append({"name": item["name"], "type": "container", "labels": labels})
        if item.get("heartbeat_file"):
            checks.append(
                {
                    "name": f"{item['name']} heartbeat",
                    "type": "heartbeat",
                    "labels": labels,
                    "file": item["heartbeat_file"],
                    "max_age_seconds": item.get("heartbeat_seconds", 60),
                }
            )
    return checks


KINDS: dict[str, Callable[..., list[Check]]] = {"databases": databases, "sites": sites, "services": services}


def health_checks(items: Sequence[Item], kind: str, app: str = "", ca_file: str = "") -> list[Check]:
    """Checks for a list of the inventory; raises AnsibleFilterError for an unknown kind."""
    if kind not in KINDS:
        raise AnsibleFilterError(f"health_checks knows {', '.join(KINDS)}, not {kind!r}")
    return KINDS[kind](items, app=app, ca_file=ca_file)


class FilterModule:
    """Tells Ansible which filter is here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"health_checks": health_checks}
