# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which configuration files differ from what is wanted, and how the difference is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ConfigFilesError(Exception):
    """A file cannot be written as asked; the message says which and why."""


@dataclass(frozen=True)
class ConfigFile:
    """A file as it should be: its text, its permissions, and the program that checks it."""

    path: str
    text: str
    mode: int
    secret: bool = False
    validate: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, option: Mapping[str, Any]) -> ConfigFile:
        """Build one from an item of the module's C(files); raises ConfigFilesError without exactly one text."""
        path = option["path"]
        texts = [option[key] for key in ("content", "secret_content") if option.get(key) is not None]
        if len(texts) != 1:
            raise ConfigFilesError(f"{path}: give exactly one of content and secret_content. Example: content: text")
        secret = option.get("secret_content") is not None
        mode = option.get("mode") or ("0600" if secret else "0644")
        try:
            bits = int(mode, 8)
        except ValueError:
            raise ConfigFilesError(f"{path}: mode {mode!r} is not octal. Example: mode: '0644'") from None
        return cls(path, texts[0], bits, secret, tuple(option.get("validate") or ()))

    def diff(self, before: State) -> dict[str, str]:
        """The difference in the form that Ansible's diff mode shows; of a secret file only that there is one."""
        if self.secret:
            return {"header": self.path, "prepared": f"{self.path}: holds a secret, its text is not shown\n"}
        if before.text == self.text:
            old, new = (f"mode {before.mode:04o}\n", f"mode {self.mode:04o}\n")
        else:
            old, new = (before.text or "", self.text)
        return {"before_header": self.path, "after_header": self.path, "before": old, "after": new}


@dataclass(frozen=True)
class State:
    """What is on disk: text and permissions, both None when there is no such file."""

    text: str | None = None
    mode: int | None = None


def stale(states: Mapping[ConfigFile, State]) -> tuple[ConfigFile, ...]:
    """The files that must be written because text or permissions differ."""
    return tuple(file for file, state in states.items() if (state.text, state.mode) != (file.text, file.mode))
