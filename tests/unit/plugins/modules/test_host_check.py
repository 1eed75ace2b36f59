"""The module's documentation and its arguments are one."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.onebox.stack.plugins.modules import host_check


def test_the_documented_options_are_the_options() -> None:
    documented: dict[str, dict[str, Any]] = yaml.safe_load(host_check.DOCUMENTATION)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in documented.items()
    } == host_check.ARGUMENTS


def test_everything_documented_is_returned_and_the_module_changes_nothing() -> None:
    params = {name: option.get("default") for name, option in host_check.ARGUMENTS.items()}
    result = host_check.run(params)
    assert result.pop("changed") is False
    assert result.keys() == yaml.safe_load(host_check.RETURN).keys()
