"""The plan: pure, so every state of the two slots is tried."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._docker import Container
from ansible_collections.onebox.stack.plugins.module_utils._release import OTHER, Release, Service
from ansible_collections.onebox.stack.plugins.module_utils._slots import Slot, State, plan, take_back
from hypothesis import given
from hypothesis import strategies as st

WANTED = Release("new", "shop", services=(Service("web", "web"), Service("worker", "worker"), Service("bot", "bot")))
CLEANING = ("prune", "record")


def slot(name: str, release: str, state: str = "running", **others: str) -> Slot:
    """A slot whose services have one state, except those named."""
    states = {service.name: others.get(service.name, state) for service in WANTED.services}
    return Slot(name, release, tuple(container(name, release, each, states[each]) for each in states if states[each]))


def container(name: str, release: str, service: str, state: str) -> Container:
    labels = {"onebox.slot": name, "onebox.release": release, "onebox.service": service, "onebox.type": service}
    return Container(f"{name}-{service}", f"{name}-{service}", labels=labels, state=state)


def state(blue: Slot, green: Slot, marked: str = "blue", journal: bool = False) -> State:
    return State(marked, {"blue": blue, "green": green}, journal)


def said(found: State) -> list[str]:
    return [str(step) for step in plan(found, WANTED)]


def test_the_first_release_starts_in_blue_and_needs_no_switch_and_no_drain() -> None:
    assert said(State()) == [
        "link blue",
        "start blue web, worker",
        "await healthy blue web, worker",
        "start blue bot",
        "await healthy blue bot",
        *CLEANING,
    ]


@pytest.mark.parametrize("marked", ["blue", "green"])
def test_a_new_release_starts_beside_the_old_and_then_takes_over(marked: str) -> None:
    idle = OTHER[marked]
    slots = {marked: slot(marked, "old"), idle: slot(idle, "older", "exited")}
    assert said(State(marked, slots)) == [
        f"clear slot {idle}",
        f"link {idle}",
        f"start {idle} web, worker",
        f"await healthy {idle} web, worker",
        f"stop singletons {marked} bot",
        f"start {idle} bot",
        f"await healthy {idle} bot",
        f"switch {idle}",
        f"drain {marked}",
        f"stop {marked}",
        *CLEANING,
    ]


def test_nothing_is_done_when_the_wanted_release_serves_and_the_other_slot_is_stopped() -> None:
    assert said(state(slot("blue", "new"), slot("green", "old", "exited"))) == []


def test_a_slot_that_still_runs_is_drained_before_it_is_cleared() -> None:
    steps = said(state(slot("blue", "old"), slot("green", "older")))
    assert steps[:4] == ["drain green", "stop green", "clear slot green", "link green"]


def test_a_missing_service_is_mended_in_place() -> None:
    steps = said(state(slot("blue", "new", worker=""), slot("green", "old", "exited")))
    assert steps == ["start blue worker", "await healthy blue worker", *CLEANING]


def test_after_the_switch_only_the_rest_is_left() -> None:
    steps = said(state(slot("blue", "new"), slot("green", "old", bot="exited")))
    assert steps == ["drain green", "stop green", *CLEANING]


def test_an_interrupted_run_has_everything_prove_itself_again() -> None:
    steps = said(state(slot("blue", "new"), Slot("green"), journal=True))
    assert steps[:2] == ["start blue web, worker", "await healthy blue web, worker"]


def test_a_crashed_leftover_of_the_wanted_release_is_not_built_upon() -> None:
    left = slot("green", "new", "exited")
    crashed = replace(left, containers=(replace(left.containers[0], restart_count=3), *left.containers[1:]))
    assert said(state(slot("blue", "old"), crashed))[0] == "clear slot green"


def test_too_many_containers_of_a_service_are_not_well() -> None:
    extra = replace(container("blue", "new", "web", "running"), id="second")
    doubled = replace(slot("blue", "new"), containers=(*slot("blue", "new").containers, extra))
    assert said(state(doubled, Slot("green")))[0] == "start blue web"


def test_taking_back_stops_the_new_and_starts_the_old_singletons_again() -> None:
    found = state(slot("blue", "old"), Slot("green"))
    assert [str(step) for step in take_back(found, "green")] == ["stop green", "start singletons again blue"]


def test_taking_back_never_stops_a_release_that_served() -> None:
    assert take_back(state(slot("blue", "new"), Slot("green")), "blue") == ()


STATES = st.sampled_from(["", "running", "restarting", "exited", "created"])
RELEASES = st.sampled_from(["", "new", "old"])


@st.composite
def slots(draw: st.DrawFn, name: str) -> Slot:
    made = slot(name, draw(RELEASES), web=draw(STATES), worker=draw(STATES), bot=draw(STATES))
    label = draw(RELEASES)
    others = tuple(
        replace(one, labels={**one.labels, "onebox.release": label}) if draw(st.booleans()) else one
        for one in made.containers
    )
    return replace(made, containers=others)


@given(st.builds(state, slots("blue"), slots("green"), st.sampled_from(["blue", "green"]), st.booleans()))
def test_in_every_state_the_plan_keeps_its_promises(found: State) -> None:
    steps = plan(found, WANTED)
    actions = [step.action for step in steps]
    target = found.target("new").name
    if not steps:
        assert found.serving.release == "new"
        assert all(found.serving.well(service) for service in WANTED.services)
        assert not found.slots[OTHER[target]].alive
        return
    assert actions[-2:] == list(CLEANING)
    assert actions.count("switch") == (target != found.marked)
    before = actions[: actions.index("switch")] if "switch" in actions else []
    touched = [step.slot for step in steps[: len(before)] if step.action in ("drain", "stop", "clear_slot", "start")]
    assert set(touched) <= {target}, "before the switch only the idle slot is touched"
    for action, following in itertools.pairwise(actions):
        assert action != "start" or following == "await_healthy"
    bots = [step for step in steps if step.services == ("bot",)]
    assert [step.action for step in bots] in (
        [],
        ["start", "await_healthy"],
        ["stop_singletons"],
        ["stop_singletons", "start", "await_healthy"],
    )
