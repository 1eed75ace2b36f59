from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _image
from ansible_collections.onebox.stack.plugins.module_utils._process import NOT_FOUND, Result
from ansible_collections.onebox.stack.plugins.modules import image

NAME, COMMIT = "registry.example.test/shop", "a1" * 20
OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


class Engine:
    """A docker engine with some images, and a registry that has one version."""

    def __init__(self, *local: str) -> None:
        self.local = dict.fromkeys(local, OLD)
        self.asked: list[str] = []

    def __call__(self, argv: list[str], **_options: Any) -> Result:
        self.asked.append(" ".join(argv[:2]))
        if argv[1] == "pull":
            self.local[argv[2]] = NEW
            return Result(0, f"Digest: {NEW}\n", "")
        if argv[1] == "ls-remote":
            return Result(0, f"{COMMIT}\tHEAD\n", "")
        if argv[1] == "image" and argv[3] in self.local:
            digest = self.local[argv[3]]
            one = {"Id": digest, "Config": {"Labels": None}, "RepoDigests": [f"{NAME}@{digest}"]}
            return Result(0, json.dumps([one]), "")
        return Result(1, "", "No such image")


def bare(*_argv: Any, **_options: Any) -> Result:
    return Result(NOT_FOUND, "", "cannot be run")


def converge(engine: Any, *, check: bool = False, **options: Any) -> tuple[bool, str]:
    params = {name: one.get("default") for name, one in image.ARGUMENTS.items()} | {"name": NAME} | options
    result = image.converge(params, check, engine)
    return result["changed"], result["image"]["reference"]


def kept(reference: str) -> dict[str, str]:
    return {"reference": reference, "version": "1.4.2"}


def test_a_tag_becomes_the_digest_that_the_registry_gave() -> None:
    assert converge(Engine(), version="1.0") == (True, f"{NAME}@{NEW}")
    assert converge(Engine(f"{NAME}:1.0"), version="1.0") == (True, f"{NAME}@{NEW}")


def test_the_same_tag_again_changes_nothing() -> None:
    engine = Engine()
    converge(engine, version="1.0")
    assert converge(engine, version="1.0") == (False, f"{NAME}@{NEW}")


def test_a_digest_that_is_there_needs_no_registry() -> None:
    engine = Engine(f"{NAME}@{OLD}")
    assert converge(engine, version=OLD) == (False, f"{NAME}@{OLD}")
    assert engine.asked == ["docker image"]


def test_without_a_version_the_image_that_runs_is_kept_and_nobody_is_asked() -> None:
    engine = Engine(f"{NAME}@{OLD}")
    assert converge(engine, keep=kept(f"{NAME}@{OLD}")) == (False, f"{NAME}@{OLD}")
    assert converge(engine, keep=kept(f"{NAME}@{OLD}"), repository="git@x:y") == (
        False,
        f"{NAME}@{OLD}",
    )
    assert set(engine.asked) == {"docker image"}


def test_an_image_to_keep_that_is_gone_is_fetched_again_and_not_replaced_by_the_latest() -> None:
    assert converge(Engine(), keep=kept(f"{NAME}@{NEW}")) == (True, f"{NAME}@{NEW}")


def test_an_image_of_another_name_is_not_kept() -> None:
    assert converge(Engine(f"other@{OLD}"), keep=kept(f"other@{OLD}")) == (
        True,
        f"{NAME}@{NEW}",
    )


def test_a_commit_that_was_built_is_not_built_again() -> None:
    tag = f"{NAME}:{COMMIT[:12]}"
    engine = Engine(tag)
    assert converge(engine, repository="git@x:y") == (False, tag)
    assert engine.asked == ["git ls-remote", "docker image"]


def test_an_image_to_keep_is_built_again_when_its_build_arguments_changed() -> None:
    keep = {**kept(f"{NAME}:{COMMIT[:12]}"), "commit": COMMIT}
    engine = Engine(keep["reference"])
    assert converge(engine, check=True, keep=keep, repository="git@x:y") == (False, keep["reference"])
    changed, reference = converge(engine, check=True, keep=keep, repository="git@x:y", build_args={"API": "/v2"})
    assert changed
    assert reference.startswith(f"{keep['reference']}-")


def test_a_built_image_to_keep_that_is_gone_is_built_from_its_commit_though_no_branch_names_it() -> None:
    keep = {**kept(f"{NAME}:{'b2' * 6}"), "commit": "b2" * 20}
    engine = Engine()
    assert converge(engine, check=True, keep=keep, repository="git@x:y") == (True, keep["reference"])
    assert "git ls-remote" not in engine.asked


def test_check_mode_pulls_and_builds_nothing() -> None:
    engine = Engine()
    assert converge(engine, check=True, version="1.0") == (True, f"{NAME}:1.0")
    assert converge(engine, check=True, repository="git@x:y") == (True, f"{NAME}:{COMMIT[:12]}")
    assert converge(Engine(f"{NAME}:1.0"), check=True, version="1.0") == (False, f"{NAME}@{OLD}")
    assert set(engine.asked) == {"docker image", "git ls-remote"}


def test_check_mode_on_a_bare_host_foretells_a_change() -> None:
    assert converge(bare, check=True) == (True, f"{NAME}:latest")
    assert converge(bare, check=True, repository="git@x:y", version="1.0") == (True, f"{NAME}:1.0")
    with pytest.raises(_image.ImageError, match="cannot be pulled"):
        converge(bare)
    with pytest.raises(_image.ImageError, match="git is not installed"):
        converge(bare, repository="git@x:y")
