"""Beds come up, go down, and start again from a bare host."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from docker import DockerClient

from . import containers, engine, host, images, internet, inventory
from .bed import CHECKOUT, LABEL_CHECKOUT, LABEL_NAME, STATE, Bed, directory_of
from .console import BedError, say, step

DEFAULT_HOSTS = ("server",)


@contextmanager
def alone() -> Iterator[None]:
    """One change of this checkout's beds at a time."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(name: str, hosts: tuple[str, ...]) -> Bed:
    """Makes what is missing, starts what is stopped, and checks that everything answers."""
    with alone():
        client = engine.ensure()
        tags = images.ensure(client)
        bed = describe(client, name, hosts or hosts_of(name))
        with step(f"containers of {bed.name}", announce=False):
            containers.remove_others(client, bed)
            fresh = ensure_hosts(bed, client, tags)
            for part in internet.parts(bed, tags["internet"]):
                containers.ensure(client, bed, part)
        internet.settle(bed, client, tags)
        wait_for_hosts(bed, fresh)
        inventory.write(bed)
        bed.save()
        return bed


def reset(name: str) -> Bed:
    """Bare hosts again; the internet stays as it is."""
    with alone():
        bed = Bed.load(name)
        client = engine.ensure()
        tags = images.ensure(client)
        with step(f"bare hosts for {name}"):
            for part in bed.hosts:
                if container := containers.find(client, bed.containers[part]):
                    containers.discard(client, container)
            wait_for_hosts(bed, ensure_hosts(bed, client, tags))
        return bed


def down(name: str, *, any_checkout: bool = False) -> None:
    with alone():
        client = engine.ensure()
        labels = {LABEL_NAME: name} | ({} if any_checkout else {LABEL_CHECKOUT: str(CHECKOUT)})
        with step(f"end of {name}", announce=False):
            gone = containers.remove(client, labels)
        shutil.rmtree(directory_of(name), ignore_errors=True)
        say(f"{name} is gone ({len(gone)} things removed)" if gone else f"there is no bed {name} here")


def down_all() -> None:
    """Everything of this checkout, also what its beds share, and the images that no other checkout's beds use."""
    with alone():
        client = engine.ensure()
        gone = containers.remove(client, {LABEL_CHECKOUT: str(CHECKOUT)}) + images.remove(client)
        for authority in STATE.glob("*/ca.pem"):
            shutil.rmtree(authority.parent)
        say(f"every bed of this checkout is gone ({len(gone)} things removed)")


def listed() -> list[tuple[str, str, str]]:
    """(bed, state of its containers, checkout) of every bed on this engine."""
    client = engine.connect()
    if client is None:
        return []
    beds: dict[tuple[str, str], list[str]] = {}
    for container in client.containers.list(all=True, filters={"label": LABEL_NAME}):
        key = (container.labels[LABEL_NAME], container.labels[LABEL_CHECKOUT])
        beds.setdefault(key, []).append(container.status)
    return [
        (name, f"{states.count('running')} of {len(states)} running", checkout)
        for (name, checkout), states in sorted(beds.items())
    ]


# Parts of `up`


def hosts_of(name: str) -> tuple[str, ...]:
    try:
        return Bed.load(name).hosts
    except BedError:
        return DEFAULT_HOSTS


def describe(client: DockerClient, name: str, hosts: tuple[str, ...]) -> Bed:
    draft = Bed(name, "", hosts)
    if (draft.directory / "bed.json").exists():
        Bed.load(name)  # refuses another bed's directory
    draft.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    subnet = containers.ensure_network(client, draft.network, draft.labels)
    credentials = internet.prepare(draft.directory)
    host.prepare(draft.directory, hosts)
    return Bed(name, subnet, hosts, credentials)


def ensure_hosts(bed: Bed, client: DockerClient, tags: dict[str, str]) -> list[str]:
    """The names of the hosts that boot now."""
    return [part.name for part in host.parts(bed, client, tags["target"]) if containers.ensure(client, bed, part)]


def wait_for_hosts(bed: Bed, fresh: list[str]) -> None:
    with step("boot", announce=False):
        for name in fresh:
            bed.wait_for_host(name)
