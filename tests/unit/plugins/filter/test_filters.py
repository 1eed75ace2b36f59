"""What the filters make of an inventory."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.onebox.stack.plugins.filter.env_quote import env_quote
from ansible_collections.onebox.stack.plugins.filter.health_checks import health_checks
from ansible_collections.onebox.stack.plugins.filter.postgres_settings import postgres_settings
from ansible_collections.onebox.stack.plugins.filter.registry_files import registry_files

GIBIBYTE = 1024**3


def settings(memory_bytes: int, percent: int = 25) -> dict[str, str]:
    return postgres_settings({"memory_bytes": memory_bytes, "cpus": 2}, percent, 100)


@pytest.mark.parametrize(
    ("memory", "buffers"),
    [(GIBIBYTE // 8, "64MB"), (4 * GIBIBYTE, "1024MB"), (100 * GIBIBYTE, "8192MB")],
)
def test_shared_buffers_are_a_quarter_of_the_memory_within_sensible_bounds(memory: int, buffers: str) -> None:
    assert settings(memory)["shared_buffers"] == buffers


def test_a_kernel_that_takes_a_page_of_memory_does_not_change_the_settings() -> None:
    assert settings(4 * GIBIBYTE + 900 * 4096) == settings(4 * GIBIBYTE + 899 * 4096)


def test_numbers_may_come_from_the_command_line() -> None:
    host = {"memory_bytes": 4 * GIBIBYTE, "cpus": 2}
    assert postgres_settings(host, "25", "100") == settings(4 * GIBIBYTE)


def test_passwords_are_always_scram() -> None:
    assert settings(GIBIBYTE)["password_encryption"] == "scram-sha-256"


def test_a_login_becomes_the_config_file_of_root_and_is_secret() -> None:
    (file,) = registry_files([{"host": "registry.example.com", "username": "deploy", "password": "s3:cret"}])
    assert file["path"] == "/root/.docker/config.json"
    assert "content" not in file
    auth = json.loads(file["secret_content"])["auths"]["registry.example.com"]["auth"]
    assert base64.b64decode(auth).decode() == "deploy:s3:cret"


def test_a_registry_without_login_gives_only_its_authority(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("CERTIFICATE\n")
    files = registry_files([{"host": "registry.example.com:5000", "ca_file": str(authority)}])
    assert files == [{"path": "/etc/docker/certs.d/registry.example.com:5000/ca.crt", "content": "CERTIFICATE\n"}]


def test_an_authority_that_cannot_be_read_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match=r"ca_file of registry\.example\.com cannot be read"):
        registry_files([{"host": "registry.example.com", "ca_file": "/nowhere/ca.pem"}])


def test_each_host_name_is_asked_for_its_redirect_and_its_certificate() -> None:
    checks = health_checks([{"hosts": ["a.example.com", "b.example.com"]}], "sites")
    assert [check["name"] for check in checks] == [
        "http a.example.com",
        "http b.example.com",
        "tls a.example.com",
        "tls b.example.com",
    ]


def test_a_service_with_a_heartbeat_has_two_checks() -> None:
    services = [{"name": "worker", "heartbeat_file": "/tmp/beat", "heartbeat_seconds": 9}]
    container, heartbeat = health_checks(services, "services", app="shop")
    assert container["labels"] == {"onebox.app": "shop", "onebox.service": "worker"}
    assert (heartbeat["file"], heartbeat["max_age_seconds"]) == ("/tmp/beat", 9)


def test_an_unknown_kind_of_list_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="not 'sights'"):
        health_checks([], "sights")


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io"])
def test_the_login_of_docker_hub_has_the_name_by_which_docker_looks_for_it(host: str) -> None:
    (file,) = registry_files([{"host": host, "username": "deploy", "password": "s3cret"}])
    assert list(json.loads(file["secret_content"])["auths"]) == ["https://index.docker.io/v1/"]


def test_a_password_of_digits_is_quoted_like_any_other() -> None:
    assert env_quote(123456) == "'123456'"
