# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What configuration files hold, as one short text, and where a module remembers the last one that took effect.

A handler is lost when a run is killed between the write of a file and the restart. A fingerprint that is recorded
after the restart is not: the next run finds the difference and mends it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils._files import read_text_or_none, write_atomically

STATE = Path("/var/lib/onebox")


def fingerprint(paths: Iterable[str]) -> str:
    """Hash names and contents of these files, and of all files below these directories."""
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        for file in _files(Path(path)):
            total.update(f"{file}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def newest(paths: Iterable[str]) -> float:
    """Return the latest time of change of these files, directories, and all below; 0 when there is none."""
    found = (each for path in paths for each in (Path(path), *Path(path).rglob("*")) if each.exists())
    return max((each.stat().st_mtime for each in found), default=0)


def concerns(written: Iterable[str], paths: Iterable[str]) -> bool:
    """Whether one of the files written is, or is below, one of these paths."""
    above = [Path(path) for path in paths]
    return any(Path(file).is_relative_to(path) for file in written for path in above)


def _files(path: Path) -> Iterator[Path]:
    yield from sorted(each for each in (path, *path.rglob("*")) if each.is_file())


def recall(name: str) -> dict[str, Any]:
    """Return what was recorded under a name; nothing when there is no record or it is damaged."""
    try:
        known = json.loads(read_text_or_none(STATE / name) or "{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def record(name: str, what: dict[str, Any]) -> None:
    """Remember something under a name, for root only."""
    STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_atomically(STATE / name, json.dumps(what, indent=2, sort_keys=True) + "\n", 0o600)
