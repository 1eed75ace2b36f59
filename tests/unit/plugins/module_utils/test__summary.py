"""What a run looks like in text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _summary as summary


def part(**given: Any) -> summary.Part:
    return summary.Part(**{"name": "docker", "position": "2/5", "check_mode": False, "started": 0, **given})


def check(name: str = "shop answers", **given: Any) -> Mapping[str, Any]:
    return {"name": name, "ok": True, "skipped": False, "answer": "200 in 0.04 s", "address": "", **given}


# --- text


@pytest.mark.parametrize(
    ("number", "text"), [(0.04, "0.0 s"), (14.23, "14.2 s"), (200, "3 min 20 s"), (605, "10 min 05 s")]
)
def test_a_time_is_written_for_people(number: float, text: str) -> None:
    assert summary.seconds(number) == text


def test_a_part_ends_with_what_changed_and_how_long_it_took() -> None:
    done = part(seconds=14.2, results=Counter(changed=12, unchanged=3))
    assert done.result() == "[2/5] docker … 12 changed, 3 unchanged, 14.2 s"


def test_a_part_in_check_mode_says_what_would_change() -> None:
    done = part(seconds=1, check_mode=True, results=Counter(changed=1))
    assert done.result() == "[2/5] docker (check mode) … 1 would change, 0 unchanged, 1.0 s"


def test_what_went_wrong_in_a_part_is_counted() -> None:
    done = part(results=Counter(failed=1, ignored=2, rescued=1))
    assert done.result() == "[2/5] docker … 0 changed, 0 unchanged, 1 failed, 1 rescued, 2 ignored, 0.0 s"


def test_a_loop_says_how_many_items_changed() -> None:
    assert summary.loop_note({"results": [{"changed": True}, {"changed": False}, "text"]}) == " (1 of 3 items)"
    assert summary.loop_note({"changed": True}) == ""


def test_the_message_of_a_failure_is_shown_as_it_is() -> None:
    assert summary.failure_lines({"msg": "one\n  two"}) == ["one", "  two"]


def test_of_a_program_the_last_lines_are_shown_error_output_first() -> None:
    written = "\n".join(map(str, range(30)))
    lines = summary.failure_lines({"msg": "failed", "cmd": ["a", "b"], "stderr": written, "stdout": "other"})
    assert lines[:4] == ["failed", "command: a b", "stderr (last 20 lines):", "  10"]
    assert lines[-1] == "  29"
    assert summary.failure_lines({"msg": "failed", "stdout": "said"}) == ["failed", "stdout:", "  said"]


def test_of_a_secret_result_nothing_is_shown() -> None:
    assert summary.failure_lines({"censored": "hidden", "msg": "secret"}) == ["hidden"]


def test_addresses_are_those_that_others_can_reach_each_once() -> None:
    urls = ["https://shop.example.test/", "http://127.0.0.1:3000/", "http://[::1]:80/", "http://localhost/", ""]
    assert summary.addresses([check(address=url) for url in [*urls, *urls]]) == ["https://shop.example.test/"]


def test_a_release_is_one_line() -> None:
    release = {"id": "1.4.2-0a1b", "version": "1.4.2", "commit": "c0ffee", "slot": "green"}
    assert summary.release_line("shop", release) == "shop 1.4.2-0a1b, version 1.4.2, commit c0ffee, slot green"


def test_failed_and_skipped_checks_are_said_aloud() -> None:
    found = {
        "shop answers": check(),
        "bot": check(ok=False, answer="no container"),
        "tls": check(ok=None, skipped=True, answer="-"),
    }
    assert summary.check_lines(found) == [
        "1 of 3 passed, 1 FAILED, 1 skipped",
        "  ok       shop answers  200 in 0.04 s",
        "  FAILED   bot           no container",
        "  skipped  tls           -",
    ]


def release(app: str = "shop", state: str = "active", **given: Any) -> Mapping[str, Any]:
    args = {"module_args": {"app": app, "state": state}}
    return {"invocation": args, "release": {"id": "1.4.2", "slot": "blue"}, **given}


def test_the_summary_has_a_block_for_each_thing_that_was_found() -> None:
    findings = summary.Findings([part(tasks=3, seconds=2)])
    address = "https://shop.example.test/"
    findings.note(summary.HEALTH_CHECK, "demo", {"checks": [check(ok=False)]})
    findings.note(summary.HEALTH_CHECK, "demo", {"results": [{"checks": [check(address=address)]}]})
    findings.note(summary.RELEASE, "demo", release())
    assert findings.summary(3) == [
        "Addresses   https://shop.example.test/",
        "Release     shop 1.4.2, slot blue",
        "Checks      1 of 1 passed",
        "              ok       shop answers  200 in 0.04 s",
        "Time        docker  2.0 s",
        "            total   3.0 s",
    ]


def test_of_several_hosts_and_apps_each_release_and_check_is_told_with_its_host() -> None:
    findings = summary.Findings(hosts={"a", "bee"})
    for host in ("a", "bee"):
        findings.note(summary.RELEASE, host, release())
        findings.note(summary.HEALTH_CHECK, host, {"checks": [check(ok=host == "a")]})
    findings.note(summary.RELEASE, "a", release("crm"))
    assert findings.summary(3)[:-1] == [
        "Release     shop 1.4.2, slot blue  [a]",
        "            shop 1.4.2, slot blue  [bee]",
        "            crm 1.4.2, slot blue  [a]",
        "Checks      1 of 2 passed, 1 FAILED",
        "              ok       shop answers  [a]    200 in 0.04 s",
        "              FAILED   shop answers  [bee]  200 in 0.04 s",
    ]


def test_a_check_mode_run_says_how_many_tasks_would_change() -> None:
    assert summary.Findings([part(check_mode=True)]).summary(0)[-1] == "Check mode  nothing would change"
    two = part(check_mode=True, results=Counter(changed=2))
    assert summary.Findings([two, part(check_mode=True)]).summary(0)[-1] == "Check mode  2 tasks would change"


def test_a_release_that_is_only_written_failed_or_is_secret_is_not_in_the_summary() -> None:
    findings = summary.Findings()
    findings.note(summary.RELEASE, "demo", release(state="present"))
    findings.note(summary.RELEASE, "demo", release(failed=True))
    findings.note(summary.RELEASE, "demo", {"censored": "hidden"})
    findings.note("ansible.builtin.command", "demo", release())
    assert not findings.releases
