# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An app's image on the server: pulled from a registry, or built from git at a commit."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, Result, Run

REVISION = "org.opencontainers.image.revision"
BUILDS = Path("/var/lib/onebox/builds")
ASK_SECONDS = 60
LINES = 20
COMMIT = re.compile(r"[0-9a-f]{40}")
TAG_COMMIT = 12  # digits of the commit in a tag
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
NAME = re.compile(r"[a-z0-9]+(?:[._:/-]+[a-z0-9]+)*")
ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Build arguments go through docker's environment, so they cannot be what docker itself reads there.
OWN_ARGUMENTS = re.compile(r"DEPLOY_COMMIT|DEPLOY_TIME|PATH|HOME|(?:DOCKER|BUILDX|BUILDKIT|LD)_.*")


class ImageError(Exception):
    """There is no such image; the message says why and what to do."""


class NoGitError(ImageError):
    """Git is missing, as on a bare host."""


@dataclass(frozen=True)
class Source:
    """A git repository and how to build from it."""

    repository: str
    deploy_key: str = field(default="", repr=False)
    context: str = "."
    dockerfile: str = "Dockerfile"
    build_args: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Source | None:
        """The source as the module's options describe it; None to pull."""
        if not options["repository"]:
            return None
        build_args = {name: str(value) for name, value in options["build_args"].items()}
        key = options["deploy_key"] or ""
        return cls(options["repository"], key, options["context"], options["dockerfile"], build_args)


@dataclass(frozen=True)
class Image:
    """An image: how to name it, its id (empty before it is there), and what it was made of."""

    reference: str
    id: str = ""
    commit: str = ""
    version: str = ""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Local:
    """An image that is on the server."""

    id: str
    commit: str = ""
    digests: tuple[str, ...] = ()


# --- plan -----------------------------------------------------------------------------------------------------------


def refuse(name: str, version: str, source: Source | None) -> None:
    """Raise ImageError for input that cannot be right, before anybody is asked."""
    if not NAME.fullmatch(name):
        raise ImageError(f"name: {name!r} is not a repository without a tag. Example: registry.example.com/shop")
    if source is None:
        if version and not (DIGEST.fullmatch(version) or TAG.fullmatch(version)):
            raise ImageError(f"version: {version!r} is neither a tag nor a digest. Example: 1.4.2")
        return
    if "://" in source.repository and urlsplit(source.repository).password:
        raise ImageError("repository: the URL holds a password, which others could read. Give a `deploy_key` instead")
    if source.repository.startswith("-"):
        raise ImageError("repository: not a URL. Example: git@git.example.com:team/shop.git")
    for argument in source.build_args:
        if not ARGUMENT.fullmatch(argument) or OWN_ARGUMENTS.fullmatch(argument):
            raise ImageError(f"build_args: {argument!r} cannot be a build argument here. Example: NODE_ENV")


def reference(name: str, version: str) -> str:
    """Name an image by tag or digest."""
    return f"{name}@{version}" if DIGEST.fullmatch(version) else f"{name}:{version}"


def built_reference(name: str, commit: str, source: Source) -> str:
    """Name a built image by its commit, and by how it was built where that is not the usual way."""
    how = [source.context, source.dockerfile, sorted(source.build_args.items())]
    usual = how == [Source.context, Source.dockerfile, []]
    other = "" if usual else "-" + hashlib.sha256(json.dumps(how).encode()).hexdigest()[:8]
    return reference(name, commit[:TAG_COMMIT] + other)


def stale(ref: str, commit: str, source: Source | None) -> bool:
    """Tell whether an image was built in another way than is asked for now."""
    if source is None or not commit or "@" in ref:  # pulled
        return False
    return ref != built_reference(name_of(ref), commit, source)


def name_of(ref: str) -> str:
    """Return a reference without its tag or digest."""
    before = ref.partition("@")[0]
    return before.removesuffix(f":{version_of(before)}")


def version_of(ref: str) -> str:
    """Return the tag or digest of a reference."""
    name, at, digest = ref.partition("@")
    return digest if at else name.rpartition("/")[2].partition(":")[2]


def pulled_digest(output: str, name: str, local: Local) -> str:
    """Return the digest that a pull printed, else the one under which the engine knows the image; may be empty."""
    printed = re.findall(rf"^Digest: ({DIGEST.pattern})$", output, re.MULTILINE)
    short = name.removeprefix("docker.io/").removeprefix("library/")
    known = [digest for digest in local.digests if digest.rpartition("@")[0] in (name, short)]
    return printed[-1] if printed else "".join(known[:1]).rpartition("@")[2]


def choose(listing: str, version: str) -> str:
    """Find the commit of a branch or tag in the output of `git ls-remote`; a branch wins, as in `git clone`."""
    refs = {ref: commit for commit, ref in (line.split("\t") for line in listing.splitlines() if "\t" in line)}
    wanted = (f"refs/heads/{version}", f"refs/tags/{version}^{{}}", f"refs/tags/{version}") if version else ("HEAD",)
    found = [refs[ref] for ref in wanted if ref in refs]
    if not found and re.fullmatch(r"[0-9a-f]{7,39}", version):
        found = sorted({commit for commit in refs.values() if commit.startswith(version)})[:2]
    return found[0] if found else ""


# --- read -----------------------------------------------------------------------------------------------------------


def local(run: Run, ref: str) -> Local | None:
    """Return the image if the server has it."""
    answer = run(["docker", "image", "inspect", ref], timeout=ASK_SECONDS)
    if not answer.ok:
        return None
    one = json.loads(answer.stdout)[0]
    labels = (one.get("Config") or {}).get("Labels") or {}
    return Local(one["Id"], labels.get(REVISION, ""), tuple(one.get("RepoDigests") or ()))


def last_lines(result: Result) -> str:
    """What a program said last."""
    said = [line for line in (*result.stdout.splitlines(), *result.stderr.splitlines()) if line.strip()]
    return "\n".join(said[-LINES:]) or "(nothing)"


def resolve(run: Run, source: Source, version: str) -> str:
    """Return the commit of a version; raises ImageError, NoGitError without git. A full commit is taken as it is."""
    if COMMIT.fullmatch(version):
        return version
    short = re.fullmatch(r"[0-9a-f]{7,39}", version)
    patterns = () if short else (f"refs/heads/{version}", f"refs/tags/{version}", f"refs/tags/{version}^{{}}")
    with git_environment(source.deploy_key) as env:
        argv = ["git", "ls-remote", "--", source.repository, *(patterns if version else ("HEAD",))]
        answer = run(argv, env=env, timeout=ASK_SECONDS)
    if answer.returncode == NOT_FOUND:
        raise NoGitError("git is not installed on the server; nothing was changed. The role docker installs it")
    if not answer.ok:
        raise ImageError(
            f"{source.repository} cannot be read; nothing was changed. Check `repository`, and that the public half of "
            f"`deploy_key` may read it. git said:\n{last_lines(answer)}"
        )
    if commit := choose(answer.stdout, version):
        return commit
    raise ImageError(
        f"{source.repository} has no branch or tag {version or 'HEAD'!r}; nothing was changed. Give `version` one "
        "that exists, or all 40 digits of a commit"
    )


@contextlib.contextmanager
def git_environment(deploy_key: str) -> Iterator[dict[str, str]]:
    """The environment for git: it never asks, and ssh uses the deploy key, which is never on disk."""
    ssh = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new"
    env = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    if not deploy_key:
        yield {**env, "GIT_SSH_COMMAND": ssh}
        return
    descriptor = os.memfd_create("deploy-key")
    try:
        os.fchmod(descriptor, 0o600)  # as ssh wants it
        os.write(descriptor, (deploy_key.strip() + "\n").encode())
        key = f"/proc/{os.getpid()}/fd/{descriptor}"
        yield {**env, "GIT_SSH_COMMAND": f"{ssh} -o IdentitiesOnly=yes -i {key}"}
    finally:
        os.close(descriptor)


# --- write ----------------------------------------------------------------------------------------------------------


def pull(run: Run, ref: str, timeout: float) -> str:
    """Pull an image and return what docker printed; raises ImageError with its last lines."""
    answer = run(["docker", "pull", ref], timeout=timeout)
    if answer.ok:
        return answer.stdout
    raise ImageError(
        f"{ref} cannot be pulled; what runs goes on as it is. Check `name` and `version`, the login of the registry "
        f"(docker_registries), and the server's way to it. docker said:\n{last_lines(answer)}"
    )


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """An empty directory, held by one run at a time, and removed afterwards, as is what a killed run left there."""
    place = BUILDS / "work"
    BUILDS.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (BUILDS / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # goes with its process
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        try:
            yield place
        finally:
            shutil.rmtree(place)


def fetch(run: Run, source: Source, commit: str, place: Path, timeout: float) -> Path:
    """Check a commit out below place and return the directory; raises ImageError."""
    git, tree = place / "git", place / "source"
    tree.mkdir()
    here = ["git", f"--git-dir={git}", f"--work-tree={tree}"]
    one = [*here, "fetch", "--quiet", "--depth=1", "--no-tags", "--", source.repository, commit]
    # A plain server gives only what a branch or tag names.
    refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    everything = [*here, "fetch", "--quiet", "--", source.repository, *refs]
    with git_environment(source.deploy_key) as env:
        run(["git", "init", "--quiet", "--bare", str(git)], env=env, timeout=timeout)
        for way in (one, everything):
            if (answer := run(way, env=env, timeout=timeout)).ok:
                break
        if answer.ok:
            answer = run([*here, "checkout", "--quiet", "--force", commit], env=env, cwd=tree, timeout=timeout)
    if answer.ok:
        return tree
    raise ImageError(
        f"commit {commit} cannot be fetched from {source.repository}; nothing was built. Check that it was pushed, and "
        f"that `deploy_key` may read it. git said:\n{last_lines(answer)}"
    )


def build(run: Run, source: Source, tag: str, commit: str, timeout: float) -> Local:
    """Build a commit unless another run has just done so; raises ImageError with the build's last lines."""
    with workplace() as place:
        if done := local(run, tag):
            return done
        tree = fetch(run, source, commit, place, timeout)
        context = inside(tree, tree, source.context, "context")
        dockerfile = inside(tree, context, source.dockerfile, "dockerfile")
        values = {**source.build_args, "DEPLOY_COMMIT": commit, "DEPLOY_TIME": now()}
        argv = ["docker", "build", "--tag", tag, "--label", f"{REVISION}={commit}", "--file", str(dockerfile)]
        for name in sorted(values):
            argv += ["--build-arg", name]  # its value is in the environment, not in the list of processes
        answer = run([*argv, str(context)], env={**values, "BUILDKIT_PROGRESS": "plain"}, timeout=timeout)
        built = local(run, tag) if answer.ok else None
    if built:
        return built
    raise ImageError(
        f"commit {commit} cannot be built; what runs goes on as it is. Mend {source.dockerfile} or what it names, "
        f"push, and run again. docker said:\n{last_lines(answer)}"
    )


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def inside(tree: Path, base: Path, part: str, what: str) -> Path:
    """Return a path of the repository; raises ImageError for one that is missing or leads out of it."""
    found = (base / part).resolve()
    if found.is_relative_to(tree.resolve()) and found.exists():
        return found
    raise ImageError(f"{what}: the repository has no {part!r} at this commit; nothing was built")
