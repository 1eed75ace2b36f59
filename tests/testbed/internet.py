"""The small internet beside the hosts: names, certificates, images, sources, and somebody who looks from outside."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from docker import DockerClient

from . import images, keys
from .bed import CHECKOUT_ID, DOMAIN, Bed, wait_for_port
from .console import BedError, step
from .containers import File, Part, put

USER = "onebox"
REGISTRY = f"registry.{DOMAIN}"
ACME = f"acme.{DOMAIN}"
PORTS = {"dns": 53, "acme": 15000, "registry": 443, "git": 22, "telegram": 8081}
PUSHED = "/var/lib/registry/pushed.json"


def parts(bed: Bed, image: str) -> list[Part]:
    return [
        dns(bed, image),
        acme(bed, image),
        registry(bed, image),
        git(bed, image),
        client(bed, image),
        telegram(bed, image),
    ]


def answering(bed: Bed) -> dict[str, list[str]]:
    """How a part asks for names: Docker's resolver hands on to the bed's, which hands on to the machine's."""
    return {"dns": [bed.addresses["dns"]]}


def dns(bed: Bed, image: str) -> Part:
    """Fixed names for the bed's parts and for each host; every other name below example.test is the first host."""
    names = {f"{name}.{DOMAIN}": bed.addresses[name] for name in ("acme", "registry", "git", "telegram", *bed.hosts)}
    names[DOMAIN] = bed.addresses[bed.hosts[0]]
    addresses = [f"--address=/{name}/{address}" for name, address in names.items()]
    command = [
        "dnsmasq",
        "--keep-in-foreground",
        "--user=root",
        "--no-hosts",
        "--log-facility=-",
        f"--local=/{DOMAIN}/",
    ]
    return Part("dns", image, (*command, *addresses))


def acme(bed: Bed, image: str) -> Part:
    environment = {"BED_DNS": bed.addresses["dns"]}
    return Part("acme", image, ("bed-acme",), environment, files=server_files(bed, ACME), options=answering(bed))


def registry(bed: Bed, image: str) -> Part:
    password = bed.credentials["registry_password"].encode()
    return Part(
        "registry",
        image,
        ("bed-registry",),
        volumes={f"onebox-{CHECKOUT_ID}-registry": "/var/lib/registry"},
        files=server_files(bed, REGISTRY) | {"/srv/password": File(password, 0o600)},
        # The engine pushes through its own loopback, where it asks for no certificate that it knows.
        options=answering(bed) | {"ports": {"443/tcp": ("127.0.0.1", None)}},
    )


def git(bed: Bed, image: str) -> Part:
    directory = bed.directory
    source = {f"/srv/shop/{path.relative_to(images.SHOP)}": File(path.read_bytes()) for path in shop_files()}
    access = {
        "/etc/ssh/ssh_host_ed25519_key": File((directory / "ssh/git").read_bytes(), 0o600),
        "/home/git/.ssh/authorized_keys": File(keys.public(directory / "deploy_key").encode()),
    }
    return Part("git", image, ("bed-git",), files=access | source, options=answering(bed))


def shop_files() -> list[Path]:
    found = (path for path in images.SHOP.rglob("*") if "node_modules" not in path.parts)
    return sorted(path for path in found if path.is_file())


def client(bed: Bed, image: str) -> Part:
    trusted = {"/usr/local/share/ca-certificates/onebox-bed.crt": File((bed.directory / "ca.pem").read_bytes())}
    return Part("client", image, ("bed-client",), files=trusted, options=answering(bed))


def telegram(bed: Bed, image: str) -> Part:
    program = File(Path(__file__).with_name("telegram.py").read_bytes())
    command = ("python3", "-u", "/srv/telegram.py", "--port", str(PORTS["telegram"]))
    return Part("telegram", image, command, files={"/srv/telegram.py": program}, options=answering(bed))


def server_files(bed: Bed, name: str) -> dict[str, File]:
    certificate = bed.directory / f"{name}.pem"
    return {
        "/srv/tls.pem": File(certificate.read_bytes()),
        "/srv/tls.key": File(certificate.with_suffix(".key").read_bytes(), 0o600),
    }


def prepare(directory: Path) -> dict[str, str]:
    """The keys that the parts share with the controller, each made once; returns the bed's credentials."""
    keys.authority(directory)
    for name in (ACME, REGISTRY):
        keys.certificate(directory, name)
    keys.ssh_key(directory / "deploy_key", "deploy key of shop")
    keys.ssh_key(directory / "ssh/git", f"git.{DOMAIN}")
    return {"registry_user": USER, "registry_password": keys.password(directory / "registry_password")}


def settle(bed: Bed, client: DockerClient, tags: dict[str, str]) -> None:
    """Once the containers run: every part answers, the registry is filled, Pebble's root is known."""
    for part, port in PORTS.items():
        wait_for_port(bed.addresses[part], port, f"the bed's {part}")
    fill_registry(bed, client, tags)
    root = bed.client(["bed-trust"]).check().stdout
    (bed.directory / "pebble-root.pem").write_text(root)


def fill_registry(bed: Bed, client: DockerClient, tags: dict[str, str]) -> None:
    saved = bed.exec("registry", ["cat", PUSHED])
    before = json.loads(saved.stdout) if saved.returncode == 0 else {}
    wanted = {reference: tags[name] for reference, name in images.published().items()}
    missing = [reference for reference, tag in wanted.items() if before.get(reference) != tag]
    if not missing:
        return
    with step(f"push to {REGISTRY}: {', '.join(missing)}"), ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda reference: push(bed, client, wanted[reference], reference), missing))
    put(bed.container("registry"), {PUSHED: File(json.dumps(wanted).encode())})


def push(bed: Bed, client: DockerClient, image: str, reference: str) -> None:
    bindings = bed.container("registry").ports["443/tcp"] or [{}]
    repository, version = f"127.0.0.1:{bindings[0]['HostPort']}/{reference}".rsplit(":", 1)
    client.images.get(image).tag(repository, version)
    login = {"username": USER, "password": bed.credentials["registry_password"]}
    try:
        for line in client.images.push(repository, version, auth_config=login, stream=True, decode=True):
            if "error" in line:
                raise BedError(f"{reference} could not be pushed to the bed's registry: {line['error']}")
    finally:
        client.images.remove(f"{repository}:{version}", noprune=True)
