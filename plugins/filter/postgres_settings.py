# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that tunes PostgreSQL to a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: postgres_settings
short_description: Settings of PostgreSQL that fit a server
version_added: 0.1.0
description:
  - Computes settings of C(postgresql.conf) from the memory and the processors of a server, by the rules of thumb of
    the PostgreSQL manual (chapter Resource Consumption) for a server that also runs other things.
options:
  _input:
    description: Result of M(onebox.stack.host_check), of which C(memory_bytes) and C(cpus) are read.
    type: dict
    required: true
  memory_percent:
    description: Part of the memory for shared buffers, in percent.
    type: int
    required: true
  max_connections:
    description: Connections accepted at once.
    type: int
    required: true
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Show the settings
  ansible.builtin.debug:
    msg: "{{ host | onebox.stack.postgres_settings(25, 100) }}"
"""

RETURN = r"""
_value:
  description: Values by the name of the setting.
  type: dict
"""

MEBIBYTE = 1024**2
SMALLEST_BUFFERS, LARGEST_BUFFERS = 64, 8192


def postgres_settings(host: Mapping[str, Any], memory_percent: int | str, max_connections: int | str) -> dict[str, str]:
    """Settings for a server with `memory_bytes` and `cpus`; values carry their units."""
    percent, connections = int(memory_percent), int(max_connections)  # texts, when given with `-e`
    memory = int(host["memory_bytes"]) // MEBIBYTE
    cpus = int(host["cpus"])
    # Whole 16 MiB, so that a kernel update that takes a page of memory does not restart the database.
    buffers = min(max(memory * percent // 100 // 16 * 16, SMALLEST_BUFFERS), LARGEST_BUFFERS)
    # Each connection may sort a few times at once.
    work = min(max(buffers // connections, 4), 64)
    return {
        "max_connections": str(connections),
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{buffers * 2}MB",
        "work_mem": f"{work}MB",
        "maintenance_work_mem": f"{min(max(buffers // 4, 32), 1024)}MB",
        "max_worker_processes": str(max(cpus, 8)),
        "max_parallel_workers": str(cpus),
        "max_parallel_workers_per_gather": str(max(cpus // 2, 1)),
        "random_page_cost": "1.1",
        "password_encryption": "scram-sha-256",
        "log_min_duration_statement": "1s",
    }


class FilterModule:
    """Tells Ansible which filter is here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"postgres_settings": postgres_settings}
