from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from testbed import bed as beds
from testbed import inventory
from testbed.bed import CHECKOUT, Bed


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setattr(beds, "STATE", tmp_path)
    bed = Bed("demo", "10.111.7", ("server",), {"registry_password": "swordfish"})
    (bed.directory / "ssh").mkdir(parents=True)
    for name in ("deploy_key", "ssh/server.pub", "ssh/git.pub"):
        (bed.directory / name).write_text(f"{name}\n")
    return bed


def vault(bed: Bed) -> dict[str, str]:
    content: dict[str, str] = yaml.safe_load((bed.directory / "inventory/group_vars/onebox/vault.yml").read_text())
    return content


def test_the_demo_inventory_finds_each_of_its_secrets(bed: Bed) -> None:
    inventory.write(bed)
    files = (CHECKOUT / "inventories/demo").rglob("*.yml")
    asked = {name for path in files for name in re.findall(r"\bvault_\w+\b(?!\*)", path.read_text())}
    assert asked - {"vault_"} <= set(vault(bed))


def test_secrets_stay_as_they_are_when_the_bed_comes_up_again(bed: Bed) -> None:
    inventory.write(bed)
    before = vault(bed)
    inventory.write(bed)
    assert vault(bed) == before


def test_ansible_reaches_the_host_as_root_with_the_beds_own_key(bed: Bed) -> None:
    inventory.write(bed)
    group = yaml.safe_load((bed.directory / "inventory/hosts.yml").read_text())["onebox"]
    assert group["hosts"] == {"server": {"ansible_host": "10.111.7.10"}}
    assert group["vars"]["ansible_user"] == "root"
    assert str(bed.directory / "known_hosts") in group["vars"]["ansible_ssh_common_args"]
