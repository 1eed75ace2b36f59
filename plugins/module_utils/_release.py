# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases on disk: immutable directories, the links of the two slots, the history, the journal."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils import _compose_env as compose_env
from ansible_collections.onebox.stack.plugins.module_utils._files import (
    link_atomically,
    read_text_or_none,
    sync_directory,
    write_atomically,
)

SLOTS = ("blue", "green")
OTHER = {"blue": "green", "green": "blue"}
SINGLETONS = ("scheduler", "bot")  # of these no two may run at a time: they move at the switch
TYPES = ("web", "worker", *SINGLETONS)
_DURATIONS = ("heartbeat_seconds", "start_seconds", "replicas")


class ReleaseError(Exception):
    """A release cannot be written, read or served; the message says why, how things are, and what to do."""


@dataclass(frozen=True)
class Service:
    """What the engine has to know of a service; all else stands in the release's compose.yaml."""

    name: str
    type: str = "web"
    port: int = 0
    health_path: str = ""
    heartbeat_file: str = ""
    heartbeat_seconds: int = 60
    start_seconds: int = 60
    replicas: int = 1

    @property
    def singleton(self) -> bool:
        return self.type in SINGLETONS

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Service:
        """Read a service of the inventory; keys that only the Compose file needs are passed over."""
        known = {one.name: raw[one.name] for one in fields(cls) if raw.get(one.name) is not None}
        # The inventory may hold a number in quotes.
        known |= {key: int(known[key]) for key in ("port", *_DURATIONS) if str(known.get(key)).isdecimal()}
        service = cls(**{"name": "", **known})
        if not service.name or service.type not in TYPES:
            raise ReleaseError(
                f"services: {service.name or 'a service'} of type {service.type!r}: a service needs a name and one of "
                f"the types {', '.join(TYPES)}, for example {{name: web, type: web, port: 3000}}."
            )
        numbers = {key: getattr(service, key) for key in ("port", *_DURATIONS)}
        for key, value in numbers.items():
            if type(value) is not int or value < (key in _DURATIONS):
                raise ReleaseError(f"services: {key} of {service.name} is {value!r}, not a number, for example 60.")
        if service.health_path and not service.port:
            raise ReleaseError(f"services: {service.name} has a health_path but no port, for example port: 3000.")
        return service


@dataclass(frozen=True)
class Release:
    """One release as its release.json describes it."""

    id: str
    app: str
    version: str = ""
    image: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    services: tuple[Service, ...] = ()
    secret_names: tuple[str, ...] = ()
    created_at: str = ""
    created_by: str = ""
    migration: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Release:
        known = {one.name: raw[one.name] for one in fields(cls) if one.name in raw}
        services = tuple(Service.from_dict(each) for each in raw.get("services", ()))
        return cls(**{**known, "services": services, "secret_names": tuple(raw.get("secret_names", ()))})

    @property
    def side_by_side(self) -> tuple[Service, ...]:
        """The services of which the old and the new may run together."""
        return tuple(each for each in self.services if not each.singleton)

    @property
    def singletons(self) -> tuple[Service, ...]:
        return tuple(each for each in self.services if each.singleton)


@dataclass(frozen=True)
class Content:
    """Everything that a release is made of."""

    compose: str
    image: Mapping[str, str]
    environment: Mapping[str, Any]
    secrets: Mapping[str, Any]
    services: tuple[Service, ...]
    migration: Mapping[str, Any]

    @property
    def env(self) -> str:
        return compose_env.render({**self.environment, **self.secrets})

    def id(self, version: str) -> str:
        """Name the content, so that the same content is the same release whenever it is written."""
        image = [self.image.get("reference") or "", self.image.get("id") or ""]
        parts = [image, self.compose, self.env, [asdict(each) for each in self.services], dict(self.migration)]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", version).strip("-.")[:40] or "release"
        return f"{safe}-{digest[:10]}"


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Store:
    """The files of one app below root."""

    root: Path
    app: str

    @property
    def directory(self) -> Path:
        return self.root / "apps" / self.app

    @property
    def releases_directory(self) -> Path:
        return self.directory / "releases"

    @property
    def marker(self) -> Path:
        return self.root / "proxy" / "slots" / self.app / "green"

    @property
    def _journal(self) -> Path:
        return self.directory / "journal.json"

    @property
    def _history(self) -> Path:
        return self.directory / "history.jsonl"

    def create(self) -> None:
        """Make the directories of the app."""
        for each in (self.root, self.root / "apps", self.directory):
            each.mkdir(mode=0o755, exist_ok=True, parents=True)
        self.releases_directory.mkdir(mode=0o700, exist_ok=True)

    # --- releases

    def path(self, release_id: str) -> Path:
        return self.releases_directory / release_id

    def read(self, release_id: str) -> Release | None:
        text = read_text_or_none(self.path(release_id) / "release.json") if release_id else None
        try:
            return Release.from_dict(json.loads(text)) if text else None
        except (ValueError, TypeError) as error:
            raise ReleaseError(f"{self.path(release_id)}/release.json cannot be read: {error}.") from error

    def require(self, release_id: str) -> Release:
        release = self.read(release_id)
        if release is None:
            there = ", ".join(each.id for each in self.releases()) or "none"
            raise ReleaseError(
                f"Release {release_id or '(none)'} of {self.app} is not on this server (there: {there}). "
                "Nothing was changed. Write it with state: present first."
            )
        return release

    def releases(self) -> list[Release]:
        """All complete releases, newest first."""
        directory = self.releases_directory
        names = [each.name for each in directory.glob("[!.]*")]
        found = [release for name in names if (release := self.read(name))]
        return sorted(found, key=lambda release: (release.created_at, release.id), reverse=True)

    def write(self, release: Release, content: Content) -> None:
        """Write the directory of a release: complete, or not at all."""
        self.remove_unfinished()
        temporary = Path(tempfile.mkdtemp(dir=self.releases_directory, prefix="."))  # mkdtemp makes it 0700
        deploy = {"COMMIT": release.commit, "TIME": release.created_at, "VERSION": release.version}
        files = {
            "compose.yaml": content.compose,
            "env": content.env,
            "deploy.env": compose_env.render({f"DEPLOY_{name}": value for name, value in deploy.items()}),
            "release.json": json.dumps(asdict(release), indent=2, sort_keys=True) + "\n",
        }
        for name, text in files.items():
            write_atomically(temporary / name, text, 0o600)
        temporary.rename(self.path(release.id))
        sync_directory(self.releases_directory)

    def remove_unfinished(self) -> None:
        """Remove what a killed run left half-written."""
        for each in self.releases_directory.glob(".*"):
            shutil.rmtree(each)

    def secrets_of(self, release: Release) -> list[str]:
        """Return the texts that must not be shown of a release."""
        env = compose_env.parse(read_text_or_none(self.path(release.id) / "env") or "")
        return compose_env.secret_texts(env[name] for name in release.secret_names if name in env)

    def prune(self, keep: int, also: Sequence[str]) -> list[str]:
        """Remove all but `keep` releases: those held by a slot or in `also` stay first, then the newest that served."""
        held = {self.linked(slot) for slot in SLOTS} | set(also)
        served = {entry.get("release") for entry in self.history() if entry.get("outcome") == "active"}
        # The sort is stable: within each class the newest come first.
        ranked = sorted(self.releases(), key=lambda release: (release.id not in held, release.id not in served))
        old = [release.id for release in ranked[max(keep, 0) :] if release.id not in held]
        for release_id in old:
            hidden = self.releases_directory / f".{release_id}"  # renamed first: no half of a release is ever seen
            self.path(release_id).rename(hidden)
            shutil.rmtree(hidden)
        return old

    # --- slots

    @property
    def marked(self) -> str:
        """The slot to which the proxy sends its requests."""
        return "green" if self.marker.exists() else "blue"

    def mark(self, slot: str) -> None:
        """Switch: one file appears or goes."""
        self.marker.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if slot == "green":
            write_atomically(self.marker, "", 0o644)
        else:
            self.marker.unlink(missing_ok=True)
            sync_directory(self.marker.parent)

    def linked(self, slot: str) -> str:
        """The id of the release in a slot, or an empty string."""
        try:
            return (self.directory / slot).readlink().name
        except OSError:
            return ""

    def link(self, slot: str, release_id: str) -> None:
        link_atomically(self.directory / slot, f"releases/{release_id}")

    def unlink(self, slot: str) -> None:
        (self.directory / slot).unlink(missing_ok=True)

    def slot_of(self, release_id: str) -> str | None:
        """The slot that holds a release, the serving one first."""
        order = (self.marked, OTHER[self.marked])
        return next((slot for slot in order if self.linked(slot) == release_id), None)

    @property
    def active(self) -> str:
        """The id of the release that serves, or an empty string."""
        return self.linked(self.marked)

    # --- journal and history

    def journal(self) -> dict[str, Any] | None:
        return _json_or_none(read_text_or_none(self._journal))

    def note(self, entry: Mapping[str, Any]) -> None:
        write_atomically(self._journal, json.dumps(dict(entry)) + "\n", 0o600)

    def forget(self) -> None:
        self._journal.unlink(missing_ok=True)

    def history(self) -> list[dict[str, Any]]:
        """All actions, oldest first; a line that a crash cut off is passed over."""
        lines = (read_text_or_none(self._history) or "").splitlines()
        return [entry for line in lines if (entry := _json_or_none(line))]

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the history, on a line of its own whatever a crash left before it."""
        descriptor = os.open(self._history, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as stream:
            size = os.fstat(descriptor).st_size
            line = json.dumps(dict(entry)).encode() + b"\n"
            stream.write(line if not size or os.pread(descriptor, 1, size - 1) == b"\n" else b"\n" + line)
            os.fsync(descriptor)


def _json_or_none(text: str | None) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError):
        found = json.loads(text or "")
        return found if isinstance(found, dict) else None
    return None


def overview(store: Store, entries: int) -> dict[str, Any]:
    """Return what serves, what is there, and what happened."""
    history = store.history()
    releases = store.releases()
    active = next((release for release in releases if release.id == store.active), None)
    return {
        "active": _active(store, active, history) if active else None,
        "releases": [_listed(store, release) for release in releases],
        "history": history[::-1][: max(entries, 0)],
        "interrupted": store.journal(),
    }


def _active(store: Store, release: Release, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    began = [entry for entry in history if entry.get("outcome") == "active"]
    since = began[-1] if began and began[-1].get("release") == release.id else {}
    about = {key: value for key, value in asdict(release).items() if key in ("id", "version", "image", "commit")}
    services = [asdict(service) for service in release.services]
    when = {"since": since.get("at", ""), "deployed_by": since.get("by", "")}
    return {**about, "slot": store.marked, "services": services, **when}


def _listed(store: Store, release: Release) -> dict[str, Any]:
    keys = ("id", "version", "commit", "created_at", "created_by")
    migration = _json_or_none(read_text_or_none(store.path(release.id) / "migration.json")) or {}
    return {
        **{key: getattr(release, key) for key in keys},
        "slot": store.slot_of(release.id),
        "active": release.id == store.active,
        "migration": migration.get("status", "none"),
    }


def differences(store: Store, wanted: Release, content: Content) -> list[dict[str, str]]:
    """Compare with the release that serves: the Compose file, and the names, never the values, in the environment."""
    directory = store.path(store.active) if store.active else None
    files = {name: read_text_or_none(directory / name) or "" if directory else "" for name in ("compose.yaml", "env")}
    old, new = compose_env.parse(files["env"]), compose_env.parse(content.env)
    texts = {
        "compose.yaml": (files["compose.yaml"], content.compose),
        "env": (_names(old, new, "as it was"), _names(new, old, "changed")),
    }
    new_header = str(store.path(wanted.id))
    return [
        {"before_header": f"{directory or ''}/{name}", "after_header": f"{new_header}/{name}", "before": a, "after": b}
        for name, (a, b) in texts.items()
        if a != b
    ]


def _names(these: Mapping[str, str], those: Mapping[str, str], how: str) -> str:
    changed = (name for name in sorted(these) if those.get(name) != these[name])
    return "".join(f"{name}: {how if name in those else 'a value'}, not shown\n" for name in changed)
