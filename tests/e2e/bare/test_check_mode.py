"""On a bare host, check mode names what the run then does."""

from __future__ import annotations

from e2e.controller import Controller
from testbed.bed import Bed


def test_check_mode_on_a_bare_host_names_what_the_run_then_does(bed: Bed, controller: Controller) -> None:
    assert bed.host(["which", "docker"]).returncode != 0, "the host is bare"
    foretold = controller.run("site.yml", "--check", "--diff", callback="ansible.builtin.default").succeeded()
    assert bed.host(["which", "docker"]).returncode != 0, "check mode changed nothing"
    assert "reverse_proxy shop-web-blue:3000" in foretold.output, "the difference is shown"

    done = controller.run("site.yml", callback="ansible.builtin.default").succeeded()
    assert foretold.changed_tasks == done.changed_tasks
    assert done.changed > 0

    assert controller.run("site.yml", "--check").succeeded().changed == 0
    assert controller.run("site.yml").succeeded().changed == 0
