# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have a release serve: carry out the plan step by step, or put everything back as it was."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.onebox.stack.plugins.module_utils import _docker as docker
from ansible_collections.onebox.stack.plugins.module_utils._compose_env import mask
from ansible_collections.onebox.stack.plugins.module_utils._process import Run, check
from ansible_collections.onebox.stack.plugins.module_utils._readiness import Machine, Waiting
from ansible_collections.onebox.stack.plugins.module_utils._release import SLOTS, Release, ReleaseError, Store, now
from ansible_collections.onebox.stack.plugins.module_utils._slots import Slot, State, Step, plan, take_back

_AFTER_THE_SWITCH = ("switch", "drain", "stop", "prune", "record")
_UP_SECONDS = 900  # a service may bring an image of its own that has to be pulled
_LOG_LINES = 20


@dataclass(frozen=True)
class Settings:
    """Who activates, and how."""

    by: str = ""
    drain_seconds: float = 30
    keep: int = 5


def compose(store: Store, release_id: str, project: str) -> list[str]:
    """Return the beginning of a docker compose command for a release."""
    directory = str(store.path(release_id))
    return ["docker", "compose", "-p", project, "--project-directory", directory, "-f", f"{directory}/compose.yaml"]


def read_state(store: Store, run: Run) -> State:
    """See what is: links, marker, journal, and the containers of both slots."""
    found = docker.containers(run, {"onebox.app": store.app})
    lasting = [each for each in found if each.labels.get("com.docker.compose.oneoff") != "True"]
    slots = {
        name: Slot(name, store.linked(name), tuple(each for each in lasting if each.labels.get("onebox.slot") == name))
        for name in SLOTS
    }
    return State(store.marked, slots, store.journal() is not None)


class Activation:
    """One run towards one release. Each public method below the line carries out the step of its name."""

    def __init__(self, store: Store, wanted: Release, settings: Settings, machine: Machine) -> None:
        self.store, self.wanted, self.settings, self.machine = store, wanted, settings, machine
        self.begun = machine.clock()
        self.state = read_state(store, machine.run)
        self.journal = store.journal() or {}
        self.target = self.state.target(wanted.id).name
        self.steps = plan(self.state, wanted)

    @property
    def previous(self) -> str:
        """The release that served before; after an interrupted run the journal knows."""
        same = self.journal.get("release") == self.wanted.id
        return (self.journal.get("previous", "") if same else "") or self._other_than_wanted(self.state.serving.release)

    def _other_than_wanted(self, release_id: str) -> str:
        return release_id if release_id != self.wanted.id else ""

    @property
    def resumed(self) -> str:
        """A sentence about the run that did not come to its end, if there was one."""
        if not self.journal:
            return ""
        seen = {"by": "somebody", "at": "?", "step": "?", "release": "?", **self.journal}
        serving = self.state.serving
        return (
            "The run of {by} at {at} was interrupted at the step '{step}' of release {release}. ".format_map(seen)
            + f"Found: slot {serving.name} serving {serving.release or 'nothing'}. This run goes on from there."
        )

    def perform(self) -> None:
        """Carry out the plan; a fault before the switch takes everything back, and is raised as ReleaseError."""
        if self.journal and self.journal.get("release") != self.wanted.id:
            self._remember_interrupted()
        number = 0
        try:
            for number, step in enumerate(self.steps):  # noqa: B007 - the handler reads number
                self._note(step)
                getattr(self, step.action)(step)
        except Exception as error:  # whatever it was, no half of a switch may stay
            raise ReleaseError(self._give_up(self.steps[number:], error)) from error

    def _note(self, step: Step) -> None:
        entry = {"release": self.wanted.id, "slot": self.target, "step": str(step), "previous": self.previous}
        self.store.note({**entry, "at": now(), "by": self.settings.by})

    def _remember_interrupted(self) -> None:
        """Close the history of a run towards another release: it had let that release serve, or it had not."""
        was = {"release": "", "slot": "", "step": "?", "previous": "", **self.journal}
        # The slot is the idle one of a release before, or the first of all, where only the end tells.
        served = was["slot"] == self.state.marked and (was["previous"] or was["step"] in ("prune", "record"))
        detail = f"interrupted at the step '{was['step']}'"
        self._remember("active" if served else "failed", detail, str(was["release"]), str(was["previous"]))

    def _remember(self, outcome: str, detail: str = "", release_id: str = "", previous: str = "") -> None:
        release = self.store.read(release_id) if release_id else self.wanted
        self.store.append(
            {
                "at": now(),
                "by": self.settings.by,
                "action": "deploy",
                "release": release_id or self.wanted.id,
                "version": release.version if release else "",
                "commit": release.commit if release else "",
                "previous": previous if release_id else self.previous,
                "outcome": outcome,
                "seconds": round(self.machine.clock() - self.begun, 1),
                "detail": detail,
            }
        )

    # --- when something goes wrong

    def _give_up(self, rest: Sequence[Step], error: Exception) -> str:
        """Put back what can be put back; return what happened, how things are, and what to do."""
        serves = self.store.marked == self.target and all(step.action in _AFTER_THE_SWITCH for step in rest)
        secrets = self.store.secrets_of(self.wanted)
        what = mask(f"{rest[0]}: {error}", secrets)
        log = mask(self._log_of(error), secrets)
        left = [] if serves else self._undo()
        if not (serves or left):
            self.store.forget()
        self._remember("failed", what.splitlines()[0])
        parts = (f"Release {self.wanted.id} of {self.store.app} failed at the step {what}", log, self._outlook(serves))
        return "\n".join(part for part in (*parts, *left) if part)

    def _undo(self) -> list[str]:
        """Take the failed start back; return what could not be."""
        left = []
        for step in take_back(self.state, self.target):
            fault = self._fault_of(step)
            if fault:
                left.append(f"It could not be taken back completely: {step}: {fault}. The next run does it.")
        return left

    def _fault_of(self, step: Step) -> str:
        try:
            getattr(self, step.action)(step)
        except Exception as error:
            return str(error) or repr(error)
        return ""

    def _log_of(self, error: Exception) -> str:
        container = getattr(error, "container", None)
        if container is None:
            return ""
        lines = docker.logs(self.machine.run, container.id, _LOG_LINES) or "(it wrote nothing)"
        return f"Last lines of {container.name}:\n" + textwrap.indent(lines, "  ")

    def _outlook(self, serves: bool) -> str:
        old = self.state.serving
        if serves:
            return f"The new release serves from slot {self.target}; only cleaning up is left. Run again to finish."
        if old.release == self.wanted.id:
            return (
                f"Slot {old.name} still is to serve this release; nothing was taken away. Mend it, or deploy another."
            )
        kept = f"Its containers in slot {self.target} are stopped and kept for their logs."
        now_serves = (
            f"Release {old.release} in slot {old.name} serves as before." if old.release else "No release serves."
        )
        return f"{now_serves} {kept} Mend the cause and deploy again."

    # --- the steps

    def clear_slot(self, step: Step) -> None:
        """Remove the containers of a slot, with volumes that nobody named."""
        found = [each.id for each in self._slot(step.slot).containers]
        if found:
            self._docker("rm", "--force", "--volumes", *found)

    def link(self, step: Step) -> None:
        self.store.link(step.slot, self.wanted.id)

    def unlink(self, step: Step) -> None:
        self.store.unlink(step.slot)

    def start(self, step: Step) -> None:
        self._up(self.wanted.id, step.slot, step.services)

    def await_healthy(self, step: Step) -> None:
        """Wait; restarts from long before are not held against a container of the serving slot."""
        before = {each.id: each.restart_count for each in self.state.slots[step.slot].containers}
        services = [each for each in self.wanted.services if each.name in step.services]
        Waiting(self.machine, before).until_ready(services, lambda: self._slot(step.slot))

    def stop_singletons(self, step: Step) -> None:
        slot = self._slot(step.slot)
        self._stop(slot, step.services)

    def start_singletons_again(self, step: Step) -> None:
        """Have the singletons of a slot run again after another slot's could not take over."""
        release = self.store.read(self.store.linked(step.slot))
        running = self._slot(step.slot).running_singletons
        names = [each.name for each in (release.singletons if release else ()) if each.name not in running]
        if release and names:
            self._up(release.id, step.slot, names)

    def switch(self, step: Step) -> None:
        self.store.mark(step.slot)

    def drain(self, step: Step) -> None:
        """Wait until nobody is connected to the slot's web services, or the grace is over."""
        end = self.machine.clock() + self.settings.drain_seconds
        web = [each for each in self._slot(step.slot).containers if each.labels.get("onebox.type") == "web"]
        pids = [each.pid for each in web if each.pid]
        while self.machine.clock() < end and any(self.machine.connections(pid) for pid in pids):
            self.machine.sleep(0.25)

    def stop(self, step: Step) -> None:
        slot = self._slot(step.slot)
        self._stop(slot, {each.labels.get("onebox.service", "") for each in slot.containers})

    def prune(self, _step: Step) -> None:
        self.store.prune(self.settings.keep, [self.wanted.id])

    def record(self, _step: Step) -> None:
        self._remember("active")
        self.store.forget()

    def _slot(self, name: str) -> Slot:
        return read_state(self.store, self.machine.run).slots[name]

    def _up(self, release_id: str, slot: str, services: Sequence[str]) -> None:
        """Start services; an image that is there is never asked for elsewhere, so going back works offline."""
        argv = compose(self.store, release_id, f"{self.store.app}-{slot}")
        argv += ["up", "--detach", "--no-deps", "--no-build", "--pull", "missing", "--quiet-pull", *services]
        env = {"ONEBOX_SLOT": slot, "ONEBOX_RELEASE": release_id}
        docker.ensure_app_networks(self.machine.run, self.store.app)
        check(self.machine.run(argv, env=env, timeout=_UP_SECONDS), argv)

    def _stop(self, slot: Slot, services: Sequence[str] | set[str]) -> None:
        """Stop containers with the grace that each was created with (stop_grace_period)."""
        found = [
            each.id for name in services for each in slot.of(name) if each.state not in ("created", "exited", "dead")
        ]
        if found:
            self._docker("stop", *found)

    def _docker(self, *arguments: str) -> None:
        argv = ["docker", *arguments]
        check(self.machine.run(argv, timeout=_UP_SECONDS), argv)
