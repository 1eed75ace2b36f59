"""Containers as they should be: left alone when they are right, made anew when their description changed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from .bed import CHECKOUT, LABEL_CHECKOUT, LABEL_KEY, LABEL_NAME, Bed
from .console import BedError

SUBNETS = 254


@dataclass(frozen=True)
class File:
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Part:
    """A container of the bed, by the name of its part."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)  # name of the volume -> mount point
    files: Mapping[str, File] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def key(self, address: str) -> str:
        files = {path: [hashlib.sha256(file.content).hexdigest(), file.mode] for path, file in self.files.items()}
        described = [
            self.image,
            self.command,
            dict(self.environment),
            dict(self.volumes),
            files,
            dict(self.options),
            address,
        ]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]


def ensure(client: DockerClient, bed: Bed, part: Part) -> bool:
    """True when the container was made or started just now."""
    name, key = bed.containers[part.name], part.key(bed.addresses[part.name])
    container = find(client, name)
    if container is not None and container.labels.get(LABEL_CHECKOUT) != str(CHECKOUT):
        raise foreign(bed.name, container)
    if container is not None and container.labels.get(LABEL_KEY) == key:
        if container.status == "running":
            return False
        container.start()
        return True
    if container is not None:
        discard(client, container)
    create(client, bed, part, key).start()
    return True


def find(client: DockerClient, name: str) -> Container | None:
    try:
        return client.containers.get(name)
    except NotFound:
        return None


def foreign(bed_name: str, container: Container) -> BedError:
    owner = container.labels.get(LABEL_CHECKOUT, "")
    return BedError(
        f"The container {container.name} exists already and is "
        + (f"of the bed {bed_name} of another checkout, {owner}." if owner else "not of a test bed.")
        + " Nothing was changed. Choose another name, or remove "
        + (f"that bed: python -m testbed down --name {bed_name} --any-checkout" if owner else "it.")
    )


def create(client: DockerClient, bed: Bed, part: Part, key: str) -> Container:
    for volume in part.volumes:
        ensure_volume(client, bed, volume)
    endpoint = client.api.create_endpoint_config(ipv4_address=bed.addresses[part.name], aliases=[part.name])
    container = client.containers.create(
        part.image,
        list(part.command) or None,
        name=bed.containers[part.name],
        labels=bed.labels | {LABEL_KEY: key},
        environment=dict(part.environment),
        network=bed.network,
        networking_config={bed.network: endpoint},
        restart_policy={"Name": "always"},
        **with_volumes(part),
    )
    put(container, part.files)
    return container


def with_volumes(part: Part) -> dict[str, Any]:
    binds = [f"{volume}:{mount}" for volume, mount in part.volumes.items()]
    return dict(part.options) | {"volumes": binds + list(part.options.get("volumes", []))}


def put(container: Container, files: Mapping[str, File]) -> None:
    """Writes files of root into a container, running or not."""
    if not files:
        return
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, file in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(file.content), file.mode
            tar.addfile(entry, io.BytesIO(file.content))
    container.put_archive("/", archive.getvalue())


def ensure_volume(client: DockerClient, bed: Bed, name: str) -> None:
    try:
        client.volumes.get(name)
    except NotFound:
        # What several beds of a checkout share carries no bed's name, so that one bed's end does not take it away.
        shared = not name.startswith(bed.network)
        client.volumes.create(name, labels={LABEL_CHECKOUT: str(CHECKOUT)} if shared else bed.labels)


def ensure_network(client: DockerClient, name: str, labels: Mapping[str, str]) -> str:
    """The first three numbers of the bed's /24: the one it has, or the first free one from where its name points."""
    for network in client.networks.list(names=[name]):
        if network.name == name:
            return subnet_of(network, labels)
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    for number in range(SUBNETS):
        subnet = f"10.111.{(start + number) % SUBNETS + 1}"
        pool = IPAMPool(subnet=f"{subnet}.0/24", gateway=f"{subnet}.1")
        try:
            client.networks.create(name, driver="bridge", labels=dict(labels), ipam=IPAMConfig(pool_configs=[pool]))
        except APIError as error:
            if "overlaps" not in str(error):
                raise
        else:
            return subnet
    raise BedError("Every network of 10.111.0.0/16 is taken on this engine. Remove beds: python -m testbed list")


def subnet_of(network: Network, labels: Mapping[str, str]) -> str:
    owner = network.attrs["Labels"].get(LABEL_CHECKOUT)
    if owner != labels[LABEL_CHECKOUT]:
        bed_name = labels[LABEL_NAME]
        raise BedError(
            f"The bed {bed_name} exists already, of another checkout: {owner or 'unknown'}. Nothing was changed. "
            f"Choose another name, or remove it: python -m testbed down --name {bed_name} --any-checkout"
        )
    return str(network.attrs["IPAM"]["Config"][0]["Gateway"]).rpartition(".")[0]


def remove_others(client: DockerClient, bed: Bed) -> None:
    """Hosts that the bed had and that are wanted no more."""
    filters: dict[str, str | list[str] | bool] = {"label": [f"{label}={value}" for label, value in bed.labels.items()]}
    for container in client.containers.list(all=True, filters=filters):
        if container.name not in bed.containers.values():
            discard(client, container)


def discard(client: DockerClient, container: Container) -> None:
    """Removes a container with the volumes that are its alone."""
    mounted = [str(mount.get("Name", "")) for mount in container.attrs["Mounts"]]
    container.remove(force=True, v=True)
    for volume in mounted:
        if volume.startswith(f"{container.name}-"):
            client.volumes.get(volume).remove(force=True)


def remove(client: DockerClient, labels: Mapping[str, str]) -> list[str]:
    """Removes every container, network and volume with these labels; the names of what was removed."""
    filters: dict[str, str | list[str] | bool] = {"label": [f"{label}={value}" for label, value in labels.items()]}
    gone = []
    for container in client.containers.list(all=True, filters=filters):
        container.remove(force=True, v=True)
        gone.append(str(container.name))
    for network in client.networks.list(filters=filters):
        network.remove()
        gone.append(str(network.name))
    for volume in client.volumes.list(filters=filters):
        volume.remove(force=True)
        gone.append(str(volume.name))
    return gone
