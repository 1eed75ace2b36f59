# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check a host's variables against the argument specs of the collection's roles, all problems at once.

Ansible's own check of a role stops at the first role, prints the value that is wrong (a secret, perhaps), passes
misspelled names, and knows nothing of two roles together. It does not convert what it accepts either: a role
sees the variable as it was written, so what is accepted here is what a template can use as it is.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.onebox.stack.plugins.module_utils._formats import CONTAINERS, FORMATS, TYPES, is_int, is_port

Option = Mapping[str, Any]
Options = Mapping[str, Option]
Specs = Mapping[str, Options]  # role: its inputs
Values = Mapping[str, Any]

GENERATE = "generate one with: openssl rand -base64 32"
OWN_NAMES = "a variable of your own needs another beginning, such as onebox_"
RAW: Option = {"type": "raw"}
SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Unresolved:
    """A value that could not be computed; stands where the value would."""

    fault: str


@dataclass(frozen=True)
class Problem:
    path: str
    fault: str
    example: str = ""

    def __str__(self) -> str:
        line = f"{self.path}: {self.fault}" + ("" if self.fault.endswith("?") else ".")
        return f"{line} Example: {self.example}" if self.example else line


# -- values -----------------------------------------------------------------------------------------------------------


def example_of(option: Option) -> str:
    """The C(...) of the description's line `Example: C(port: 3000)`."""
    description = option.get("description", [])
    lines = [description] if isinstance(description, str) else description
    found = (re.fullmatch(r"Example: C\((.*)\)\.?", str(line).strip()) for line in lines)
    return next((match[1] for match in found if match), "")


def resolve(value: Any, template: Callable[[Any], Any]) -> Any:
    """Template every leaf by itself, so that one undefined variable does not hide the others."""
    if isinstance(value, Mapping):
        return {str(key): resolve(item, template) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, template) for item in value]
    return template(value)


def unresolved(message: str, source: str) -> Unresolved:
    """Say why a template failed. Only the name of an undefined variable is sure to hold no secret."""
    if undefined := re.search(r"'(\w+)' is undefined", message):
        name = undefined[1]
        if name.startswith("vault_"):
            return Unresolved(f"{name} is not defined; put it in the vault file of the inventory; {GENERATE}")
        return Unresolved(f"{name} is not defined; set it in the inventory")
    if "decrypt" in message.lower():
        return Unresolved("cannot be decrypted; give the vault's password, for example with --vault-password-file")
    reason = (
        "its template, which holds a secret, fails"
        if "vault_" in source
        else message.strip().splitlines()[0].rstrip(".")
    )
    return Unresolved(f"cannot be computed: {reason}")


def _shown(value: Any, secret: bool) -> str:
    if secret:
        return "its value (not shown)"
    if isinstance(value, (list, Mapping)):
        return "a list" if isinstance(value, list) else "a mapping"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _fault(path: str, option: Option, value: Any, secret: bool) -> str:
    """What is wrong with the value itself (not with what is inside it), or nothing."""
    kind = option.get("type", "str")
    meaning, accepts = TYPES[kind]
    name = re.sub(r"\[\d+\]", "", path)
    promised = next((known for known in FORMATS if kind not in CONTAINERS and re.search(known.names, name)), None)
    if not accepts(value) or (promised and not promised.accepts(value)):
        return f"{_shown(value, secret)} is not {promised.meaning if promised else meaning}"
    choices = [str(choice) for choice in option.get("choices", ())]
    if choices and kind not in CONTAINERS and str(value) not in choices:
        near = "" if secret else _nearest(str(value), choices)
        return f"{_shown(value, secret)} is not one of {', '.join(choices)}{near}"
    return ""


def check_value(path: str, option: Option, value: Any, secret: bool = False) -> Iterator[Problem]:
    """Problems of a value and of everything inside it."""
    secret = secret or bool(option.get("no_log"))
    if isinstance(value, Unresolved):
        yield Problem(path, value.fault)
    elif fault := _fault(path, option, value, secret):
        yield Problem(path, fault, example_of(option))
    elif isinstance(value, Mapping) and "options" in option:
        yield from check_options(option["options"], value, path, secret=secret)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from check_value(f"{path}.{key}", RAW, item, secret)
    elif isinstance(value, list):
        element = {**option, "type": option.get("elements", "raw")}
        for index, item in enumerate(value):
            yield from check_value(f"{path}[{index}]", element, item, secret)


def _missing(path: str, option: Option, secret: bool) -> Problem:
    if secret:
        name = f" as vault_{path}" if path.isidentifier() else ""
        return Problem(path, f"is missing or empty; {GENERATE}, and keep it in the vault file{name}")
    return Problem(path, "is missing or empty", example_of(option))


def check_options(
    options: Options, values: Values, path: str = "", *, needed: bool = True, secret: bool = False
) -> Iterator[Problem]:
    """Problems of a mapping with known keys: a role's variables, or an item of a list of typed mappings."""
    prefix = f"{path}." if path else ""
    for name in sorted(values.keys() - options.keys()):
        near = _nearest(name, options)
        known = f"; known are {', '.join(options)}" if path else f"; {OWN_NAMES}"
        yield Problem(f"{prefix}{name}", f"is unknown{near or known}")
    for name, option in options.items():
        value = values.get(name)
        hidden = secret or bool(option.get("no_log"))
        if value is None or value in ("", [], {}):
            if option.get("required") and (needed or name in values):
                yield _missing(f"{prefix}{name}", option, hidden)
                continue
            if name not in values or (value == "" and option.get("type", "str") in ("str", "path", "raw")):
                continue
        yield from check_value(f"{prefix}{name}", option, value, hidden)


# -- rules across variables and roles ---------------------------------------------------------------------------------

Finding = tuple[str, str]  # path, fault
SINGLETONS = ("scheduler", "bot")


def _items(values: Values, name: str) -> Iterator[tuple[str, Values]]:
    """The well-formed items of a list of mappings, each with its path."""
    found = values.get(name)
    for index, item in enumerate(found if isinstance(found, list) else []):
        if isinstance(item, Mapping):
            yield f"{name.rpartition('.')[2]}[{index}]", item


def sites_share_no_host_name(values: Values) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for path, site in _items(values, "proxy_sites"):
        hosts = site.get("hosts")
        for index, host in enumerate(hosts if isinstance(hosts, list) else []):
            name = str(host).lower()
            if name in seen:
                yield f"{path}.hosts[{index}]", f"{host} is already a host name of {seen[name]}"
            seen.setdefault(name, path)


def services_have_an_image(values: Values) -> Iterator[Finding]:
    if not (values.get("app_image") or values.get("app_repository")):
        for path, service in _items(values, "app_services"):
            if not service.get("image"):
                name = service.get("name", "it")
                yield f"{path}.image", f"{name} has no image; set it here, or app_image or app_repository for all"


def the_migration_has_an_image(values: Values) -> Iterator[Finding]:
    migration = values.get("app_migration")
    if isinstance(migration, Mapping) and not (values.get("app_image") or values.get("app_repository")):
        for name in ("command", "bootstrap_command"):
            if migration.get(name):
                yield f"app_migration.{name}", "runs in the app's image; set app_image or app_repository"


def environments_hold_names_and_texts(values: Values) -> Iterator[Finding]:
    found = [(name, values.get(name)) for name in ("app_environment", "app_secrets")]
    found += [(f"{path}.environment", service.get("environment")) for path, service in _items(values, "app_services")]
    for path, variables in found:
        for name, value in variables.items() if isinstance(variables, Mapping) else ():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                yield f"{path}.{name}", "is not a name for a variable; it has letters, digits and _"
            elif isinstance(value, (list, Mapping)):
                yield f"{path}.{name}", f"is {_shown(value, False)}; a variable takes a text, a number or a truth"


def volumes_are_named(values: Values) -> Iterator[Finding]:
    for path, service in _items(values, "app_services"):
        volumes = service.get("volumes")
        for index, volume in enumerate(volumes if isinstance(volumes, list) else []):
            if isinstance(volume, str) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*:/[^:]*(:r[ow])?", volume):
                yield f"{path}.volumes[{index}]", f"{_shown(volume, False)} is not a name and where it is mounted"


def services_have_names_of_their_own(values: Values) -> Iterator[Finding]:
    seen: dict[str, str] = {"migrate": "the migration"}
    for path, service in _items(values, "app_services"):
        if isinstance(name := service.get("name"), str) and name:
            if name in seen:
                yield f"{path}.name", f"{name} is already the name of {seen[name]}"
            seen.setdefault(name, path)


def web_services_have_a_port(values: Values) -> Iterator[Finding]:
    for path, service in _items(values, "app_services"):
        if service.get("type") == "web" and service.get("port") is None:
            yield f"{path}.port", "a service of type web needs the port on which it listens"


def singletons_run_once(values: Values) -> Iterator[Finding]:
    for path, service in _items(values, "app_services"):
        replicas = service.get("replicas", 1)
        if service.get("type") in SINGLETONS and is_int(replicas) and int(replicas) > 1:
            yield f"{path}.replicas", f"a {service['type']} runs exactly once, so {replicas} replicas are refused"


def routes_lead_to_web_services(values: Values) -> Iterator[Finding]:
    services = {str(service.get("name")): service for _, service in _items(values, "app_services")}
    if not services:  # a proxy in front of other hosts
        return
    for site_path, site in _items(values, "proxy_sites"):
        for path, route in _items(site, "routes"):
            if isinstance(wanted := route.get("service"), str) and wanted:
                for key, fault in _route_faults(route, wanted, services):
                    yield f"{site_path}.{path}.{key}", fault


def _route_faults(route: Values, wanted: str, services: Mapping[str, Values]) -> Iterator[Finding]:
    if (service := services.get(wanted)) is None:
        near = _nearest(wanted, services)
        yield "service", f"app_services has no service {wanted}{near}"
    elif service.get("type", "web") != "web":
        yield "service", f"{wanted} is a {service['type']}; a route leads to a service of type web"
    elif is_port(port := route.get("port")) and is_port(real := service.get("port")) and int(port) != int(real):
        yield "port", f"{port} is not the port of the service {wanted}, which is {real}"


def sites_belong_to_the_app(values: Values) -> Iterator[Finding]:
    app, proxied = values.get("app_name"), values.get("proxy_app")
    if app and isinstance(proxied, str) and proxied and proxied != app:
        yield "proxy_app", f"{proxied} is not the name of the app, which app_name says is {app}"


def app_secrets_are_not_empty(values: Values) -> Iterator[Finding]:
    secrets = values.get("app_secrets")
    for name, value in secrets.items() if isinstance(secrets, Mapping) else ():
        if value is None or value == "":
            yield f"app_secrets.{name}", f"is empty; {GENERATE}, and keep it in the vault file"


RULES: tuple[Callable[[Values], Iterator[Finding]], ...] = (
    sites_share_no_host_name,
    services_have_an_image,
    the_migration_has_an_image,
    environments_hold_names_and_texts,
    volumes_are_named,
    services_have_names_of_their_own,
    web_services_have_a_port,
    singletons_run_once,
    routes_lead_to_web_services,
    sites_belong_to_the_app,
    app_secrets_are_not_empty,
)


def _example_at(specs: Specs, path: str) -> str:
    """The example of the innermost option on the path that has one."""
    options: Options = {name: option for role in specs.values() for name, option in role.items()}
    example = ""
    for name in re.sub(r"\[\d+\]", "", path).split("."):
        option = options.get(name, {})
        example = example_of(option) or example
        options = option.get("options", {})
    return example


# -- the whole --------------------------------------------------------------------------------------------------------


def role_of(name: str, roles: Iterable[str]) -> str:
    """The role whose input a variable's name claims to be, or nothing."""
    return max((role for role in roles if name.startswith(f"{role}_")), key=len, default="")


def check(specs: Specs, values: Values, needed: Iterable[str]) -> list[Problem]:
    """All problems of a host's variables. The inputs that the roles in `needed` require must be there."""
    problems: list[Problem] = []
    for role, options in specs.items():
        mine = {name: value for name, value in values.items() if role_of(name, specs) == role}
        problems += check_options(options, mine, needed=role in needed)
    defaults = {name: option.get("default") for options in specs.values() for name, option in options.items()}
    found = (finding for rule in RULES for finding in rule({**defaults, **values}))
    known = {problem.path for problem in problems}
    return problems + [Problem(path, fault, _example_at(specs, path)) for path, fault in found if path not in known]


def report(host: str, problems: list[Problem]) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "\n".join(f"- {problem}" for problem in problems)
    return f"The inventory of {host} has {count}; nothing was touched:\n{lines}"
