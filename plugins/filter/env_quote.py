# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that quotes a value for an environment file."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.onebox.stack.plugins.module_utils._compose_env import quote

DOCUMENTATION = r"""
name: env_quote
short_description: Quotes a value for an environment file of Compose
version_added: 0.1.0
description:
  - Quotes a text so that Docker Compose reads it back from an C(env_file) exactly as it is.
options:
  _input:
    description: The text.
    type: str
    required: true
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Show a line of an environment file
  ansible.builtin.debug:
    msg: "GREETING={{ 'it costs $5' | onebox.stack.env_quote }}"
"""

RETURN = r"""
_value:
  description: The quoted text.
  type: str
"""


def env_quote(value: object) -> str:
    """Quote a text; a password of digits arrives as a number."""
    return quote(str(value))


class FilterModule:
    """Tells Ansible which filter is here."""

    def filters(self) -> dict[str, Callable[[object], str]]:
        """Filters by name."""
        return {"env_quote": env_quote}
