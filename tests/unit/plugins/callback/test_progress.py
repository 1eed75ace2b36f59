"""What a run looks like: the live line, and real runs."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.onebox.stack.plugins.callback import progress

COLLECTIONS = Path(__file__).parents[4] / ".collections"
TIME = re.compile(r"\d+\.\d s")


def test_the_live_line_fits_the_terminal_and_leaves_the_cursor_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    ticker = progress.Ticker(True, lambda _: None)
    ticker.text = "[1/2] docker  3  Install the engine"
    assert ticker.line(12.7) == "\r\x1b[K[1/2] docker   12 s\r"


def test_without_a_terminal_a_long_task_says_so_now_and_then() -> None:
    written: list[str] = []
    ticker = progress.Ticker(False, written.append)
    ticker.show("[1/2] docker  3  Install")
    ticker.stop()
    ticker.text = "[1/2] docker  3  Install"
    lines = [ticker.line(age) for age in (1, 14, 15.2, 16, 70, 76)]
    assert lines == ["", "", "  still at [1/2] docker  3  Install, 15 s\n", "", "", lines[-1]]
    assert lines[-1].endswith("76 s\n")
    assert not written


# --- real runs

PLAYBOOK = """
- name: docker
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: silent, assert: {that: true}}
    - {name: left out, command: "true", when: false}
    - {name: configure | Write, copy: {content: "new\\n", dest: "{{ file }}", mode: "0644"}, notify: restart}
    - {name: secret, set_fact: {said: hush}, changed_when: true, no_log: true, loop: [hush]}
    - name: guarded
      block:
        - name: inner
          block: [{name: breaks, shell: "echo why >&2; exit 3"}]
      rescue: [{name: tell, debug: {msg: "one\\ntwo"}}]
    - {name: tries, fail: {}, retries: 1, delay: 0, ignore_errors: true}
    - {name: asynchronous, command: "true", async: 5, poll: 1}
  handlers:
    - {name: restart, set_fact: {restarted: true}, changed_when: true}
- name: nobody
  hosts: nobody
- name: verify
  hosts: localhost
  gather_facts: false
  tasks:
    - name: verify | Ask
      onebox.stack.health_check:
        deadline_seconds: 0
        checks: [{name: shop, type: http, url: "https://shop.example.test/", connect_to: "127.0.0.1:1"}]
"""


def ansible_playbook(directory: Path, *options: str, playbook: str = PLAYBOOK) -> tuple[list[str], dict[str, str]]:
    """The command that runs the playbook, and its environment."""
    (directory / "play.yml").write_text(playbook)
    inventory = ["-i", "localhost,", "-c", "local", "-e", f"file={directory / 'file'}"]
    return ["ansible-playbook", *inventory, *options, str(directory / "play.yml")], {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_STDOUT_CALLBACK": "onebox.stack.progress",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run writes to a terminal, with a difference, a secret, a rescue, a handler and a failure."""
    command, env = ansible_playbook(tmp_path_factory.mktemp("run"), "--diff")
    leader, follower = pty.openpty()
    with subprocess.Popen(command, env=env, stdout=follower, stderr=subprocess.PIPE) as run:
        os.close(follower)
        output = b""
        with suppress(OSError):  # the other end is closed
            while block := os.read(leader, 65536):
                output += block
        os.close(leader)
        errors = run.communicate()[1].decode()
    assert run.returncode == 2, errors
    assert "Could not match supplied host pattern, ignoring: nobody" in errors
    return output.decode()


@pytest.fixture(scope="module")
def lines(terminal: str) -> list[str]:
    """What stays of it."""
    stays = [line.rpartition("\x1b[K")[2].rstrip("\r") for line in terminal.split("\r\n")]
    return [TIME.sub("0.0 s", line) for line in stays[:-1]]


def test_changes_are_lines_and_what_changed_nothing_is_silent(lines: list[str]) -> None:
    changes = [line for line in lines if line.startswith("  changed")]
    assert lines[0] == "[1/3] docker"
    assert changes == [
        "  changed  configure | Write",
        "  changed  secret (1 of 1 items)",
        "  changed  asynchronous",
        "  changed  restart",
    ]
    assert "[1/3] docker … 4 changed, 2 unchanged, 1 rescued, 1 ignored, 0.0 s" in lines
    assert not [line for line in lines if "silent" in line or "left out" in line or "hush" in line]


def test_a_difference_stands_below_its_change(lines: list[str]) -> None:
    assert lines.index("+new") > lines.index("  changed  configure | Write")


def test_a_rescued_failure_says_why_and_that_it_is_rescued(lines: list[str]) -> None:
    start = lines.index("  FAILED  breaks (its rescue follows)")
    assert lines[start + 1 : start + 5] == [
        "      non-zero return code",
        "      command: echo why >&2; exit 3",
        "      stderr:",
        "        why",
    ]
    assert lines[start + 6 : start + 8] == ["  one", "  two"]


def test_a_play_without_hosts_says_so(lines: list[str]) -> None:
    assert lines[lines.index("[2/3] nobody") + 1] == "  no host of the inventory belongs to it"


def test_the_recap_is_that_of_ansible_and_the_summary_follows(lines: list[str]) -> None:
    start = lines.index("PLAY RECAP *********************************************************************")
    assert lines[start + 1].split() == [
        *["localhost", ":", "ok=7", "changed=4", "unreachable=0", "failed=1", "skipped=1", "rescued=1", "ignored=1"]
    ]
    assert lines[start + 2 :] == [
        "",
        "Addresses   https://shop.example.test/",
        "Checks      0 of 1 passed, 1 FAILED",
        "              FAILED   shop  connection refused",
        "Time        docker  0.0 s",
        "            verify  0.0 s",
        "            total   0.0 s",
    ]


def test_a_terminal_has_a_live_line_that_is_gone_at_the_end(terminal: str) -> None:
    assert "\r\x1b[K[1/3] docker  8  asynchronous  1 s\r" in terminal
    assert "\r\x1b[K  changed  asynchronous\r\n" in terminal
    assert terminal.endswith(("\r\n", "\r\n\r\x1b[K"))


def test_more_verbosity_shows_what_the_default_callback_shows(tmp_path: Path) -> None:
    playbook = "[{name: docker, hosts: localhost, gather_facts: false, tasks: [{name: write, command: 'true'}]}]"
    command, env = ansible_playbook(tmp_path, "-v", "--check", playbook=playbook)
    output = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert "PLAY [docker] ****" in output
    assert "TASK [write] ****" in output
    assert "skipping: [localhost]" in output
    assert "Check mode  nothing would change" in output
