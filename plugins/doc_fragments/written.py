# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Option of the modules that have programs read changed files."""

from __future__ import annotations


class ModuleDocFragment:
    """What the run itself has changed before."""

    DOCUMENTATION = r"""
options:
  written:
    description:
      - Files that an earlier task of the run has written, as M(onebox.stack.config_files) returns them.
      - In check mode they are still the old ones on disk, and what the new ones will need is told by their names.
    type: list
    elements: path
    default: []
"""
