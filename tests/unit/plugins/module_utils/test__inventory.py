"""Every bad input is refused with the variable's name, what is wrong, and what is right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _inventory
from ansible_collections.onebox.stack.plugins.module_utils._inventory import Unresolved
from hypothesis import given
from hypothesis import strategies as st


def option(kind: str, example: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": ["What it is.", f"Example: C({example})"], **more}


SPECS: dict[str, dict[str, Any]] = {
    "app": {
        "app_name": option("str", "app_name: shop", required=True),
        "app_image": option("str", "app_image: registry.example.com/shop", default=""),
        "app_repository": option("str", "app_repository: git@git.example.com:shop.git", default=""),
        "app_version": option("str", 'app_version: "1.4.2"', default=""),
        "app_drain_seconds": option("int", "app_drain_seconds: 30", default=30),
        "app_secrets": option("dict", "app_secrets: {KEY: '{{ vault_app_key }}'}", default={}, no_log=True),
        "app_migration": option("dict", ""),
        "app_debug": {"type": "bool", "default": False, "description": "Whether the app tells more."},
        "app_services": option(
            "list",
            "app_services: [{name: web, type: web, port: 3000}]",
            elements="dict",
            required=True,
            options={
                "name": option("str", "name: web", required=True),
                "type": option("str", "type: web", required=True, choices=["web", "worker", "scheduler", "bot"]),
                "port": option("int", "port: 3000"),
                "image": option("str", "image: docker.io/library/nats:2"),
                "heartbeat_file": option("str", "heartbeat_file: /tmp/heartbeat"),
                "replicas": option("int", "replicas: 2", default=1),
                "environment": option("dict", "environment: {PORT: 3000}"),
                "volumes": option("list", "volumes: ['uploads:/app/uploads']", elements="str"),
            },
        ),
    },
    "postgres": {
        "postgres_password": option(
            "str", "postgres_password: '{{ vault_postgres_password }}'", required=True, no_log=True
        ),
        "postgres_version": option("str", "postgres_version: 17", default="17", choices=["16", "17", "18"]),
    },
    "proxy": {
        "proxy_app": option("str", "proxy_app: shop", default=""),
        "proxy_acme_email": option("str", "proxy_acme_email: admin@example.com", default=""),
        "proxy_sites": option(
            "list",
            "proxy_sites: [{hosts: [shop.example.com], routes: [{service: web, port: 3000}]}]",
            elements="dict",
            default=[],
            options={
                "hosts": option("list", "hosts: [shop.example.com]", elements="str", required=True),
                "routes": option(
                    "list",
                    "routes: [{service: web, port: 3000}]",
                    elements="dict",
                    options={
                        "path": option("str", "path: /api", default="/"),
                        "service": option("str", "service: web", required=True),
                        "port": option("int", "port: 3000", required=True),
                    },
                ),
            },
        ),
    },
}

GOOD: dict[str, Any] = {
    "app_name": "shop",
    "app_image": "registry.example.com/shop",
    "app_secrets": {"KEY": "swordfish"},
    "app_services": [{"name": "web", "type": "web", "port": 3000}, {"name": "bot", "type": "bot"}],
    "postgres_password": "swordfish",
    "proxy_app": "shop",
    "proxy_sites": [{"hosts": ["shop.example.com"], "routes": [{"service": "web", "port": 3000}]}],
}


def lines(values: dict[str, Any], needed: tuple[str, ...] = tuple(SPECS)) -> list[str]:
    return [str(problem) for problem in _inventory.check(SPECS, values, needed)]


def changed(change: Callable[[Any], object]) -> dict[str, Any]:
    values = copy.deepcopy(GOOD)
    change(values)
    return values


def test_a_good_inventory_has_no_problem() -> None:
    assert lines(GOOD) == []


HOST = "is not a host name alone, without scheme, port, path or wildcard. Example: hosts: [shop.example.com]"
GENERATE = "generate one with: openssl rand -base64 32"
BAD: dict[str, tuple[Callable[[Any], object], str]] = {
    "a missing secret": (
        lambda v: v.pop("postgres_password"),
        f"postgres_password: is missing or empty; {GENERATE}, "
        "and keep it in the vault file as vault_postgres_password.",
    ),
    "an empty secret": (
        lambda v: v.update(postgres_password=""),
        f"postgres_password: is missing or empty; {GENERATE}, "
        "and keep it in the vault file as vault_postgres_password.",
    ),
    "an empty secret of the app": (
        lambda v: v["app_secrets"].update(KEY=""),
        f"app_secrets.KEY: is empty; {GENERATE}, and keep it in the vault file. "
        "Example: app_secrets: {KEY: '{{ vault_app_key }}'}",
    ),
    "two sites with one host name": (
        lambda v: v["proxy_sites"].append({"hosts": ["Shop.example.com"]}),
        "proxy_sites[1].hosts[0]: Shop.example.com is already a host name of proxy_sites[0]. "
        "Example: hosts: [shop.example.com]",
    ),
    "a wildcard in a route": (
        lambda v: v["proxy_sites"][0]["routes"][0].update(path="/api/*"),
        'proxy_sites[0].routes[0].path: "/api/*" is not a path that begins with /, without wildcard. '
        "Example: path: /api",
    ),
    "an address that is none": (
        lambda v: v.update(proxy_acme_email="the admin"),
        'proxy_acme_email: "the admin" is not a mail address. Example: proxy_acme_email: admin@example.com',
    ),
    "an image with a tag": (
        lambda v: v.update(app_image="registry.example.com:5000/shop:1.2"),
        'app_image: "registry.example.com:5000/shop:1.2" is not a repository without a tag. '
        "Example: app_image: registry.example.com/shop",
    ),
    "a migration without image": (
        lambda v: (
            v.pop("app_image"),
            [service.update(image="x") for service in v["app_services"]],
            v.update(app_migration={"command": ["migrate"]}),
        ),
        "app_migration.command: runs in the app's image; set app_image or app_repository.",
    ),
    "a service that takes the migration's name": (
        lambda v: v["app_services"][1].update(name="migrate"),
        "app_services[1].name: migrate is already the name of the migration. Example: name: web",
    ),
    "a directory in place of a volume": (
        lambda v: v["app_services"][1].update(volumes=["files:/files:ro", "/srv:/files"]),
        'app_services[1].volumes[1]: "/srv:/files" is not a name and where it is mounted. '
        "Example: volumes: ['uploads:/app/uploads']",
    ),
    "a variable with a hyphen": (
        lambda v: v["app_secrets"].update({"API-KEY": "swordfish"}),
        "app_secrets.API-KEY: is not a name for a variable; it has letters, digits and _. "
        "Example: app_secrets: {KEY: '{{ vault_app_key }}'}",
    ),
    "a list in the environment": (
        lambda v: v["app_services"][1].update(environment={"HOSTS": ["a"]}),
        "app_services[1].environment.HOSTS: is a list; a variable takes a text, a number or a truth. "
        "Example: environment: {PORT: 3000}",
    ),
    "a service without image": (
        lambda v: (v.pop("app_image"), v["app_services"][1].update(image="x")),
        "app_services[0].image: web has no image; set it here, or app_image or app_repository for all. "
        "Example: image: docker.io/library/nats:2",
    ),
    "a port given as text": (
        lambda v: v["app_services"][0].update(port="http"),
        'app_services[0].port: "http" is not a whole number from 1 to 65535. Example: port: 3000',
    ),
    "a port out of range": (
        lambda v: v["app_services"][0].update(port=70000),
        "app_services[0].port: 70000 is not a whole number from 1 to 65535. Example: port: 3000",
    ),
    "an unknown key in a service": (
        lambda v: v["app_services"][0].update(replica=2),
        "app_services[0].replica: is unknown; did you mean replicas?",
    ),
    "an unknown key like no other": (
        lambda v: v["app_services"][0].update(zzz=2),
        "app_services[0].zzz: is unknown; known are name, type, port, image, heartbeat_file, replicas, environment, "
        "volumes.",
    ),
    "a misspelled variable": (
        lambda v: v.update(app_servces=[]),
        "app_servces: is unknown; did you mean app_services?",
    ),
    "a variable of one's own": (
        lambda v: v.update(app_zzzzzzzzzzzz=1),
        "app_zzzzzzzzzzzz: is unknown; a variable of your own needs another beginning, such as onebox_.",
    ),
    "a cron-like value in a duration": (
        lambda v: v.update(app_drain_seconds="*/5 * * * *"),
        'app_drain_seconds: "*/5 * * * *" is not seconds as a whole number. Example: app_drain_seconds: 30',
    ),
    "a duration with a unit": (
        lambda v: v.update(app_drain_seconds="5m"),
        'app_drain_seconds: "5m" is not seconds as a whole number. Example: app_drain_seconds: 30',
    ),
    "a negative duration": (
        lambda v: v.update(app_drain_seconds=-1),
        "app_drain_seconds: -1 is not seconds as a whole number. Example: app_drain_seconds: 30",
    ),
    "a host name with a scheme": (
        lambda v: v["proxy_sites"][0].update(hosts=["https://shop.example.com"]),
        f'proxy_sites[0].hosts[0]: "https://shop.example.com" {HOST}',
    ),
    "a host name with a wildcard": (
        lambda v: v["proxy_sites"][0].update(hosts=["*.example.com"]),
        f'proxy_sites[0].hosts[0]: "*.example.com" {HOST}',
    ),
    "text where a list is wanted": (
        lambda v: v["proxy_sites"][0].update(hosts="shop.example.com"),
        'proxy_sites[0].hosts: "shop.example.com" is not a list. Example: hosts: [shop.example.com]',
    ),
    "an empty list that is required": (
        lambda v: v["proxy_sites"][0].update(hosts=[]),
        "proxy_sites[0].hosts: is missing or empty. Example: hosts: [shop.example.com]",
    ),
    "a version that YAML read as a number": (
        lambda v: v.update(app_version=1.1),
        'app_version: 1.1 is not text in quotes. Example: app_version: "1.4.2"',
    ),
    "a quoted bool": (
        lambda v: v.update(app_debug="no"),
        'app_debug: "no" is not true or false, without quotes.',
    ),
    "a value that is nothing": (
        lambda v: v.update(app_version=None),
        'app_version: null is not text in quotes. Example: app_version: "1.4.2"',
    ),
    "a choice that is none": (
        lambda v: v["app_services"][1].update(type="bit"),
        'app_services[1].type: "bit" is not one of web, worker, scheduler, bot. Example: type: web',
    ),
    "a relative path": (
        lambda v: v["app_services"][1].update(heartbeat_file="heartbeat"),
        'app_services[1].heartbeat_file: "heartbeat" is not an absolute path. Example: heartbeat_file: /tmp/heartbeat',
    ),
    "a service without a name": (
        lambda v: v["app_services"][0].pop("name") and v["proxy_sites"].clear(),
        "app_services[0].name: is missing or empty. Example: name: web",
    ),
    "two services with one name": (
        lambda v: v["app_services"].append({"name": "bot", "type": "worker"}),
        "app_services[2].name: bot is already the name of app_services[1]. Example: name: web",
    ),
    "a web service without a port": (
        lambda v: v["app_services"][0].pop("port"),
        "app_services[0].port: a service of type web needs the port on which it listens. Example: port: 3000",
    ),
    "a bot with replicas": (
        lambda v: v["app_services"][1].update(replicas=2),
        "app_services[1].replicas: a bot runs exactly once, so 2 replicas are refused. Example: replicas: 2",
    ),
    "a route to no service": (
        lambda v: v["proxy_sites"][0]["routes"][0].update(service="wep"),
        "proxy_sites[0].routes[0].service: app_services has no service wep. Example: service: web",
    ),
    "a route to a bot": (
        lambda v: v["proxy_sites"][0]["routes"][0].update(service="bot"),
        "proxy_sites[0].routes[0].service: bot is a bot; a route leads to a service of type web. Example: service: web",
    ),
    "a route to another port": (
        lambda v: v["proxy_sites"][0]["routes"][0].update(port=80),
        "proxy_sites[0].routes[0].port: 80 is not the port of the service web, which is 3000. Example: port: 3000",
    ),
    "a path without its slash": (
        lambda v: v["proxy_sites"][0]["routes"][0].update(path="api"),
        'proxy_sites[0].routes[0].path: "api" is not a path that begins with /, without wildcard. Example: path: /api',
    ),
    "sites of another app": (
        lambda v: v.update(proxy_app="shup"),
        "proxy_app: shup is not the name of the app, which app_name says is shop. Example: proxy_app: shop",
    ),
    "an app name that no container can have": (
        lambda v: v.update(app_name="My Shop", proxy_app=""),
        'app_name: "My Shop" is not a name of small letters, digits, - and _ that begins with a letter. '
        "Example: app_name: shop",
    ),
    "an undefined secret": (
        lambda v: v.update(postgres_password=_inventory.unresolved("'vault_postgres_password' is undefined", "")),
        "postgres_password: vault_postgres_password is not defined; put it in the vault file of the inventory; "
        f"{GENERATE}.",
    ),
    "an undefined variable deep inside": (
        lambda v: v["app_secrets"].update(URL=_inventory.unresolved("Boo: 'onebox_x' is undefined", "{{ onebox_x }}")),
        "app_secrets.URL: onebox_x is not defined; set it in the inventory.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_input_is_refused_in_one_line_that_says_what_is_right(name: str) -> None:
    change, line = BAD[name]
    assert lines(changed(change)) == [line]


def test_all_problems_are_told_at_once() -> None:
    values = changed(lambda v: [change(v) for name, (change, _) in BAD.items() if name.startswith("a port given")])
    values["app_servces"] = []
    assert len(lines(values)) == 2


def test_required_inputs_of_a_role_that_the_host_does_not_get_may_be_missing() -> None:
    values = changed(lambda v: v.pop("postgres_password"))
    assert lines(values, needed=("app", "proxy")) == []


def test_inputs_of_a_role_that_the_host_does_not_get_are_checked_when_given() -> None:
    assert lines({"postgres_version": "9"}, needed=()) == [
        'postgres_version: "9" is not one of 16, 17, 18. Example: postgres_version: 17'
    ]


@pytest.mark.parametrize("value", [3000, "3000"])
def test_a_whole_number_may_stand_in_quotes(value: object) -> None:
    assert lines(changed(lambda v: v["app_services"][0].update(port=value))) == []


def test_a_number_may_stand_for_a_choice_that_is_text() -> None:
    assert lines({**GOOD, "postgres_version": 17}) == []


def test_variables_of_others_are_left_alone() -> None:
    assert lines({**GOOD, "apple": 1, "__app_x": 1, "ansible_host": "x", "vault_postgres_password": ""}) == []


def test_a_proxy_in_front_of_other_hosts_needs_no_services() -> None:
    sites = [{"hosts": ["a.example.com"], "routes": [{"service": "web", "port": 1}]}]
    assert lines({"proxy_sites": sites}, needed=("proxy",)) == []


def test_an_unresolved_service_is_told_once() -> None:
    service = {"name": "web", "type": "web", "port": Unresolved("x is not defined")}
    values = changed(lambda v: v["app_services"].__setitem__(0, service) or v["proxy_sites"].clear())
    assert lines(values) == ["app_services[0].port: x is not defined."]


def test_the_longest_role_name_owns_a_variable() -> None:
    assert _inventory.role_of("app_store_url", ["app", "app_store"]) == "app_store"
    assert _inventory.role_of("application", ["app"]) == ""


def test_a_template_that_fails_over_a_secret_tells_nothing_of_it() -> None:
    assert "swordfish" not in _inventory.unresolved("cannot convert 'swordfish'", "{{ vault_x | int }}").fault


def test_a_vault_without_its_password_is_told_as_that() -> None:
    fault = _inventory.unresolved("Attempting to decrypt but no vault secrets found.", "{{ vault_x }}").fault
    assert fault == "cannot be decrypted; give the vault's password, for example with --vault-password-file"


def test_leaves_are_resolved_one_by_one() -> None:
    assert _inventory.resolve({"a": ["x", {"b": 1}]}, lambda leaf: f"<{leaf}>") == {"a": ["<x>", {"b": "<1>"}]}


def test_the_report_counts_and_lists() -> None:
    problems = [_inventory.Problem("app_name", "is missing or empty", "app_name: shop")]
    assert _inventory.report("web1", problems) == (
        "The inventory of web1 has 1 problem; nothing was touched:\n"
        "- app_name: is missing or empty. Example: app_name: shop"
    )


SECRET = "swordfish-7"
KEYS = st.sampled_from(["name", "type", "port", "hosts", "routes", "service", "replicas"])
ANYTHING = st.recursive(
    st.sampled_from([None, True, -1, 3000, 1.5, float("nan"), "", "web", "bot", "nan", "80", Unresolved("x"), SECRET]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([name for options in SPECS.values() for name in options]), ANYTHING)
def test_no_shape_of_inventory_breaks_the_check(name: str, value: object) -> None:
    lines({**GOOD, name: value})


@given(ANYTHING)
def test_the_value_of_a_secret_is_never_told(value: object) -> None:
    values = {**GOOD, "postgres_password": [SECRET, value], "app_secrets": SECRET}
    assert SECRET not in "\n".join(lines(values))
