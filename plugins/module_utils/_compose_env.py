# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Environment files as Docker Compose reads them, and the secrets in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

HIDDEN = "********"
SHORTEST = 4  # a "1" turns up in every text: to hide it would keep nothing and make every message unreadable
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENTRY = re.compile(r"""(?P<name>\w+)=(?:'(?P<plain>[^']*)'|"(?P<escaped>(?:[^"\\]|\\.)*)")\n""", re.DOTALL)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\r": "\\r"}


class EnvError(Exception):
    """A name or a value cannot stand in an environment file."""


def text_of(name: str, value: Any) -> str:
    """Return the text that stands for a value of the inventory."""
    if not _NAME.fullmatch(name):
        raise EnvError(f"{name!r} is not a name for an environment variable; right is for example LOG_LEVEL")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        raise EnvError(f"{name} is a {type(value).__name__}; a variable takes a text or a number, for example 'info'")
    text = "" if value is None else str(value)
    if "\0" in text:
        raise EnvError(f"{name} holds a NUL character, which no environment variable can")
    return text


def quote(text: str) -> str:
    """Quote a value so that Compose reads it back as it is."""
    if "'" not in text and "\r" not in text and not text.endswith("\\"):
        return f"'{text}'"
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def render(values: Mapping[str, Any]) -> str:
    """Return an environment file, sorted by name."""
    return "".join(f"{name}={quote(text_of(name, values[name]))}\n" for name in sorted(values))


def parse(text: str) -> dict[str, str]:
    """Read back what render wrote."""
    back = {escaped: char for char, escaped in _ESCAPES.items()}
    return {
        entry["name"]: entry["plain"]
        if entry["plain"] is not None
        else re.sub(r"\\.", lambda found: back[found[0]], entry["escaped"], flags=re.DOTALL)
        for entry in _ENTRY.finditer(text)
    }


def secret_texts(values: Iterable[str]) -> list[str]:
    """Return all texts that give these secrets away, longest first: also the password in a URL, a line of a key."""
    parts = {part for value in values for part in _parts(value) if len(part.strip()) >= SHORTEST}
    return sorted(parts, key=len, reverse=True)


def _parts(value: str) -> Iterator[str]:
    yield value
    yield from (line for line in value.splitlines() if len(line) >= 16)  # noqa: PLR2004 - "-----" and braces are no secret
    try:
        password = urlsplit(value).password or ""
    except ValueError:
        return
    yield from (password, unquote(password))


def mask(text: str, secrets: Iterable[str]) -> str:
    """Hide secrets in a text."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
