"""What every scenario's tests stand on: its bed, and a controller for it."""

from __future__ import annotations

import os

import pytest
from testbed.bed import Bed, bed_name

from e2e.controller import Controller


@pytest.fixture(scope="session")
def bed() -> Bed:
    """The bed of the scenario that runs; molecule names the scenario."""
    return Bed.load(bed_name(os.environ["MOLECULE_SCENARIO_NAME"]))


@pytest.fixture(scope="session")
def controller(bed: Bed) -> Controller:
    return Controller(bed)
