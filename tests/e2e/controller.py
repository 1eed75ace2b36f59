"""Runs the collection's playbooks against a bed, as its user would: by `ansible-playbook` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from testbed.bed import CHECKOUT, Bed

PLAYBOOK_SECONDS = 600
STARTED = "^/usr/bin/python3|/usr/bin/dpkg|^dpkg|^apt-get|^docker |docker-compose|docker-buildx|^git "


@dataclass(frozen=True)
class Run:
    """What a playbook run ended with."""

    returncode: int
    output: str

    @property
    def changed(self) -> int:
        """The number of changed tasks in the play recap."""
        return self._recap("changed")

    @property
    def changed_tasks(self) -> list[str]:
        """Names of the changed tasks, in their order; needs the default callback's output."""
        found: list[str] = []
        task = ""
        for line in self.output.splitlines():
            if header := re.match(r"TASK \[(.+?)\] \*", line):
                task = header[1]
            elif line.startswith("changed: ["):
                found.append(task)
        return found

    def _recap(self, what: str) -> int:
        recap = self.output[self.output.index("PLAY RECAP") :]
        found = re.search(rf"{what}=(\d+)", recap)
        assert found, recap
        return int(found[1])

    def succeeded(self) -> Run:
        assert self.returncode == 0, self.output[-8000:]
        return self

    def failed(self) -> Run:
        assert self.returncode not in (0, None), self.output[-8000:]
        return self


@dataclass(frozen=True)
class Controller:
    """A checkout with an inventory for one bed."""

    bed: Bed
    directory: Path = CHECKOUT
    inventories: tuple[Path, ...] = (CHECKOUT / "inventories" / "demo",)

    def argv(self, playbook: str, *arguments: str) -> list[str]:
        inventories = [
            word for path in (*self.inventories, self.bed.directory / "inventory") for word in ("-i", str(path))
        ]
        return [str(Path(sys.executable).with_name("ansible-playbook")), *inventories, playbook, *arguments]

    def environment(self, callback: str = "") -> dict[str, str]:
        chosen = {"ANSIBLE_STDOUT_CALLBACK": callback} if callback else {}
        # Molecule sets Ansible up for itself; a user's shell has none of it.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
        return own | {"ANSIBLE_NOCOLOR": "1"} | chosen

    def run(self, playbook: str, *arguments: str, callback: str = "") -> Run:
        done = subprocess.run(
            self.argv(playbook, *arguments),
            cwd=self.directory,
            env=self.environment(callback),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PLAYBOOK_SECONDS,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    def kill_during(self, playbook: str, task: str, when: Callable[[], bool]) -> str:
        """Start a run, and kill it and all that it started on the host once `task` runs and `when` is true."""
        process = subprocess.Popen(
            self.argv(playbook),
            cwd=self.directory,
            env=self.environment("ansible.builtin.default"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout
        output = ""
        for line in process.stdout:
            output += line
            if f": {task}] *" in line:
                break
        else:
            raise AssertionError(f"The run never came to the task {task!r}:\n{output[-8000:]}")
        deadline = time.monotonic() + 60
        while not when():
            assert time.monotonic() < deadline, f"{task!r} never came to the moment at which it was to be killed"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        # The modules too, which with pipelining are a plain python3, and what they started.
        # A process in a system call dies when it comes back, and a parent that dies later may have started another.
        deadline = time.monotonic() + 30
        while self.bed.host(["pkill", "-KILL", "-f", STARTED]).returncode == 0:
            assert time.monotonic() < deadline, "what the run started on the host does not die"
            time.sleep(0.1)
        process.wait()
        return output


def secrets(bed: Bed) -> dict[str, str]:
    """The secrets of a bed's inventory, by name, whole values and the lines of longer ones."""
    vault: dict[str, str] = yaml.safe_load(
        (bed.directory / "inventory" / "group_vars" / "onebox" / "vault.yml").read_text()
    )
    return {
        f"{name}[{number}]": line
        for name, value in vault.items()
        for number, line in enumerate(value.splitlines())
        if len(line) >= 8 and not line.startswith("-----")
    }


def found_secrets(text: str, known: dict[str, str]) -> Sequence[str]:
    """Names of the secrets that stand in a text."""
    return [name for name, value in known.items() if value in text]
