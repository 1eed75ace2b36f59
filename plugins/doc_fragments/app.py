# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the modules that work on the releases of an app."""

from __future__ import annotations


class ModuleDocFragment:
    """Which app, and where."""

    DOCUMENTATION = r"""
options:
  app:
    description: Name of the app.
    type: str
    required: true
  root:
    description: Directory of the stack on the server.
    type: path
    default: /opt/onebox
"""
