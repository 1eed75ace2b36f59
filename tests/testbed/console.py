"""What the test bed says while it works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENT_SECONDS = 0.5


class BedError(Exception):
    """What happened, in what state things are, what to do."""


def say(text: str) -> None:
    print(f"bed | {text}", flush=True)


@contextmanager
def step(text: str, *, announce: bool = True) -> Iterator[None]:
    """A line when a long step starts and one with its duration when it is done; a quick step stays silent."""
    if announce:
        say(f"{text} ...")
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    if announce or seconds > SILENT_SECONDS:
        say(f"{text}: {seconds:.1f} s")
