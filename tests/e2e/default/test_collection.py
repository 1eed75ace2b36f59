"""The built and installed collection, outside of the checkout, as the README says it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.controller import Controller
from testbed.bed import CHECKOUT, Bed


@pytest.fixture(scope="module")
def installed(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """A directory with an ansible.cfg like the one of docs/getting-started.md, and the collection below it."""
    place = tmp_path_factory.mktemp("user")
    (place / "ansible.cfg").write_text("[defaults]\nstdout_callback = onebox.stack.progress\ncollections_path = .\n")
    galaxy = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    subprocess.run([*galaxy, "build", "--output-path", str(place)], cwd=CHECKOUT, env=environment, check=True)
    archive = next(place.glob("onebox-stack-*.tar.gz"))
    install = [*galaxy, "install", "--offline", "--collections-path", str(place), str(archive)]
    subprocess.run(install, cwd=place, env=environment, check=True)
    return Controller(bed, place)


@pytest.mark.parametrize(
    "arguments",
    [
        ("onebox.stack.site",),
        ("onebox.stack.site", "--tags", "proxy"),
        ("onebox.stack.site", "--check", "--diff"),
        ("onebox.stack.deploy",),
        ("onebox.stack.verify",),
    ],
)
def test_the_installed_collection_works_by_its_name(installed: Controller, arguments: tuple[str, ...]) -> None:
    run = installed.run(*arguments).succeeded()
    assert run.changed == 0
    assert "Time " in run.output, "the summary of the progress view"


def test_the_built_collection_holds_what_a_user_needs_and_nothing_else(installed: Controller) -> None:
    root = installed.directory / "ansible_collections" / "onebox" / "stack"
    files = ["CHANGELOG.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "site.yml"]
    directories = ["docs", "inventories", "meta", "playbooks", "plugins", "roles"]
    assert sorted(path.name for path in root.iterdir()) == sorted(files + directories)
