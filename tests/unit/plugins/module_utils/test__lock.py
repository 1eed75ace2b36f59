"""The lock: it knows its owner, and goes with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._lock import (
    InterruptedBySignal,
    LockError,
    lock,
    signals_raise,
)


def test_a_living_owner_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path, "ada", "a deploy"), pytest.raises(LockError) as error, lock(path, "bob", "another"):
        pass
    assert f"ada (process {os.getpid()} on " in str(error.value)
    assert "a deploy" in str(error.value)


def test_the_lock_is_free_after_use(tmp_path: Path) -> None:
    for who in ("ada", "bob"):
        with lock(tmp_path / "lock", who, "a deploy"):
            assert json.loads((tmp_path / "lock").read_text())["who"] == who


def test_what_a_dead_owner_left_in_the_file_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"who": "ada", "pid": 1}')
    with lock(tmp_path / "lock", "bob", "a deploy"):
        pass


def test_the_last_program_of_a_dead_owner_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path, "ada", "a deploy", inherit=True):
        program = [sys.executable, "-c", "import time; time.sleep(0.3)"]
        orphan = subprocess.Popen(program, close_fds=False)
    path.write_text('{"who": "ada", "pid": 4194999}')
    begun = time.monotonic()
    with lock(path, "bob", "a deploy"):
        assert orphan.poll() is not None or time.monotonic() - begun > 0.1
    orphan.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_exception_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with signals_raise():
        with pytest.raises(InterruptedBySignal, match=number.name):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # while work is taken back nothing interrupts
    assert signal.getsignal(number) == before
