#!/usr/bin/env python3
"""Write the generated documentation: each role's README.md and the two tables of the collection's.

docs/generate.py           writes the files that differ
docs/generate.py --check   writes nothing, prints what differs, and ends with 1 when something does
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("check", "configure", "start", "verify")
NOTE = "<!-- Written by docs/generate.py from meta/argument_specs.yml; changes made here are lost. -->"
MARKUP = (
    (r"\b[COVEP]\(([^)]+)\)", r"`\1`"),
    (r"\bM\(([^)]+)\)", r"`\1`"),
    (r"\bI\(([^)]+)\)", r"*\1*"),
    (r"\bB\(([^)]+)\)", r"**\1**"),
    (r"\bL\(([^,)]+), *([^)]+)\)", r"[\1](\2)"),
    (r"\bU\(([^)]+)\)", r"<\1>"),
)


def lines(description: str | list[str] | None) -> list[str]:
    return [description] if isinstance(description, str) else list(description or [])


def markdown(text: str) -> str:
    """Ansible's markup as Markdown."""
    for pattern, replacement in MARKUP:
        text = re.sub(pattern, replacement, text)
    return text


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def table(head: list[str], rows: list[list[str]]) -> str:
    written = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, row))} |" for row in written)


def kind(option: Mapping[str, Any]) -> str:
    """The type as one reads it: `list of dict`, `str, one of web, worker`, `str, secret`."""
    text = str(option.get("type", "str"))
    if "elements" in option:
        text += f" of {option['elements']}"
    if "choices" in option:
        text += f", one of {', '.join(f'`{choice}`' for choice in option['choices'])}"
    return f"{text}, secret" if option.get("no_log") else text


def default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    if "default" not in option:
        return ""
    return f"`{json.dumps(option['default'], ensure_ascii=False)}`"


def inputs(options: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """A row for each input, and one for each key inside it: `app_services[].port`."""
    for name, option in options.items():
        meaning = markdown(" ".join(lines(option.get("description"))))
        yield [f"`{prefix}{name}`", kind(option), default(option), meaning]
        inside = f"{prefix}{name}[]." if option.get("type") == "list" else f"{prefix}{name}."
        yield from inputs(option.get("options") or {}, inside)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(role: Path) -> Iterator[list[str]]:
    """What each of the four steps does, from the names of its tasks."""
    for file in (role / f"tasks/{step}.yml" for step in STEPS):
        if file.exists():
            names = [str(task["name"]).partition(" | ")[2] for task in load(file) or []]
            yield [f"`{file.stem}`", ". ".join(names)]


def main_spec(role: Path) -> dict[str, Any]:
    spec: dict[str, Any] = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]
    return spec


def role_page(role: Path) -> str:
    spec = main_spec(role)
    parts = [
        NOTE,
        f"# {role.name}: {markdown(spec['short_description'])}",
        *(markdown(" ".join(line.split())) for line in lines(spec.get("description"))),
        "## What it does",
        table(["step", "does"], list(steps(role))),
        "## Inputs",
        table(["name", "type", "default", "meaning"], list(inputs(spec.get("options") or {}))),
    ]
    return "\n\n".join(parts) + "\n"


def playbook_row(path: Path) -> list[str]:
    """A playbook's summary is the first comment at its top."""
    comment = re.match(r"(?:---\n)?# *(.+)", path.read_text(encoding="utf-8"))
    return [f"[`{path.stem}`](playbooks/{path.name})", comment[1] if comment else ""]


def role_row(role: Path) -> list[str]:
    return [f"[`{role.name}`](roles/{role.name}/README.md)", markdown(main_spec(role)["short_description"])]


def front_page(root: Path, text: str) -> str:
    """README.md with its two tables written anew between their markers."""
    playbooks = [playbook_row(path) for path in sorted((root / "playbooks").glob("*.yml"))]
    for name, rows in (("playbook", playbooks), ("role", list(map(role_row, role_directories(root))))):
        before, start, rest = text.partition(f"<!-- generated: {name}s -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (start and end):
            sys.exit(f"README.md has no place for the table of {name}s: <!-- generated: {name}s --> ... <!-- end -->")
        text = f"{before}{start}\n{table([name, 'what it does'], rows)}\n\n{end}{after}"
    return text


def role_directories(root: Path) -> list[Path]:
    return [path.parents[1] for path in sorted((root / "roles").glob("*/meta/argument_specs.yml"))]


def pages(root: Path) -> dict[Path, str]:
    """Every file that is generated, wholly or in part, with what it should hold."""
    front = root / "README.md"
    return {
        **{role / "README.md": role_page(role) for role in role_directories(root)},
        front: front_page(root, front.read_text(encoding="utf-8")),
    }


def main(root: Path, check: bool) -> int:
    differs = False
    for path, wanted in pages(root).items():
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        name = str(path.relative_to(root))
        differs = differs or found != wanted
        if check:
            sys.stdout.writelines(difflib.unified_diff(found.splitlines(True), wanted.splitlines(True), name, name))
        elif found != wanted:
            path.write_text(wanted, encoding="utf-8")
    return int(check and differs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 when something differs")
    sys.exit(main(ROOT, parser.parse_args().check))
