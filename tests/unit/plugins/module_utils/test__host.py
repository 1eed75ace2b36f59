"""What a host is, read from a small directory that stands for its root, and what it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _host
from ansible_collections.onebox.stack.plugins.module_utils._host import Container, Holder, Host, Needs
from ansible_collections.onebox.stack.plugins.module_utils._process import Result

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nID=debian\n'
UBUNTU = "# made by hand\nID=ubuntu\nVERSION_ID='24.04'\nPRETTY_NAME='Ubuntu 24.04.1 LTS'\n"
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 20 4 30 10 -1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 815 1 0 100 0 0 10 0
"""
ID = "c0ffee" * 10 + "cafe"
PS = f"{ID}\tproxy-caddy-1\tproxy\t0.0.0.0:80->8080/tcp, :::80->8080/tcp, 0.0.0.0:443->443/udp, 2019/tcp\n"
HOST = Host("Debian 13", "Debian GNU/Linux 13 (trixie)", 4 * _host.GIB, 2, "/var/lib/docker", 9 * _host.GIB, "", (), ())
NGINX = Holder(80, "nginx", 812, "0::/system.slice/nginx.service\n")
PROXY = Container(ID, "proxy-caddy-1", "proxy", (80,))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "etc/os-release": DEBIAN,
        "proc/meminfo": "MemTotal:        4014312 kB\nMemFree:  1 kB\n",
        "proc/net/tcp": TCP,
        "proc/net/tcp6": TCP6,
        "proc/812/comm": "nginx\n",
        "proc/812/cgroup": "0::/system.slice/nginx.service\n",
        "proc/813/comm": "nginx\n",
        "proc/uptime": "1",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for pid in ("812", "813"):
        (tmp_path / f"proc/{pid}/fd").mkdir()
        (tmp_path / f"proc/{pid}/fd/6").symlink_to("socket:[4711]")
        (tmp_path / f"proc/{pid}/fd/0").symlink_to("/dev/null")
    return tmp_path


def no_docker(argv: list[str]) -> Result:
    return Result(127, "", f"{argv[0]} cannot be run")


def docker(argv: list[str]) -> Result:
    return Result(0, "v2.26.1-4\n" if "compose" in argv else PS, "")


def test_a_host_without_docker_is_read(root: Path) -> None:
    host = _host.read(no_docker, root, "/var/lib/docker", [80, 443])
    assert (host.system, host.memory_bytes, host.compose_version, host.containers) == (
        "Debian 13",
        4014312 * 1024,
        "",
        (),
    )
    assert host.free_bytes > 0
    assert host.holders == (NGINX, Holder(443))


def test_only_the_ports_asked_for_are_looked_at(root: Path) -> None:
    assert _host.read(no_docker, root, "/", [8080]).holders == ()


def test_a_host_with_docker_tells_its_compose_and_its_published_ports(root: Path) -> None:
    host = _host.read(docker, root, "/var/lib/docker", [])
    assert host.compose_version == "2.26.1"
    assert [(item.name, item.project, set(item.ports)) for item in host.containers] == [
        ("proxy-caddy-1", "proxy", {80})
    ]


def test_a_host_that_does_not_say_what_it_is_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(_host.HostError, match="os-release"):
        _host.read(no_docker, tmp_path, "/", [])


@pytest.mark.parametrize(
    ("text", "system"),
    [(DEBIAN, "Debian 13"), (UBUNTU, "Ubuntu 24.04"), ("ID=debian\n", "Debian"), ("", "Unknown")],
)
def test_a_system_is_known_by_name_and_version(text: str, system: str) -> None:
    assert _host.parse_system(text)[0] == system


def test_a_range_of_published_ports_is_understood() -> None:
    (container,) = _host.parse_containers("1\tx\t\t0.0.0.0:8000-8002->80-82/tcp\n")
    assert container.ports == (8000, 8001, 8002)


@pytest.mark.parametrize(
    ("text", "version"), [("v2.26.1-4\n", (2, 26, 1)), ("2.5.0+ds1", (2, 5, 0)), ("unknown", ()), ("", ())]
)
def test_a_version_is_read_through_what_distributions_add(text: str, version: tuple[int, ...]) -> None:
    assert _host.parse_version(text) == version


def test_a_host_that_has_what_is_needed_has_no_problem() -> None:
    needs = Needs(("Debian 13",), 5, (80, 443), "proxy", "2.20", "distro")
    assert _host.problems(HOST, needs) == []
    assert _host.problems(replace(HOST, holders=(NGINX,), free_bytes=0, system="Plan 9"), Needs()) == []


CASES = {
    "an unsupported system": (
        replace(HOST, system="Rocky 9.4", pretty_name="Rocky Linux 9.4 (Blue Onyx)"),
        Needs(systems=("Debian 12", "Debian 13")),
        "Rocky Linux 9.4 (Blue Onyx) (Rocky 9.4) is not supported. Supported are: Debian 12, Debian 13.",
    ),
    "Debian 12's own packages": (
        replace(HOST, system="Debian 12"),
        Needs(docker_source="distro"),
        "docker_source: distro needs a Compose v2 plugin in the distribution's archive, and Debian 12 has none. "
        "Set docker_source: upstream, or use a newer release of the distribution.",
    ),
    "an old Compose plugin": (
        replace(HOST, compose_version="2.9.0"),
        Needs(compose_minimum="2.20"),
        "the Compose plugin is 2.9.0, and 2.20 or newer is needed. "
        "Upgrade its package, or remove it and set docker_source: upstream.",
    ),
    "too little space": (
        HOST,
        Needs(free_gib=20),
        "docker_free_gib: 9.0 GiB are free at /var/lib/docker, and 20 GiB are needed. Free some space "
        "(docker system df shows what Docker takes), or lower it. Example: docker_free_gib: 2",
    ),
    "a service on port 80": (
        replace(HOST, holders=(NGINX,)),
        Needs(ports=(80,)),
        "port 80 is held by nginx (pid 812); stop it: systemctl disable --now nginx",
    ),
    "a program on port 80": (
        replace(HOST, holders=(Holder(80, "python3", 99, "0::/user.slice/session-1.scope\n"),)),
        Needs(ports=(80,)),
        "port 80 is held by python3 (pid 99); stop it: kill 99",
    ),
    "an unseen process on port 80": (
        replace(HOST, holders=(Holder(80),)),
        Needs(ports=(80,)),
        "port 80 is held by a process that cannot be seen from here; find it: ss -ltnp sport = :80",
    ),
    "a container of another project on port 80": (
        replace(HOST, containers=(PROXY,), holders=(Holder(80, "docker-proxy", 7),)),
        Needs(ports=(80,), ports_project="other"),
        "port 80 is held by the container proxy-caddy-1; stop it: docker stop proxy-caddy-1",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_host_lacks_is_told_with_the_way_on(name: str) -> None:
    host, needs, sentence = CASES[name]
    assert _host.problems(host, needs) == [sentence]


def test_the_proxy_itself_may_hold_its_ports() -> None:
    needs = Needs(ports=(80,), ports_project="proxy")
    published = replace(HOST, containers=(PROXY,), holders=(Holder(80, "docker-proxy", 7),))
    on_the_hosts_network = replace(
        HOST,
        containers=(replace(PROXY, ports=()),),
        holders=(Holder(80, "caddy", 9, f"0::/system.slice/docker-{ID}.scope\n"),),
    )
    assert _host.problems(published, needs) == _host.problems(on_the_hosts_network, needs) == []


def test_all_problems_are_told_at_once() -> None:
    host = replace(HOST, system="Plan 9", free_bytes=0, holders=(NGINX,))
    found = _host.problems(host, Needs(("Debian 13",), 1, (80,)))
    assert len(found) == 3
    assert _host.report(found).startswith("The host has 3 problems; nothing was touched:\n- Debian")


def test_the_port_of_a_proxy_that_starts_again_and_again_counts_as_its_own() -> None:
    crashing = replace(PROXY, ports=())
    held = replace(HOST, containers=(crashing,), holders=(Holder(80, "docker-proxy", 7),))
    assert _host.problems(held, Needs(ports=(80,), ports_project="proxy")) == []
    assert _host.problems(held, Needs(ports=(80,), ports_project="other")) != []
