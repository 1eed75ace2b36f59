"""Running programs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._process import (
    NOT_FOUND,
    TIMED_OUT,
    ProcessError,
    Result,
    check,
    run,
    run_into,
)


def test_a_program_answers_with_code_and_output() -> None:
    done = run(["sh", "-c", "cat; echo $WORD >&2; exit 3"], stdin="in", env={"WORD": "out"})
    assert done == Result(3, "in", "out\n")


def test_a_program_that_is_not_there_is_an_answer_too() -> None:
    assert run(["/no/such/program"]).returncode == NOT_FOUND


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started() -> None:
    begun = time.monotonic()
    done = run(["sh", "-c", "echo begun; sleep 60 & sleep 60"], timeout=0.2)
    assert done.returncode == TIMED_OUT
    assert done.stdout == "begun\n"
    assert time.monotonic() - begun < 5


def test_output_goes_into_a_log_and_only_the_new_part_is_returned(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    done = run_into([sys.executable, "-c", "print('now')"], log)
    assert done == Result(0, "now\n", "")
    assert log.read_text() == "before\nnow\n"


def test_an_error_names_the_program_and_what_it_said() -> None:
    argv = ["docker", "pull", "shop"]
    with pytest.raises(ProcessError, match="docker pull shop ended with code 1: denied"):
        check(Result(1, "", "denied\n"), argv)
