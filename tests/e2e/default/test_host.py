"""The host after provisioning, looked at over SSH by testinfra."""

from __future__ import annotations

import json

import pytest
import testinfra
from testbed.bed import Bed
from testinfra.host import Host


@pytest.fixture(scope="module")
def host(bed: Bed) -> Host:
    return testinfra.get_host(
        f"ssh://root@{bed.addresses[bed.hosts[0]]}",
        ssh_identity_file=str(bed.directory / "id_ed25519"),
        ssh_extra_args=f"-o UserKnownHostsFile={bed.directory / 'known_hosts'}",
    )


def test_docker_runs_and_starts_at_boot(host: Host) -> None:
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled


def test_the_engine_rotates_logs_and_lets_containers_outlive_it(host: Host) -> None:
    info = json.loads(host.check_output("docker info --format json"))
    assert info["LiveRestoreEnabled"] is True
    assert info["LoggingDriver"] == "json-file"
    container = json.loads(host.check_output("docker inspect postgres"))[0]
    assert container["HostConfig"]["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}


def test_networks_come_from_the_address_pools(host: Host) -> None:
    networks = json.loads(host.check_output("docker network inspect onebox_edge onebox_shop"))
    subnets = [network["IPAM"]["Config"][0]["Subnet"] for network in networks]
    assert all(subnet.startswith(("172.17.", "172.18.", "172.19.")) and subnet.endswith("/24") for subnet in subnets)


def test_passwords_of_postgresql_are_scram_and_demanded_over_the_network(host: Host) -> None:
    ask = "docker exec -u postgres postgres psql -At -c"
    kinds = host.check_output(f"{ask} \"SELECT DISTINCT left(rolpassword, 13) FROM pg_authid WHERE rolpassword <> ''\"")
    assert kinds == "SCRAM-SHA-256"
    refused = host.run("docker exec postgres psql -w -h postgres -U shop -c 'SELECT 1' shop")
    assert refused.rc != 0
    assert "no password supplied" in refused.stderr


def test_postgresql_is_tuned_to_the_memory(host: Host) -> None:
    memory = int(host.check_output("awk '/MemTotal/ {print $2}' /proc/meminfo")) * 1024
    buffers = host.check_output(
        "docker exec -u postgres postgres psql -At -c \"SELECT pg_size_bytes(current_setting('shared_buffers'))\""
    )
    assert int(buffers) == pytest.approx(min(memory // 4, 8 * 1024**3), rel=0.05)


def test_the_release_is_readable_by_root_alone(host: Host) -> None:
    releases = host.file("/opt/onebox/apps/shop/releases")
    assert releases.mode == 0o700
    for name in releases.listdir():
        for file in host.file(f"{releases.path}/{name}").listdir():
            assert host.file(f"{releases.path}/{name}/{file}").mode == 0o600
