"""These tests begin on a bare host."""

from __future__ import annotations

import pytest
from testbed import lifecycle
from testbed.bed import Bed


@pytest.fixture(scope="module", autouse=True)
def _bare_host(bed: Bed) -> None:
    """Each file begins with a bare host, whatever the one before left."""
    if bed.host(["ls", "/opt/onebox"]).returncode == 0:
        lifecycle.reset(bed.name)
