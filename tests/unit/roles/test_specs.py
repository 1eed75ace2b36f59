"""Every role keeps the same shape, and each fact that is written twice is written the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.onebox.stack.docs import generate
from ansible_collections.onebox.stack.plugins.module_utils import _inventory

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
STEPS = ("check", "configure", "start", "verify")
REFUSED = ("set_fact", "shell", "lineinfile")
Task = dict[str, Any]

pytestmark = pytest.mark.parametrize("role", ROLES)


@cache
def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def inputs(role: str) -> dict[str, Any]:
    options: dict[str, Any] = load(ROOT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return options


def defaults(role: str) -> dict[str, Any]:
    return load(ROOT / f"roles/{role}/defaults/main.yml") or {}


def options_within(options: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option at every depth, with its path without indices, as the check of the inventory sees it."""
    for name, option in options.items():
        yield f"{prefix}{name}", option
        yield from options_within(option.get("options", {}), f"{prefix}{name}.")


def files(role: str) -> list[Path]:
    return sorted((ROOT / f"roles/{role}").glob("tasks/*.yml"))


def tasks_within(tasks: list[Task]) -> Iterator[Task]:
    for task in tasks:
        yield task
        for inside in ("block", "rescue", "always"):
            yield from tasks_within(task.get(inside, []))


def tasks(role: str) -> list[Task]:
    return [task for file in files(role) for task in tasks_within(load(file))]


# -- inputs -----------------------------------------------------------------------------------------------------------


def test_defaults_are_those_of_the_spec(role: str) -> None:
    assert defaults(role) == {name: option["default"] for name, option in inputs(role).items() if "default" in option}


def test_an_input_is_either_required_or_has_a_default(role: str) -> None:
    assert [
        name for name, option in inputs(role).items() if option.get("required", False) is ("default" in option)
    ] == []


def test_defaults_are_literals(role: str) -> None:
    assert "{{" not in str(defaults(role))


def test_inputs_carry_the_roles_name(role: str) -> None:
    assert [name for name in inputs(role) if _inventory.role_of(name, ROLES) != role] == []


def test_a_role_has_at_most_15_inputs(role: str) -> None:
    assert len(inputs(role)) <= 15


def test_secrets_are_text_without_choices(role: str) -> None:
    secrets = {path: option for path, option in options_within(inputs(role)) if option.get("no_log")}
    assert [path for path, option in secrets.items() if option["type"] != "str" and path != "app_secrets"] == []
    assert [path for path, option in secrets.items() if "choices" in option] == []


def test_every_option_says_what_it_is(role: str) -> None:
    silent = [
        path
        for path, option in options_within(inputs(role))
        if not option.get("description") or (option["type"] != "bool" and not _inventory.example_of(option))
    ]
    assert silent == []


def test_every_example_is_of_its_option_and_passes_the_check(role: str) -> None:
    for path, option in options_within(inputs(role)):
        if example := _inventory.example_of(option):
            ((name, value),) = yaml.safe_load(example).items()
            assert name == path.rpartition(".")[2]
            assert [str(problem) for problem in _inventory.check_value(path, option, value)] == []


def test_every_default_passes_the_check(role: str) -> None:
    problems = _inventory.check_options(inputs(role), defaults(role), needed=False)
    assert [str(problem) for problem in problems] == []


# -- tasks ------------------------------------------------------------------------------------------------------------


def test_main_is_a_table_of_contents(role: str) -> None:
    wanted = [{"name": step.capitalize(), "ansible.builtin.import_tasks": f"{step}.yml"} for step in STEPS]
    assert load(ROOT / f"roles/{role}/tasks/main.yml") == wanted
    assert {file.stem for file in files(role)} >= set(STEPS)


def test_tasks_say_where_they_are_and_what_they_do(role: str) -> None:
    for file in (file for file in files(role) if file.stem != "main"):
        for task in tasks_within(load(file)):
            assert re.fullmatch(rf"{file.stem} \| [A-Z][^|]*[^.|]", task.get("name", "")), task


def test_task_files_fit_on_a_screen(role: str) -> None:
    assert [file.name for file in files(role) if len(file.read_text(encoding="utf-8").splitlines()) > 60] == []


def test_roles_decide_nothing_in_yaml(role: str) -> None:
    used = {key.rpartition(".")[2] for task in tasks(role) for key in task}
    assert used.isdisjoint({*REFUSED, "ignore_errors", "tags"})
    assert sum("when" in task for task in tasks(role)) * 4 <= len(tasks(role))


def test_commands_say_when_they_change_something(role: str) -> None:
    commands = [task for task in tasks(role) if {"command", "ansible.builtin.command"} & task.keys()]
    assert [task["name"] for task in commands if "changed_when" not in task] == []


def test_internal_variables_cannot_be_taken_for_inputs(role: str) -> None:
    variables = ROOT / f"roles/{role}/vars/main.yml"
    names = {task["register"] for task in tasks(role) if "register" in task}
    names |= {task["loop_control"]["loop_var"] for task in tasks(role) if "loop_var" in task.get("loop_control", {})}
    names |= set(load(variables) or {}) if variables.exists() else set()
    assert [name for name in sorted(names) if not name.startswith(f"__{role}_")] == []


def test_the_page_of_a_role_is_short(role: str) -> None:
    assert len(generate.role_page(ROOT / f"roles/{role}").splitlines()) <= 150
