# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two slots of an app as they are, and the steps from there to a release that serves. Nothing is done here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.onebox.stack.plugins.module_utils._docker import Container
from ansible_collections.onebox.stack.plugins.module_utils._release import OTHER, SINGLETONS, Release, Service

_ALIVE = ("running", "restarting", "paused")


@dataclass(frozen=True)
class Slot:
    """One slot: the release that its link names, and its containers."""

    name: str
    release: str = ""
    containers: tuple[Container, ...] = ()

    @property
    def alive(self) -> bool:
        return any(each.state in _ALIVE for each in self.containers)

    @property
    def running_singletons(self) -> tuple[str, ...]:
        singletons = (each for each in self.containers if each.labels.get("onebox.type") in SINGLETONS)
        return tuple(sorted({service_of(each) for each in singletons if each.state in _ALIVE}))

    def of(self, service: str) -> list[Container]:
        return [each for each in self.containers if service_of(each) == service]

    def well(self, service: Service) -> bool:
        """All containers of the service run, are healthy, and belong to the slot's release."""
        found = self.of(service.name)
        fitting = [each for each in found if each.well and each.labels.get("onebox.release") == self.release]
        return len(fitting) == len(found) == service.replicas

    def clean(self, release_id: str) -> bool:
        """Only sound containers of this release, so that starting can go on from them."""
        return self.release == release_id and all(
            each.labels.get("onebox.release") == release_id and not each.restart_count and each.health != "unhealthy"
            for each in self.containers
        )


def service_of(container: Container) -> str:
    """The name of a container's service."""
    return container.labels.get("onebox.service", "")


@dataclass(frozen=True)
class State:
    """All that decides what is to be done."""

    marked: str = "blue"
    slots: Mapping[str, Slot] = field(default_factory=lambda: {name: Slot(name) for name in OTHER})
    journal: bool = False  # an earlier run did not come to its end

    @property
    def serving(self) -> Slot:
        """The slot to which the proxy sends its requests; before the first release it holds none."""
        return self.slots[self.marked]

    def target(self, release_id: str) -> Slot:
        """The slot in which the release is to serve: where it serves already, else the idle one."""
        here = self.serving
        return here if here.release in ("", release_id) else self.slots[OTHER[here.name]]


@dataclass(frozen=True)
class Step:
    """One thing to do, small enough to be done again when it was interrupted."""

    action: str  # a method of the engine
    slot: str = ""
    services: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = (self.action.replace("_", " "), self.slot, ", ".join(self.services))
        return " ".join(part for part in said if part)


def plan(state: State, wanted: Release) -> tuple[Step, ...]:
    """Return the steps from any state to the wanted release serving alone; none when it does so already."""
    target = state.target(wanted.id)
    other = state.slots[OTHER[target.name]]
    steps = (
        *_prepare(state, target, wanted),
        *_start(state, target, wanted.side_by_side),
        *_stop_singletons(other),
        *_start(state, target, wanted.singletons),
        *([Step("switch", target.name)] if target.name != state.marked else []),
        *_retire(other),
    )
    return (*steps, Step("prune"), Step("record")) if steps or state.journal else ()


def take_back(state: State, failed: str) -> tuple[Step, ...]:
    """Return the steps that undo what came before the switch, when starting in the slot `failed` went wrong."""
    serving = state.serving
    if failed != serving.name:
        return (*_stop(state.slots[failed]), Step("start_singletons_again", serving.name))
    # In the serving slot nothing is better than what is; only a first release that never served goes away.
    return (*_stop(serving), Step("unlink", failed)) if not serving.release else ()


def _prepare(state: State, target: Slot, wanted: Release) -> Iterable[Step]:
    serves_already = target is state.serving and target.release == wanted.id
    if serves_already or (target.clean(wanted.id)):
        return ()
    clear = (Step("clear_slot", target.name),) if target.containers else ()
    return (*_retire(target), *clear, Step("link", target.name))


def _start(state: State, target: Slot, services: tuple[Service, ...]) -> Iterable[Step]:
    """Start what is not well; outside the serving slot, or after an interruption, everything has to prove itself."""
    proven = target is state.serving and not state.journal
    names = tuple(each.name for each in services if not (proven and target.well(each)))
    return (Step("start", target.name, names), Step("await_healthy", target.name, names)) if names else ()


def _stop_singletons(slot: Slot) -> Iterable[Step]:
    names = slot.running_singletons
    return (Step("stop_singletons", slot.name, names),) if names else ()


def _retire(slot: Slot) -> Iterable[Step]:
    return (Step("drain", slot.name), *_stop(slot)) if slot.alive else ()


def _stop(slot: Slot) -> Iterable[Step]:
    return (Step("stop", slot.name),)
