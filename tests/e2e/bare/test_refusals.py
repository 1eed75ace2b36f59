"""Bad input is refused before anything is touched, naming the variable, the fault and an example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from e2e.controller import Controller
from testbed.bed import Bed

WEB = {"name": "web", "type": "web", "port": 3000, "health_path": "/api/health"}
SITE = {"hosts": ["shop.example.test"], "routes": [{"service": "web", "port": 3000}]}

# what is wrong: the variables that make it so, and words that the message must hold
INVENTORIES = {
    "an empty secret": ({"postgres_password": ""}, ["postgres_password", "openssl rand"]),
    "a missing secret": ({"postgres_password": "{{ vault_nowhere }}"}, ["postgres_password", "vault_nowhere"]),
    "two sites with one host name": ({"proxy_sites": [SITE, SITE]}, ["proxy_sites[1]", "shop.example.test"]),
    "a service without image": ({"app_image": ""}, ["app_image", "Example:"]),
    "a port given as text": (
        {"app_services": [WEB | {"port": "http"}]},
        ["app_services[0].port", "http", "port: 3000"],
    ),
    "an unknown key in a service": ({"app_services": [WEB | {"comand": ["a"]}]}, ["app_services[0].comand", "command"]),
    "a misspelled variable": ({"app_servces": []}, ["app_servces", "app_services"]),
    "a cron-like value in a duration": (
        {"app_drain_seconds": "*/5 * * * *"},
        ["app_drain_seconds", "seconds", "Example:"],
    ),
    "a host name with a scheme": (
        {"proxy_sites": [SITE | {"hosts": ["https://shop.example.test"]}]},
        ["proxy_sites[0].hosts[0]", "scheme", "shop.example"],
    ),
    "less free disk than the images need": ({"docker_free_gib": 100000}, ["docker_free_gib", "GiB"]),
}


def fingerprint(bed: Bed) -> str:
    """Everything below the places that a run writes to, with times and sizes."""
    places = ["/etc", "/opt", "/root", "/usr", "/var/lib/dpkg", "/var/lib/docker", "/var/lib/onebox"]
    found = bed.host(["find", *places, "-not", "-path", "/root/.ansible*", "-printf", "%p %s %T@\n"])
    return found.stdout


def refused(bed: Bed, controller: Controller, words: list[str], *arguments: str) -> None:
    before = fingerprint(bed)
    run = controller.run("site.yml", *arguments).failed()
    for word in words:
        assert word in run.output
    assert fingerprint(bed) == before, "the host was touched"


@pytest.mark.parametrize("fault", INVENTORIES)
def test_a_wrong_inventory_is_refused(bed: Bed, controller: Controller, fault: str) -> None:
    variables, words = INVENTORIES[fault]
    refused(bed, controller, words, "-e", json.dumps(variables))


@contextmanager
def another_os_release(bed: Bed) -> Iterator[None]:
    bed.host(["cp", "/usr/lib/os-release", "/var/tmp/os-release"]).check()
    bed.host(
        ["sh", "-c", "printf 'ID=fedora\nVERSION_ID=43\nPRETTY_NAME=\"Fedora Linux 43\"\n' > /usr/lib/os-release"]
    ).check()
    try:
        yield
    finally:
        bed.host(["mv", "/var/tmp/os-release", "/usr/lib/os-release"]).check()


def test_an_unsupported_system_is_refused_by_its_name(bed: Bed, controller: Controller) -> None:
    with another_os_release(bed):
        refused(bed, controller, ["Fedora Linux 43", "Debian 13"])


def test_another_process_on_port_80_is_refused_by_its_name(bed: Bed, controller: Controller) -> None:
    bed.container(bed.hosts[0]).exec_run(["python3", "-m", "http.server", "80"], detach=True)
    try:
        refused(bed, controller, ["port 80", "python3"])
    finally:
        bed.host(["pkill", "-f", "http.server"])


def test_a_compose_plugin_older_than_needed_is_refused(bed: Bed, controller: Controller) -> None:
    """The host is bare, so an old client is put there: a `docker` that answers as version 2.17 of the plugin does."""
    script = "#!/bin/sh\n[ \"$1 $2\" = 'compose version' ] && echo 2.17.3 && exit\nexit 1\n"
    bed.host(
        ["sh", "-c", "printf '%s' \"$0\" > /usr/local/bin/docker; chmod 755 /usr/local/bin/docker", script]
    ).check()
    try:
        refused(bed, controller, ["2.17.3", "2.20.0"])
    finally:
        bed.host(["rm", "/usr/local/bin/docker"]).check()
