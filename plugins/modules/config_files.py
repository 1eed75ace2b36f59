#!/usr/bin/python
# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write all files of a role in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Writes all configuration files of a role in one call
version_added: 0.1.0
description:
  - Writes a list of small text files, each atomically, with the directories above them.
  - One call takes the place of a loop of file, copy and template tasks, which costs a second for every few files.
  - A file that was there before this module first wrote it is kept beside it, with C(.before-onebox) added to its name.
  - A file that is checked by a program (O(files[].validate)) replaces the old one only when the program accepts it.
options:
  files:
    description: The files, in the order in which they are written.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path. Missing directories above it are made with mode 0755, or 0700 for a secret file.
        type: path
        required: true
      content:
        description:
          - The whole text. Either this or O(files[].secret_content).
        type: str
      secret_content:
        description:
          - The whole text of a file that holds a secret. It is written with mode 0600 and never shown.
        type: str
      mode:
        description: Permissions, in octal; 0644, or 0600 for a secret file, when left out.
        type: str
      validate:
        description:
          - Command that checks the new text, C(%s) standing for its path. Skipped while the program is not installed.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    description: Can tell what would change without changing it.
    support: full
  diff_mode:
    description: Shows the old and the new text, except of secret files.
    support: full
author:
  - The onebox.stack maintainers (@onebox-stack)
"""

EXAMPLES = r"""
- name: Write the Compose file and its password
  onebox.stack.config_files:
    files:
      - path: /opt/onebox/postgres/compose.yaml
        content: "{{ lookup('ansible.builtin.template', 'compose.yaml.j2') }}"
      - path: /opt/onebox/postgres/env
        secret_content: "POSTGRES_PASSWORD={{ postgres_password }}\n"
"""

RETURN = r"""
paths:
  description: Paths of the files that were written, or would be.
  returned: always
  type: list
  elements: str
  sample: [/opt/onebox/postgres/compose.yaml]
"""

import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils._config_files import (
    ConfigFile,
    ConfigFilesError,
    State,
    stale,
)
from ansible_collections.onebox.stack.plugins.module_utils._files import read_text_or_none, write_atomically
from ansible_collections.onebox.stack.plugins.module_utils._fingerprint import recall, record
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, run
from ansible_collections.onebox.stack.plugins.module_utils._quiet import QuietModule

RECORD = "config_files.json"  # the paths that are ours


def wanted(options: Sequence[Mapping[str, Any]]) -> tuple[ConfigFile, ...]:
    """The files as the options describe them; raises ConfigFilesError for a file without text."""
    return tuple(ConfigFile.from_options(option) for option in options)


def read(file: ConfigFile) -> State:
    """Text and permissions on disk; None for both when there is no file."""
    path = Path(file.path)
    text = read_text_or_none(path)
    return State(text, None if text is None else stat.S_IMODE(path.stat().st_mode))


def validate(file: ConfigFile, ask: Run) -> None:
    """Raise ConfigFilesError with the program's words when it refuses the new text."""
    if not file.validate or shutil.which(file.validate[0]) is None:
        return
    with tempfile.NamedTemporaryFile("w", suffix=Path(file.path).suffix) as draft:
        draft.write(file.text)
        draft.flush()
        answer = ask([word.replace("%s", draft.name) for word in file.validate])
    if answer.returncode != 0:
        message = (answer.stderr or answer.stdout).strip().replace(draft.name, file.path)
        raise ConfigFilesError(
            f"{file.path} was not changed, because {file.validate[0]} refuses its new text: {message}"
        )


def keep_aside(file: ConfigFile, found: State) -> None:
    """Keep a copy of what somebody else wrote, once, before it is replaced for the first time."""
    ours = recall(RECORD).get("paths", [])
    if file.path in ours:
        return
    if found.text is not None and found.mode is not None:
        write_atomically(Path(f"{file.path}.before-onebox"), found.text, found.mode)
    record(RECORD, {"paths": sorted([*ours, file.path])})


def write(file: ConfigFile, found: State) -> None:
    """Make the directories above the file, then replace it atomically."""
    keep_aside(file, found)
    path = Path(file.path)
    path.parent.mkdir(mode=0o700 if file.secret else 0o755, parents=True, exist_ok=True)
    write_atomically(path, file.text, file.mode)


def main() -> None:
    """Read, plan, write, report."""
    option = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "secret_content": {"type": "str", "no_log": True},
        "mode": {"type": "str"},
        "validate": {"type": "list", "elements": "str", "default": []},
    }
    module = QuietModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": option}},
        supports_check_mode=True,
    )
    try:
        before = {file: read(file) for file in wanted(module.params["files"])}
        plan = stale(before)
        for file in plan:
            validate(file, run)
        for file in () if module.check_mode else plan:
            write(file, before[file])
    except (ConfigFilesError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(plan),
        paths=[file.path for file in plan],
        diff=[file.diff(before[file]) for file in plan],
    )


if __name__ == "__main__":
    main()
