"""No secret of the inventory shows up where others can read it."""

from __future__ import annotations

from e2e.controller import Controller, found_secrets, secrets
from testbed.bed import Bed

# Collects the argument lists of all processes of the host, each once, until it is killed.
WATCH = """
import pathlib, time
seen = set()
with open("/var/tmp/argv", "w", buffering=1) as file:
    while True:
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line not in seen:
                seen.add(line)
                file.write(line + "\\n")
        time.sleep(0.002)
"""


def test_no_secret_is_in_the_output_or_in_a_process_list_while_a_release_is_made(
    bed: Bed, controller: Controller
) -> None:
    known = secrets(bed)
    assert len(known) >= 5
    bed.container(bed.hosts[0]).exec_run(["python3", "-c", WATCH], detach=True)
    try:
        # A variable makes it a new release, so that every step of one runs; the engine's login is written again too.
        bed.host(["rm", "/root/.docker/config.json"]).check()
        variable = '{"app_environment": {"TELEGRAM_API_URL": "http://telegram.example.test:8081", "TRIED": "secrets"}}'
        run = controller.run(
            "site.yml", "-vvv", "--diff", "-e", variable, callback="ansible.builtin.default"
        ).succeeded()
    finally:
        bed.host(["pkill", "-f", "/var/tmp/argv"])
    assert found_secrets(run.output, known) == []
    argv = bed.host(["cat", "/var/tmp/argv"]).check().stdout
    assert "docker compose" in argv, "the watcher saw the run"
    assert found_secrets(argv, known) == []


def test_no_secret_is_in_the_progress_view(bed: Bed, controller: Controller) -> None:
    assert found_secrets(controller.run("site.yml", "--diff").succeeded().output, secrets(bed)) == []


def test_no_secret_is_in_an_image_layer(bed: Bed) -> None:
    images = set(bed.host(["docker", "image", "ls", "-q"]).check().stdout.split())
    layers = bed.host(["docker", "image", "inspect", *images]).check().stdout
    layers += "".join(bed.host(["docker", "history", "--no-trunc", image]).check().stdout for image in images)
    assert found_secrets(layers, secrets(bed)) == []


def test_no_secret_is_in_a_log(bed: Bed) -> None:
    logs = bed.host(["journalctl", "--no-pager"]).check().stdout
    for container in bed.host(["docker", "ps", "-aq"]).check().stdout.split():
        shown = bed.host(["docker", "logs", container]).check()
        logs += shown.stdout + shown.stderr
    logs += bed.host(
        ["sh", "-c", "cat /var/log/*.log /opt/onebox/apps/*/releases/*/*.log /opt/onebox/apps/*/history.jsonl"]
    ).stdout
    assert "pgmigrations" in logs or "applied" in logs, "the logs of the migrations were read"
    assert found_secrets(logs, secrets(bed)) == []


def test_files_with_secrets_are_readable_by_root_alone(bed: Bed) -> None:
    known = secrets(bed)
    held = set()
    for value in known.values():
        found = bed.host(
            ["grep", "-rlF", "--", value, "/opt/onebox", "/root", "/etc", "/var/lib/onebox", "/tmp", "/var/tmp"]
        )
        held |= set(found.stdout.split())
    assert held
    for path in held - {"/var/tmp/argv"}:
        assert bed.host(["stat", "-c", "%U %a", path]).check().stdout.split() == ["root", "600"], path
