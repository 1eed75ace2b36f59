# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show a long run concisely: which part, how far, how long, and at the end what came of it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Concise view of a long run, with a summary
version_added: 0.1.0
description:
  - One line per play with what changed in it and how long it took, one line per changed task, and failures in full.
    Tasks that changed nothing or were skipped are silent.
  - On a terminal one more line shows the current task and its time. Elsewhere a task that takes long says so now and
    then.
  - After the recap a summary of addresses, release, health checks and time per play.
  - With C(-v) and more it shows what the default callback shows, and the summary.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration
"""

import atexit
import functools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible import context
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.display import Display
from ansible_collections.onebox.stack.plugins.module_utils._summary import Findings, Part, failure_lines, loop_note

FIRST_HEARTBEAT = 15  # seconds
NEXT_HEARTBEAT = 60
PROMPTS = ("pause", "ansible.builtin.pause", "ansible.legacy.pause")
FATES = {"failed": "", "rescued": " (its rescue follows)", "ignored": " (ignored)"}


def is_rescued(task: Any) -> bool:
    """Tell whether the failure of this task leads into a rescue section."""
    child, parent = task, task._parent
    while parent is not None:
        if getattr(parent, "rescue", None) and any(one._uuid == child._uuid for one in parent.block):
            return True
        child, parent = parent, parent._parent
    return False


def fate(task: Any, ignored: bool) -> str:
    """What becomes of a failure."""
    return "ignored" if ignored else "rescued" if is_rescued(task) else "failed"


class Ticker:
    """Shows the current task: on a terminal in one line that is written anew each second, elsewhere now and then.

    It writes straight to the file descriptor: a worker that Ansible forks meanwhile must not inherit the lock of a
    buffer that this thread holds.
    """

    def __init__(self, terminal: bool, write: Callable[[str], object]) -> None:
        self.text = ""
        self._terminal = terminal
        self._write = write
        self._lock = threading.Lock()
        self._paused = 0
        self._since = 0.0
        self._next = 0.0
        self._stop = threading.Event()

    def run(self) -> None:
        """Draw each second, in a thread, until it is stopped."""
        while not self._stop.wait(1):
            self._draw()

    def show(self, text: str) -> None:
        """Show another task; an empty text shows none."""
        with self._lock:
            self.text, self._since, self._next = text, time.monotonic(), FIRST_HEARTBEAT
        self._draw()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Make room for other output."""
        with self._lock:
            self._paused += 1
            if self._terminal:
                self._write("\r\x1b[K")
        try:
            yield
        finally:
            with self._lock:
                self._paused -= 1

    def stop(self) -> None:
        """Leave a clean line behind."""
        self._stop.set()
        self.show("")
        with self.aside():
            pass

    def _draw(self) -> None:
        with self._lock:
            if self.text and not self._paused and (line := self.line(time.monotonic() - self._since)):
                self._write(line)

    def line(self, age: float) -> str:
        """What to write after this time; nothing when it is not time yet."""
        if self._terminal:
            time_text = f"  {int(age)} s" if age >= 1 else ""
            width = shutil.get_terminal_size().columns - len(time_text) - 1
            return f"\r\x1b[K{self.text[: max(width, 0)]}{time_text}\r"
        if age < self._next:
            return ""
        self._next = age + NEXT_HEARTBEAT
        return f"  still at {self.text}, {int(age)} s\n"


def write_to_stdout(text: str) -> None:
    with suppress(OSError):  # nobody reads any more
        os.write(1, text.encode())


class Notes(DefaultCallback):  # type: ignore[misc] # ansible has no types
    """Shows what the class behind it shows, by itself the default callback's view, and the summary."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "onebox.stack.progress"
    _play: Any

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._plays: dict[str, int] = {}
        self._findings = Findings()

    @property
    def _part(self) -> Part:
        return self._findings.parts[-1]

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._plays = {play._uuid: number for number, play in enumerate(playbook.get_plays(), 1)}
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self._play is None or self._play._uuid != play._uuid:  # else the next batch of a serial play
            self._end_part()
            position = f"{self._plays.get(play._uuid, 0)}/{len(self._plays)}"
            check_mode = bool(play.check_mode or context.CLIARGS.get("check"))
            self._findings.parts.append(Part(play.get_name().strip(), position, check_mode, time.monotonic()))
        self._play = play
        super().v2_playbook_on_play_start(play)

    def _end_part(self) -> None:
        if self._findings.parts:
            self._part.seconds = time.monotonic() - self._part.started

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        self._part.tasks += 1
        super()._task_start(task, prefix)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._findings.hosts.add(host.get_name())
        super().v2_runner_on_start(host, task)

    def _note(self, result: Any, kind: str) -> None:
        """Count a result, and keep what the summary needs of it."""
        if not isinstance(result.task, TaskInclude):
            self._part.results[kind] += 1
        action = getattr(result.task, "resolved_action", None) or result.task.action
        self._findings.note(action, result.host.get_name(), result.result)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._note(result, "changed" if result.is_changed() else "unchanged")
        super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._note(result, fate(result.task, ignore_errors))
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._note(result, "ignored" if result.task.ignore_unreachable else "unreachable")
        super().v2_runner_on_unreachable(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_part()
        super().v2_playbook_on_stats(stats)
        self._display.display("\n".join(self._findings.summary(time.monotonic() - self._started)))


class View(DefaultCallback):  # type: ignore[misc]
    """What is shown of each event instead of what the default callback shows; stands behind Notes."""

    def __init__(self) -> None:
        super().__init__()
        self._said: tuple[str, str] | None = None  # the task and host whose line is above, with its diff
        terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._ticker = Ticker(terminal, write_to_stdout)
        threading.Thread(target=self._ticker.run, name="progress", daemon=True).start()
        atexit.register(self._ticker.stop)
        self._make_room()

    def _make_room(self) -> None:
        """Let all that Ansible displays, warnings of other plugins too, clear the live line first."""
        display, process = self._display.display, os.getpid()

        @functools.wraps(display)
        def display_aside(*args: Any, **kwargs: Any) -> None:
            # A worker sends what it displays to this process, and must not wait for a lock that it inherited.
            with self._ticker.aside() if os.getpid() == process else nullcontext():
                display(*args, **kwargs)
                sys.stdout.flush()

        self._display.display = display_aside

    def _silent(self, *_event: Any) -> None:
        """The default callback has a line for it, this view has none."""

    v2_playbook_on_start = v2_playbook_on_play_start = v2_playbook_on_include = v2_runner_on_start = _silent
    v2_runner_on_async_poll = v2_runner_on_async_ok = v2_runner_on_async_failed = _silent
    v2_runner_on_skipped = v2_runner_item_on_skipped = DefaultCallback._handle_warnings_and_exception

    def _announce(self) -> None:
        """Name the part above the first line that belongs to it."""
        if not self._part.announced:
            self._part.announced = True
            self._display.display(self._part.title)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._announce()
        self._display.display("  no host of the inventory belongs to it", color=C.COLOR_SKIP)

    def _task_start(self, task: Any, _prefix: str | None = None) -> None:
        self._said = None
        self._ticker.show("" if task.action in PROMPTS else self._task_text(task.name or task.action))

    def _task_text(self, name: str) -> str:
        return f"{self._part.title}  {self._part.tasks}  {name}"

    def v2_runner_retry(self, result: Any) -> None:
        tries = f" (attempt {result.result['attempts'] + 1} of {result.result['retries']})"
        self._ticker.text = self._task_text(result.task_name) + tries

    def _line(self, result: Any, word: str, note: str = "", color: str | None = None, stderr: bool = False) -> None:
        self._announce()
        host = f"  [{self.host_label(result)}]" if len(self._findings.hosts) > 1 else ""
        self._display.display(f"  {word}  {result.task_name}{note}{host}", color=color, stderr=stderr)

    def _changed(self, result: Any) -> None:
        """Say once that a task changed something: Ansible tells of the diff first, if there is one."""
        key = (result.task._uuid, result.host.get_name())
        if self._said != key:
            self._said = key
            self._line(result, self._part.verb, loop_note(result.result), C.COLOR_CHANGED)

    def v2_on_file_diff(self, result: Any) -> None:
        if result.result.get("changed") and (diff := self._get_diff(result.result.get("diff") or [])):
            self._changed(result)
            self._display.display(diff)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._handle_warnings_and_exception(result)
        if result.is_changed():
            self._changed(result)
        if "results" not in result.result:  # of a loop each item was shown
            self._show_debug(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._handle_warnings_and_exception(result)
        self._show_debug(result)

    def _show_debug(self, result: Any) -> None:
        if result.task.action not in C._ACTION_DEBUG:
            return
        self._announce()
        self._clean_results(result.result, result.task.action)
        message = result.result.get("msg")
        text = message if isinstance(message, str) else self._dump_results(result.result).strip("\n")
        self._display.display("\n".join(f"  {line}" for line in text.splitlines()))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._handle_warnings(result.result)
        note = FATES[fate(result.task, ignore_errors)]
        if "results" not in result.result:
            self._failure(result, "FAILED", note, C.COLOR_SKIP if note else C.COLOR_ERROR)
        elif note:  # of a loop the failed items are above
            self._line(result, "FAILED", note, C.COLOR_SKIP)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._handle_warnings(result.result)
        self._failure(result, "FAILED", f" (item {self._get_item_label(result.result)})", C.COLOR_ERROR)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._handle_warnings(result.result)
        note = FATES["ignored"] if result.task.ignore_unreachable else ""
        self._failure(result, "UNREACHABLE", f"{note}  [{self.host_label(result)}]", C.COLOR_UNREACHABLE)

    def _failure(self, result: Any, word: str, note: str, color: str) -> None:
        stderr = self.get_option("display_failed_stderr")
        self._line(result, word, note, color, stderr)
        lines = failure_lines(result.result) or self._dump_results(result.result).splitlines()
        if path := result.task.get_path():
            lines.append(f"at {path}")
        self._display.display("\n".join(f"      {line}".rstrip() for line in lines), color=color, stderr=stderr)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._ticker.stop()
        super().v2_playbook_on_stats(stats)


class Concise(Notes, View):
    """The concise view."""

    def _end_part(self) -> None:
        super()._end_part()
        self._ticker.show("")
        if self._findings.parts and self._part.tasks:
            results = self._part.results
            bad = results["failed"] or results["unreachable"]
            color = C.COLOR_ERROR if bad else C.COLOR_CHANGED if results["changed"] else C.COLOR_OK
            self._display.display(self._part.result(), color=color)


class CallbackModule(Notes if Display().verbosity else Concise):  # type: ignore[misc]
    """What Ansible loads by this name, when it knows how verbose it shall be."""
