"""The whole host restarts."""

from __future__ import annotations

import time

import pytest
from e2e.controller import Controller
from testbed.bed import Bed

BACK_WITHIN_SECONDS = 60


def test_after_a_restart_of_the_host_everything_is_back_by_itself(
    bed: Bed, controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    bed.restart_host()
    while bed.client(["curl", "-sSf", "--max-time", "2", "https://shop.example.test/api/health"]).returncode != 0:
        assert time.monotonic() - started < BACK_WITHIN_SECONDS, "the site is not back"
        time.sleep(0.5)
    with capsys.disabled():
        print(f" back after {time.monotonic() - started:.1f} s", end=" ")
    controller.run("playbooks/verify.yml").succeeded()
    assert controller.run("site.yml").succeeded().changed == 0
