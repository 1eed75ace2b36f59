"""A run that is killed, with everything it started, is mended by the next."""

from __future__ import annotations

from collections.abc import Callable

from e2e.controller import Controller
from testbed.bed import Bed


def test_a_run_killed_at_six_moments_is_mended_by_the_next(bed: Bed, controller: Controller) -> None:
    """Each run must first mend what the one before left, to come to the moment at which it is killed itself."""

    def file(path: str) -> Callable[[], bool]:
        return lambda: bed.host(["sh", "-c", f"ls {path}"]).returncode == 0

    def process(pattern: str) -> Callable[[], bool]:
        return lambda: bed.host(["pgrep", "-f", pattern]).returncode == 0

    moments: list[tuple[str, Callable[[], bool]]] = [
        ("configure | Install Docker Engine and Compose", process("^/usr/bin/dpkg .*--unpack")),
        ("start | Run PostgreSQL", process("^docker(-compose)? compose .*up|docker-compose compose")),
        ("configure | Write the Compose file, the engine's configuration and the app's sites", lambda: True),
        ("start | Run the proxy with the sites on disk", lambda: True),
        ("start | Migrate the database with the new image", file("/opt/onebox/apps/shop/releases/*/migration.log")),
        ("start | Let the release serve", file("/opt/onebox/apps/shop/journal.json")),
    ]
    for task, when in moments:
        controller.kill_during("site.yml", task, when)

    controller.run("site.yml").succeeded()
    answer = bed.client(["curl", "-sSf", "https://shop.example.test/api/health"])
    assert answer.returncode == 0, answer.stderr
    assert controller.run("site.yml").succeeded().changed == 0
