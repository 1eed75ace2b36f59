"""Releases of another version, from a registry and from git, and one that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from e2e.controller import Controller
from e2e.default.test_from_outside import get, release
from testbed.bed import Bed


def test_a_deploy_of_another_version_switches_to_the_idle_slot(bed: Bed, controller: Controller) -> None:
    before = release(bed)
    run = controller.run("playbooks/deploy.yml", "-e", "app_version=1.1.0").succeeded()
    after = release(bed)
    assert after["version"] == "1.1.0"
    assert after["id"] != before["id"]
    assert get(bed, "/api/health")["commit"] == after["commit"] != before["commit"]
    assert after["id"] in run.output, "the summary names the release"
    assert "https://shop.example.test" in run.output, "the summary names the address"


def test_site_keeps_what_was_deployed(bed: Bed, controller: Controller) -> None:
    before = release(bed)
    assert controller.run("site.yml").succeeded().changed == 0
    assert release(bed)["id"] == before["id"]


def test_a_failed_migration_leaves_the_old_release_serving(bed: Bed, controller: Controller) -> None:
    before = release(bed)
    run = controller.run(
        "playbooks/deploy.yml", "-e", "app_version=1.0.0", "-e", '{"app_environment": {"BROKEN": "migration"}}'
    )
    run.failed()
    assert f"Release {before['id']} still serves and was not touched" in run.output
    assert release(bed)["id"] == before["id"]
    assert get(bed, "/api/health")["commit"] == before["commit"]


def test_a_release_that_never_becomes_healthy_leaves_the_old_one_serving(bed: Bed, controller: Controller) -> None:
    before = release(bed)
    environment = (
        '{"app_environment": {"BROKEN": "never-healthy", "TELEGRAM_API_URL": "http://telegram.example.test:8081"}}'
    )
    services = '{"app_services": [{"name": "web", "type": "web", "command": ["node", "web.js"], "port": 3000, '
    services += '"health_path": "/api/health", "start_seconds": 4}]}'
    run = controller.run("playbooks/deploy.yml", "-e", environment, "-e", services).failed()
    assert "web" in run.output
    assert release(bed)["id"] == before["id"]
    assert get(bed, "/api/health")["commit"] == before["commit"]


@pytest.fixture
def _back_to_the_inventory(controller: Controller) -> Iterator[None]:
    yield
    controller.run("playbooks/deploy.yml", "-e", "app_version=1.1.0").succeeded()


@pytest.mark.usefixtures("_back_to_the_inventory")
def test_an_image_is_built_from_git_at_a_commit_with_a_deploy_key(bed: Bed, controller: Controller) -> None:
    commit = bed.exec("git", ["git", "-C", "/srv/shop.git", "rev-parse", "HEAD"], user="git").check().stdout.strip()
    source = {
        "app_repository": "ssh://git@git.example.test/srv/shop.git",
        "app_version": commit,
        "app_image": "shop-built",
        "app_deploy_key": "{{ vault_app_deploy_key }}",
        "app_build": {"args": {"RUNTIME": "registry.example.test/node:20"}},
    }
    controller.run("playbooks/deploy.yml", "-e", json.dumps(source)).succeeded()
    assert get(bed, "/api/health")["commit"] == commit
    image = release(bed)["image"]["reference"]
    assert image.startswith(f"shop-built:{commit[:12]}")
    built = bed.host(["docker", "run", "--rm", "--entrypoint", "cat", image, "/app/build.json"]).check()
    assert json.loads(built.stdout)["commit"] == commit, "DEPLOY_COMMIT is a build argument too"
    assert json.loads(built.stdout)["time"], "and so is DEPLOY_TIME"
