"""Images without a registry: a base from Debian packages, ordinary Dockerfiles on top, each built once per content."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, BuildError, ImageNotFound
from docker.utils.build import exclude_paths

from .bed import CHECKOUT, LABEL_CHECKOUT
from .console import BedError, step

SUITE = "trixie"
# Documentation and translations would travel through every push, pull and unpack.
LEAN = "path-exclude=/usr/share/{}/*"
LEAN_DIRECTORIES = ("doc", "man", "info", "locale")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
KNOWN = Path("/usr/share/ca-certificates")
HERE = Path(__file__).parent / "images"
SHOP = CHECKOUT / "tests/apps/shop"
SHOP_VERSIONS = ("1.0.0", "1.1.0")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True)
class Recipe:
    """An image from a Dockerfile. `parent` names the recipe that it is built on, given as the build argument `on`."""

    name: str
    context: Path
    parent: str = "base"
    on: str = "BASE"
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> list[Path]:
        ignore = self.context / ".dockerignore"
        patterns = ignore.read_text().split() if ignore.exists() else []
        found = (self.context / name for name in sorted(exclude_paths(str(self.context), patterns)))
        return [path for path in found if path.is_file()]

    def key(self, parent_tag: str) -> str:
        digest = hashlib.sha256(json.dumps([parent_tag, dict(self.arguments), dict(self.labels)]).encode())
        for path in self.files():
            digest.update(f"\0{path.relative_to(self.context)}\0{path.stat().st_mode & 0o111}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]


def shop_recipe(version: str) -> Recipe:
    commit = hashlib.sha1(f"shop {version}".encode()).hexdigest()
    return Recipe(
        f"shop-{version}",
        SHOP,
        parent="node",
        on="RUNTIME",
        arguments={"VERSION": version, "DEPLOY_COMMIT": commit},
        labels={"org.opencontainers.image.revision": commit, "org.opencontainers.image.version": version},
    )


def recipes() -> list[Recipe]:
    """In an order in which each parent comes before its children."""
    plain = [Recipe(name, HERE / name) for name in ("target", "node", "internet", "postgres", "caddy")]
    return plain + [shop_recipe(version) for version in SHOP_VERSIONS]


def published() -> dict[str, str]:
    """What the bed's registry offers -> the image that it is."""
    versions = {f"shop:{version}": f"shop-{version}" for version in SHOP_VERSIONS}
    # A first provisioning without a version takes `latest`; tests then release the newer one.
    versions["shop:latest"] = f"shop-{SHOP_VERSIONS[0]}"
    return {"caddy:2": "caddy", "node:20": "node", "postgres:17": "postgres"} | versions


def ensure(client: DockerClient) -> dict[str, str]:
    """Every image's name -> its tag, after building those whose content is new."""
    tags = {"base": ensure_base(client)}
    wanted = recipes()
    for recipe in wanted:
        tags[recipe.name] = tag_of(recipe.name, recipe.key(tags[recipe.parent]))
    missing = {recipe.name: recipe for recipe in wanted if not exists(client, tags[recipe.name])}
    # Two at a time: one downloads while the other unpacks. A child waits until its parent is there.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for generation in generations(missing):
            list(pool.map(lambda recipe: build(client, recipe, tags), generation))
    return tags


def generations(missing: Mapping[str, Recipe]) -> Iterator[list[Recipe]]:
    first = [recipe for recipe in missing.values() if recipe.parent not in missing]
    second = [recipe for recipe in missing.values() if recipe.parent in missing]
    return iter([first, second])


def tag_of(name: str, key: str) -> str:
    return f"onebox-bed/{name}:{key}"


def exists(client: DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def build(client: DockerClient, recipe: Recipe, tags: Mapping[str, str]) -> None:
    with step(f"image {recipe.name}"):
        try:
            client.images.build(
                path=str(recipe.context),
                tag=tags[recipe.name],
                buildargs={recipe.on: tags[recipe.parent], **recipe.arguments},
                labels={LABEL_CHECKOUT: str(CHECKOUT), **recipe.labels},
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            output = "".join(str(line.get("stream") or line.get("error") or "") for line in error.build_log)
            raise BedError(f"The image {recipe.name} could not be built:\n{output[-3000:]}") from error
    forget_older(client, recipe.name, tags[recipe.name])


def forget_older(client: DockerClient, name: str, tag: str) -> None:
    """Earlier contents of an image, built by this checkout and used by no container."""
    for image in client.images.list(name=f"onebox-bed/{name}", filters={"label": f"{LABEL_CHECKOUT}={CHECKOUT}"}):
        for old in set(image.tags) - {tag}:
            with suppress(APIError):
                client.images.remove(old)


# The base


def remove(client: DockerClient) -> list[str]:
    """Remove what no container uses, children before their parents; returns the tags that are gone."""
    gone = []
    found = sorted(client.images.list("onebox-bed/*"), key=lambda image: image.attrs["Created"], reverse=True)
    for tag in (tag for image in found for tag in image.tags):
        with suppress(APIError):  # in use
            client.images.remove(tag)
            gone.append(tag)
    return gone


def ensure_base(client: DockerClient) -> str:
    authorities = own_authorities()
    recipe = json.dumps([SUITE, LEAN, LEAN_DIRECTORIES, authorities])
    tag = tag_of("base", hashlib.sha256(recipe.encode()).hexdigest()[:12])
    if not exists(client, tag):
        with step("image base, from Debian packages"), tempfile.TemporaryDirectory() as directory:
            import_base(client, tag, bootstrap(Path(directory), authorities))
        forget_older(client, "base", tag)
    return tag


def own_authorities() -> list[str]:
    """The CAs that this machine trusts beyond Debian's, so that TLS works behind a company's proxy too."""
    if not BUNDLE.exists():
        return []
    known = {found for path in KNOWN.rglob("*.crt") for found in certificates(path)}
    return [found for found in certificates(BUNDLE) if found not in known]


def certificates(path: Path) -> list[str]:
    return [found.strip() for found in CERTIFICATE.findall(path.read_text(errors="replace"))]


def bootstrap(directory: Path, authorities: list[str]) -> Path:
    archive = directory / "base.tar"
    options = [f"--dpkgopt={LEAN.format(name)}" for name in LEAN_DIRECTORIES]
    for number, authority in enumerate(authorities):
        path = directory / f"machine-{number}.crt"
        path.write_text(authority + "\n")
        options.append(f"--customize-hook=upload {path} /usr/local/share/ca-certificates/{path.name}")
    options.append('--customize-hook=chroot "$1" update-ca-certificates')
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", *options, SUITE, str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"mmdebstrap could not make the base image from Debian packages:\n{done.stderr[-2000:]}")
    return archive


def import_base(client: DockerClient, tag: str, archive: Path) -> None:
    repository, key = tag.split(":")
    changes = ['CMD ["bash"]', f"LABEL {LABEL_CHECKOUT}={CHECKOUT}"]
    client.api.import_image_from_file(str(archive), repository=repository, tag=key, changes=changes)
