"""What the name of an input promises about its value."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._formats import FORMATS


def accepted(name: str, value: Any) -> bool:
    return next(known for known in FORMATS if re.search(known.names, name)).accepts(value)


@pytest.mark.parametrize("name", ["docker_log_max_size", "app_services.memory"])
@pytest.mark.parametrize(("value", "good"), [("10m", True), ("1G", True), ("10", False), ("0m", False), ("big", False)])
def test_a_size_has_a_unit_that_docker_knows(name: str, value: str, good: bool) -> None:
    assert accepted(name, value) is good


@pytest.mark.parametrize(
    ("value", "good"),
    [("172.20.0.0/14", True), ("fd00::/56", True), ("172.20.0.1/14", False), ("172.20.0.0", False), ("pool", False)],
)
def test_an_address_pool_is_a_range_without_host_bits(value: str, good: bool) -> None:
    assert accepted("docker_address_pools.base", value) is good
