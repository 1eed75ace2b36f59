# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""For modules that take secrets inside of lists."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule


class QuietModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """A module whose arguments do not go to the system's log.

    Ansible looks there for secrets in the printed form of a list, in which one with a quote or a line break reads
    differently and stays. Its own `no_log` for a whole list would also hide names and paths from the output.
    """

    def log(self, msg: str, log_args: Any = None) -> None:
        """Write nothing."""
