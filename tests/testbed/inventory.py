"""What Ansible needs to reach a bed: an inventory to put beside inventories/demo, with secrets made up for it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import yaml

from . import keys
from .bed import DOMAIN, Bed

# The secrets that inventories/demo asks for and that only have to be secret.
MADE_UP = (
    "vault_postgres_password",
    "vault_postgres_shop_password",
    "vault_app_webhook_secret",
    "vault_app_cron_secret",
)


def write(bed: Bed) -> None:
    write_known_hosts(bed)
    directory = bed.directory / "inventory"
    vault = directory / "group_vars/onebox/vault.yml"
    vault.parent.mkdir(parents=True, exist_ok=True)
    write_yaml(directory / "hosts.yml", {"onebox": {"hosts": hosts(bed), "vars": connection(bed)}})
    before = yaml.safe_load(vault.read_text()) if vault.exists() else {}
    vault.touch(mode=0o600)
    write_yaml(vault, generated() | before | known(bed))


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, explicit_start=True))


def write_known_hosts(bed: Bed) -> None:
    names = {bed.addresses[host]: f"ssh/{host}" for host in bed.hosts} | {f"git.{DOMAIN}": "ssh/git"}
    lines = [f"{name} {keys.public(bed.directory / key)}" for name, key in names.items()]
    (bed.directory / "known_hosts").write_text("".join(lines))


def hosts(bed: Bed) -> dict[str, dict[str, str]]:
    return {host: {"ansible_host": bed.addresses[host]} for host in bed.hosts}


def connection(bed: Bed) -> dict[str, str]:
    return {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(bed.directory / "id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={bed.directory / 'known_hosts'} -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
        "bed_directory": str(bed.directory),
    }


def generated() -> dict[str, str]:
    token = f"{secrets.randbelow(10**9)}:{secrets.token_urlsafe(24)}"
    return {name: secrets.token_urlsafe(24) for name in MADE_UP} | {"vault_app_telegram_token": token}


def known(bed: Bed) -> dict[str, str]:
    """The secrets that the bed's internet shares with the inventory."""
    return {
        "vault_docker_registry_password": bed.credentials["registry_password"],
        "vault_app_deploy_key": (bed.directory / "deploy_key").read_text(),
    }
