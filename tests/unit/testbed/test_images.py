from __future__ import annotations

from pathlib import Path

import pytest
from testbed import images
from testbed.images import Recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / ".dockerignore").write_text("ignored\n")
    return Recipe("x", tmp_path)


def test_an_image_is_the_same_while_nothing_changed(recipe: Recipe) -> None:
    assert recipe.key("base:1") == recipe.key("base:1")


@pytest.mark.parametrize("name", ["Dockerfile", "run", "new"])
def test_an_image_is_another_when_a_file_changed(recipe: Recipe, name: str) -> None:
    before = recipe.key("base:1")
    (recipe.context / name).write_text("changed")
    assert recipe.key("base:1") != before


def test_an_image_is_another_when_a_file_became_a_program(recipe: Recipe) -> None:
    before = recipe.key("base:1")
    (recipe.context / "run").chmod(0o755)
    assert recipe.key("base:1") != before


def test_an_image_is_another_when_its_parent_is(recipe: Recipe) -> None:
    assert recipe.key("base:1") != recipe.key("base:2")


def test_what_dockerignore_names_does_not_matter(recipe: Recipe) -> None:
    before = recipe.key("base:1")
    (recipe.context / "ignored").write_text("x")
    assert recipe.key("base:1") == before


def test_every_parent_comes_before_its_children() -> None:
    seen = {"base"}
    for recipe in images.recipes():
        assert recipe.parent in seen
        seen.add(recipe.name)


def test_every_published_image_is_built() -> None:
    assert set(images.published().values()) <= {recipe.name for recipe in images.recipes()}


def test_two_versions_of_the_shop_have_commits_of_their_own() -> None:
    commits = {images.shop_recipe(version).arguments["DEPLOY_COMMIT"] for version in images.SHOP_VERSIONS}
    assert len(commits) == len(images.SHOP_VERSIONS)
    assert {len(commit) for commit in commits} == {40}


def test_only_the_authorities_that_debian_does_not_know_are_taken_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pem(text: str) -> str:
        return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"

    bundle, known = tmp_path / "bundle.crt", tmp_path / "known"
    known.mkdir()
    (known / "a.crt").write_text(pem("debian"))
    bundle.write_text(pem("debian") + pem("company"))
    monkeypatch.setattr(images, "BUNDLE", bundle)
    monkeypatch.setattr(images, "KNOWN", known)
    assert images.own_authorities() == [pem("company").strip()]
