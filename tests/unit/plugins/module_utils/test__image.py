from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _image as image
from ansible_collections.onebox.stack.plugins.module_utils._image import ImageError, Local, Source
from ansible_collections.onebox.stack.plugins.module_utils._process import Result

COMMIT, OTHER = "a1" * 20, "b2" * 20
DIGEST = "sha256:" + "0f" * 32
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IHJlYWxseQ\n-----END OPENSSH PRIVATE KEY-----"
SHOP = Source("git@git.example.test:team/shop.git", KEY)
LISTING = (
    f"{COMMIT}\tHEAD\n{COMMIT}\trefs/heads/main\n{OTHER}\trefs/heads/v1\n"
    f"{'c3' * 20}\trefs/tags/v2\n{OTHER}\trefs/tags/v2^{{}}\n{'d4' * 20}\trefs/tags/v1\n"
)


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(image, "BUILDS", tmp_path / "builds")
    return tmp_path / "builds"


@pytest.mark.parametrize(
    ("version", "commit"), [("", COMMIT), ("main", COMMIT), ("v1", OTHER), ("v2", OTHER), ("a1a1a1a1a1a1", COMMIT)]
)
def test_a_version_is_found_as_branch_then_tag_then_short_commit(version: str, commit: str) -> None:
    assert image.choose(LISTING, version) == commit


def test_an_unknown_version_is_not_found() -> None:
    assert image.choose(LISTING, "nothing") == ""


def test_references_are_taken_apart_and_put_together() -> None:
    for ref, name, version in [
        ("registry.example.test:5000/shop:1.0", "registry.example.test:5000/shop", "1.0"),
        (f"registry.example.test/shop@{DIGEST}", "registry.example.test/shop", DIGEST),
    ]:
        assert (image.name_of(ref), image.version_of(ref)) == (name, version)
        assert image.reference(name, version) == ref
    assert image.name_of("registry.example.test:5000/shop") == "registry.example.test:5000/shop"


def test_a_built_image_is_named_by_its_commit_and_by_how_it_was_built_where_that_is_unusual() -> None:
    usual, other = Source("git@x:y"), Source("git@x:y", build_args={"API": "/v2"})
    assert image.built_reference("shop", COMMIT, usual) == f"shop:{COMMIT[:12]}"
    ref = image.built_reference("shop", COMMIT, other)
    assert ref.startswith(f"shop:{COMMIT[:12]}-")
    assert not image.stale(ref, COMMIT, other)
    assert image.stale(ref, COMMIT, usual)
    assert not image.stale(f"shop@{DIGEST}", COMMIT, usual), "it was pulled"


def test_the_digest_is_the_one_that_the_pull_printed_or_the_engine_knows() -> None:
    known = Local("id", digests=(f"other@sha256:{'1' * 64}", f"postgres@{DIGEST}"))
    assert image.pulled_digest("", "docker.io/library/postgres", known) == DIGEST
    assert image.pulled_digest("", "unknown", known) == ""
    printed = f"17: Pulling from library/postgres\nDigest: {DIGEST}\nStatus: Image is up to date\n"
    assert image.pulled_digest(printed, "postgres", Local("id")) == DIGEST


@pytest.mark.parametrize(
    ("name", "version", "source", "words"),
    [
        ("shop:1.0", "1", None, None),  # a port looks the same
        ("Shop", "1", None, "Example: registry.example.com/shop"),
        ("shop", "1 0", None, "neither a tag nor a digest"),
        ("shop", "", Source("https://me:s3cret@git.example.test/shop"), "Give a `deploy_key`"),
        ("shop", "", Source("--upload-pack=x"), "not a URL"),
        ("shop", "", Source("git@x:y", build_args={"A-B": "1"}), "'A-B' cannot be a build argument"),
        ("shop", "", Source("git@x:y", build_args={"DOCKER_HOST": "1"}), "'DOCKER_HOST' cannot"),
    ],
)
def test_wrong_input_is_refused_before_anybody_is_asked(
    name: str, version: str, source: Source | None, words: str | None
) -> None:
    if words is None:
        image.refuse(name, version, source)
        return
    with pytest.raises(ImageError, match=words) as caught:
        image.refuse(name, version, source)
    assert "s3cret" not in str(caught.value)


def test_the_deploy_key_is_readable_for_ssh_only_while_git_runs_and_never_on_disk() -> None:
    with image.git_environment(KEY) as env:
        path = Path(env["GIT_SSH_COMMAND"].rpartition(" ")[2])
        assert path.read_text() == KEY + "\n"
        assert path.stat().st_mode & 0o777 == 0o600
        assert str(path.readlink()).startswith("/memfd:")
        assert KEY not in str(env)
    assert not path.exists()
    assert KEY not in repr(SHOP)


def test_a_full_commit_is_taken_without_asking() -> None:
    def run(*_argv: Any, **_options: Any) -> Result:
        raise AssertionError

    assert image.resolve(run, SHOP, COMMIT) == COMMIT


def test_an_unreadable_repository_is_told_with_gits_last_lines() -> None:
    def run(*_argv: Any, **_options: Any) -> Result:
        return Result(128, "", "git@git.example.test: Permission denied (publickey).\n")

    with pytest.raises(ImageError, match=r"(?s)nothing was changed.*Permission denied"):
        image.resolve(run, SHOP, "main")


class Engine:
    """Stands in for git and docker; the checked-out tree has a Dockerfile."""

    def __init__(self, *, advertised_only: bool = False, breaks: bool = False) -> None:
        self.advertised_only, self.breaks = advertised_only, breaks
        self.asked: list[list[str]] = []
        self.env: dict[str, str] = {}
        self.images: set[str] = set()

    def __call__(self, argv: list[str], env: dict[str, str] | None = None, **_options: Any) -> Result:
        self.asked.append(argv)
        if argv[:2] == ["docker", "build"]:
            return self.build(argv, env or {})
        if argv[:3] == ["docker", "image", "inspect"]:
            known = [{"Id": "sha256:1", "Config": {"Labels": {image.REVISION: COMMIT}}}]
            return Result(0, json.dumps(known), "") if argv[3] in self.images else Result(1, "[]", "No such image")
        if "fetch" in argv and self.advertised_only and argv[-1] == COMMIT:
            return Result(128, "", "Server does not allow request for unadvertised object")
        if "checkout" in argv:
            (Path(argv[2].partition("=")[2]) / "Dockerfile").touch()
        return Result(0, "", "")

    def build(self, argv: list[str], env: dict[str, str]) -> Result:
        self.env = env
        if self.breaks:
            return Result(1, "", "\n".join(f"step {number}" for number in range(100)))
        self.images.add(argv[argv.index("--tag") + 1])
        return Result(0, "", "")


def test_a_build_gets_commit_and_time_by_its_environment_and_leaves_no_directory(builds: Path) -> None:
    engine = Engine()
    source = Source("git@x:y", KEY, build_args={"TOKEN": "not in ps"})
    assert image.build(engine, source, "shop:a1", COMMIT, 10) == Local("sha256:1", COMMIT)
    assert engine.env["DEPLOY_COMMIT"] == COMMIT
    assert engine.env["DEPLOY_TIME"].endswith("Z")
    words = " ".join(word for argv in engine.asked for word in argv)
    assert "--build-arg TOKEN" in words
    assert "not in ps" not in words
    assert f"--label org.opencontainers.image.revision={COMMIT}" in words
    assert [one.name for one in builds.iterdir()] == ["lock"]


def test_a_build_that_another_run_has_just_made_is_taken(builds: Path) -> None:
    engine = Engine()
    engine.images.add("shop:a1")
    assert image.build(engine, SHOP, "shop:a1", COMMIT, 10).id == "sha256:1"
    assert len(engine.asked) == 1
    assert builds.is_dir()


def test_what_a_killed_build_left_is_removed_by_the_next(builds: Path) -> None:
    (builds / "work/source").mkdir(parents=True)
    (builds / "work/source/left").touch()
    with image.workplace() as place:
        assert list(place.iterdir()) == []
    assert not place.exists()


def test_a_server_that_gives_named_commits_only_is_asked_for_all(builds: Path) -> None:
    engine = Engine(advertised_only=True)
    image.build(engine, SHOP, "shop:a1", COMMIT, 10)
    assert sum("fetch" in argv for argv in engine.asked) == 2
    assert builds.is_dir()


def test_a_broken_build_is_told_by_its_last_lines_and_leaves_no_directory(builds: Path) -> None:
    with pytest.raises(ImageError) as caught:
        image.build(Engine(breaks=True), SHOP, "shop:a1", COMMIT, 10)
    assert str(caught.value).endswith("step 98\nstep 99")
    assert "step 79" not in str(caught.value)
    assert "what runs goes on as it is" in str(caught.value)
    assert [one.name for one in builds.iterdir()] == ["lock"]


@pytest.mark.parametrize("context", ["..", "missing", "/etc"])
def test_a_context_outside_of_the_repository_is_refused(builds: Path, context: str) -> None:
    with pytest.raises(ImageError, match="context: the repository has no"):
        image.build(Engine(), Source("git@x:y", context=context), "shop:a1", COMMIT, 10)
    assert builds.is_dir()


def test_a_refused_pull_says_that_what_runs_goes_on() -> None:
    def run(*_argv: Any, **_options: Any) -> Result:
        return Result(1, "Trying\n", "manifest unknown\n")

    with pytest.raises(ImageError, match=r"(?s)shop:9 cannot be pulled; what runs goes on.*manifest unknown"):
        image.pull(run, "shop:9", 10)
