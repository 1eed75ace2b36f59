"""The documentation generator, on a small collection of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.onebox.stack.docs import generate

ROOT = Path(__file__).parents[3]
SPEC = """\
argument_specs:
  main:
    short_description: Runs C(caddy)
    description: [One., Two.]
    options:
      proxy_sites:
        type: list
        elements: dict
        default: []
        description: [The sites., "Example: C(proxy_sites: [])"]
        options:
          mode: {type: str, required: true, choices: [a, b], description: "Either V(a) | V(b)."}
      proxy_token: {type: str, required: true, no_log: true, description: Secret.}
"""
FRONT = """\
# Stack

<!-- generated: playbooks -->
<!-- end -->
between
<!-- generated: roles -->
old
<!-- end -->
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "README.md": FRONT,
        "playbooks/site.yml": "---\n# Provision everything.\n# More.\n- hosts: all\n",
        "roles/proxy/meta/argument_specs.yml": SPEC,
        "roles/proxy/tasks/start.yml": "- name: start | Run it\n- name: start | Wait for it\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_role_page_has_its_steps_and_every_input_with_what_is_inside(root: Path) -> None:
    generate.main(root, check=False)
    page = (root / "roles/proxy/README.md").read_text()
    assert "# proxy: Runs `caddy`\n\nOne.\n\nTwo.\n" in page
    assert "| `start` | Run it. Wait for it |" in page
    assert "| `proxy_sites` | list of dict | `[]` | The sites. Example: `proxy_sites: []` |" in page
    assert r"| `proxy_sites[].mode` | str, one of `a`, `b` | **required** | Either `a` \| `b`. |" in page
    assert "| `proxy_token` | str, secret | **required** | Secret. |" in page


def test_the_front_page_keeps_what_is_outside_the_markers(root: Path) -> None:
    generate.main(root, check=False)
    page = (root / "README.md").read_text()
    assert page.startswith("# Stack\n")
    assert "\nbetween\n" in page
    assert "old" not in page
    assert "| [`site`](playbooks/site.yml) | Provision everything. |" in page
    assert "| [`proxy`](roles/proxy/README.md) | Runs `caddy` |" in page


def test_check_writes_nothing_and_fails_until_all_is_written(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(root, check=True) == 1
    assert "+| `proxy_token` | str, secret" in capsys.readouterr().out
    assert (root / "README.md").read_text() == FRONT
    assert generate.main(root, check=False) == 0
    assert generate.main(root, check=True) == 0
    assert capsys.readouterr().out == ""


def test_a_front_page_without_markers_is_refused(root: Path) -> None:
    (root / "README.md").write_text("# Stack\n")
    with pytest.raises(SystemExit, match="generated: playbooks"):
        generate.main(root, check=False)


def test_the_written_documentation_is_current() -> None:
    assert generate.main(ROOT, check=True) == 0


def test_the_front_page_fits_in_150_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
