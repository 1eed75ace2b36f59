"""The whole stack as others see it: from another machine, with curl, nmap and openssl."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

from e2e.controller import Controller
from testbed.bed import Bed

SITE = "https://shop.example.test"


def get(bed: Bed, path: str, *options: str) -> Any:
    return json.loads(bed.client(["curl", "-sSf", "--max-time", "10", *options, f"{SITE}{path}"]).check().stdout)


def inspect(bed: Bed, service: str) -> dict[str, Any]:
    """The running container of a service."""
    found = bed.host(["docker", "ps", "-q", "--filter", f"label=onebox.service={service}"]).check().stdout.split()
    assert len(found) == 1, f"{service}: {len(found)} containers run"
    container: dict[str, Any] = json.loads(bed.host(["docker", "inspect", found[0]]).check().stdout)[0]
    return container


def environment(bed: Bed, service: str) -> dict[str, str]:
    """The environment of a service's running container."""
    pairs = (line.partition("=") for line in inspect(bed, service)["Config"]["Env"])
    return {name: value for name, _, value in pairs}


def release(bed: Bed) -> dict[str, Any]:
    """What the server's own files say of the release that serves."""
    root = "/opt/onebox/apps/shop"
    slot = "green" if bed.host(["test", "-e", "/opt/onebox/proxy/slots/shop/green"]).returncode == 0 else "blue"
    release: dict[str, Any] = json.loads(bed.host(["cat", f"{root}/{slot}/release.json"]).check().stdout)
    migration: dict[str, Any] = json.loads(bed.host(["cat", f"{root}/{slot}/migration.json"]).check().stdout)
    return release | {"migrated": migration}


def test_the_site_answers_over_tls_with_a_certificate_of_the_ca(bed: Bed) -> None:
    shown = bed.client(["curl", "-sSv", "-o", "/dev/null", SITE]).check().stderr
    assert "SSL certificate verify ok" in shown
    assert "issuer: CN=Pebble Intermediate CA" in shown


def test_the_site_answers_with_the_deployed_commit(bed: Bed) -> None:
    answer = get(bed, "/api/health")
    assert answer["status"] == "ok"
    assert len(answer["commit"]) == 40
    assert answer["commit"] == release(bed)["commit"]


def test_plain_http_is_sent_to_https(bed: Bed) -> None:
    shown = bed.client(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "http://shop.example.test/a?b=c"]
    )
    assert shown.stdout == "308 https://shop.example.test/a?b=c"


def test_the_app_writes_and_reads_its_database(bed: Bed) -> None:
    text = f"note {time.time()}"
    get(bed, "/api/notes", "--json", json.dumps({"text": text}))
    assert text in [note["text"] for note in get(bed, "/api/notes")["notes"]]


def test_the_worker_does_the_jobs_of_the_queue(bed: Bed) -> None:
    before = get(bed, "/api/jobs")["done"]
    secret = environment(bed, "web")["CRON_SECRET"]
    queued = get(bed, "/api/cron/report", "-X", "POST", "-H", f"Authorization: Bearer {secret}")["records"]
    deadline = time.monotonic() + 10
    while get(bed, "/api/jobs")["done"] < before + queued:
        assert time.monotonic() < deadline, "the worker did not do the queued jobs within 10 seconds"


def test_the_bot_answers_a_message_and_is_the_only_one_that_polls(bed: Bed) -> None:
    telegram = "http://telegram.example.test:8081"
    token = environment(bed, "bot")["TELEGRAM_TOKEN"]
    message = json.dumps({"token": token, "text": "hello"})
    bed.client(["curl", "-sSf", "--json", message, f"{telegram}/control/message"]).check()
    deadline = time.monotonic() + 10
    while "hello" not in bed.client(["curl", "-sSf", f"{telegram}/control/sent"]).check().stdout:
        assert time.monotonic() < deadline, "the bot did not answer within 10 seconds"
    conflicts = json.loads(bed.client(["curl", "-sSf", f"{telegram}/control/conflicts"]).check().stdout)
    assert conflicts["result"].get(token, 0) == 0


def test_the_migration_and_the_bootstrap_ran_before_any_service_started(bed: Bed) -> None:
    migrated = release(bed)["migrated"]
    assert migrated["status"] == "ok"
    assert migrated["after"] not in ("", "none")
    assert [plan["name"] for plan in get(bed, "/api/plans")["plans"]] == ["default"]
    started = datetime.fromisoformat(migrated["started_at"])
    ended = started + timedelta(seconds=int(migrated["seconds"]))
    for service in ("web", "worker", "bot"):
        created = datetime.fromisoformat(inspect(bed, service)["Created"][:19] + "+00:00")
        assert created >= ended, service


def test_the_containers_are_hardened(bed: Bed) -> None:
    for service in ("web", "worker", "bot"):
        host = inspect(bed, service)["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges" in host["SecurityOpt"]
        assert host["Memory"] == 512 * 1024**2
        assert not host["Privileged"]


def test_nothing_but_80_and_443_is_published(bed: Bed) -> None:
    """22 is the host's own SSH; 443/udp is HTTP/3."""
    scan = bed.client(["nmap", "-Pn", "-p-", "-T5", "--open", "-oG", "-", "shop.example.test"]).check().stdout
    opened = {word.split("/")[0] for word in scan.replace(",", " ").split() if "/open/" in word}
    assert opened == {"22", "80", "443"}
    published = bed.host(["docker", "ps", "--format", "{{.Names}} {{.Ports}}"]).check().stdout
    assert [line.split()[0] for line in published.splitlines() if "->" in line] == ["proxy-proxy-1"]


def test_verify_passes_and_changes_nothing(controller: Controller) -> None:
    run = controller.run("playbooks/verify.yml").succeeded()
    assert run.changed == 0
