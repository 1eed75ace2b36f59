"""What the README claims, as far as it can be seen without a host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()


def test_the_readme_is_at_most_150_lines() -> None:
    assert len(README.splitlines()) <= 150


def test_the_links_of_the_documentation_lead_to_files() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("target", ["demo", "test", "clean"])
def test_the_makefile_has_the_commands_of_the_readme(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def example() -> dict[str, object]:
    text = re.search(r"<!-- example: inventory -->\n```yaml\n(.*?)```", README, re.DOTALL)
    assert text
    loaded: dict[str, object] = yaml.safe_load(text[1])
    return loaded


def test_the_inventory_of_the_readme_passes_the_inventory_check(tmp_path: Path) -> None:
    variables = example() | {name: f"{name}-value" for name in re.findall(r"vault_\w+", README)}
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump({"onebox": {"hosts": {"server": {"ansible_host": "192.0.2.1"}}, "vars": variables}})
    )
    (tmp_path / "play.yml").write_text(
        "- hosts: onebox\n  gather_facts: false\n  tasks:\n    - onebox.stack.inventory_check:\n"
    )
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(tmp_path / "hosts.yml"), "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
