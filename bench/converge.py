"""How long provisioning takes on the demo's host: bare, with nothing to change, and the same with Mitogen.

Read the ratios: the seconds are those of the machine at hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from testbed import lifecycle
from testbed.bed import CHECKOUT

REPEATS = 3


@dataclass(frozen=True)
class Measure:
    """One run: its seconds, and what the play recap counts."""

    name: str
    seconds: float
    tasks: int
    changed: int

    def row(self, base: Measure) -> str:
        return (
            f"{self.name:<34}{self.seconds:>8.1f} s{self.tasks:>8} tasks{self.changed:>6} changed"
            f"{self.seconds / base.seconds:>8.2f}"
        )


def converge(name: str, **environment: str) -> Measure:
    """Run site.yml on the demo's host; raises CalledProcessError when it fails."""
    started = time.monotonic()
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", "inventories/demo", "-i", ".bed/demo/inventory", "playbooks/site.yml"),
        ],
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stdout}")
    counted = dict(re.findall(r"(ok|changed)=(\d+)", done.stdout[done.stdout.index("PLAY RECAP") :]))
    return Measure(name, seconds, int(counted["ok"]), int(counted["changed"]))


def median(name: str, **environment: str) -> Measure:
    """The middle one of several runs with nothing to change."""
    runs = sorted((converge(name, **environment) for _ in range(REPEATS)), key=lambda run: run.seconds)
    return runs[REPEATS // 2]


def mitogen() -> dict[str, str]:
    """The settings by which Ansible finds Mitogen's strategy in the environment of this checkout."""
    spec = find_spec("ansible_mitogen")
    if spec is None or spec.origin is None:
        sys.exit("Mitogen is not installed in .venv; run: make clean && rm -r .venv && make bench")
    plugins = Path(spec.origin).parent / "plugins" / "strategy"
    return {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}


def main() -> None:
    """Measure and print."""
    lifecycle.up("demo", ())
    lifecycle.reset("demo")
    first = converge("bare host")
    nothing = median(f"nothing to change (median of {REPEATS})")
    faster = median(f"the same with Mitogen (of {REPEATS})", **mitogen())
    print(f"\n{'converge':<34}{'seconds':>10}{'':>14}{'':>14}{'ratio':>8}")
    for measure in (first, nothing, faster):
        print(measure.row(first))


if __name__ == "__main__":
    main()
