from __future__ import annotations

import stat
from pathlib import Path

import pytest
from testbed import bed as beds
from testbed.bed import CHECKOUT_ID, Bed, bed_name
from testbed.console import BedError


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beds, "STATE", tmp_path)


def saved(name: str) -> Bed:
    bed = Bed(name, "10.111.7", ("server", "db"), {"registry_password": "swordfish"})
    bed.directory.mkdir()
    bed.save()
    return bed


def test_the_first_host_has_the_beds_own_name() -> None:
    containers = Bed("demo", "10.111.7", ("server", "db")).containers
    assert containers["server"] == "onebox-demo"
    assert containers["db"] == "onebox-demo-db"
    assert containers["dns"] == "onebox-demo-dns"


def test_no_two_parts_share_an_address() -> None:
    addresses = Bed("demo", "10.111.7", ("server", "db")).addresses
    assert len(set(addresses.values())) == len(addresses)
    assert addresses["server"] == "10.111.7.10"


def test_the_bed_of_a_scenario_names_the_checkout_but_its_directory_does_not() -> None:
    assert bed_name("default") == f"{CHECKOUT_ID}-default"
    assert Bed(bed_name("default"), "", ("server",)).directory.name == "default"


def test_a_saved_bed_is_loaded_as_it_was() -> None:
    assert Bed.load(saved("demo").name) == Bed("demo", "10.111.7", ("server", "db"), {"registry_password": "swordfish"})


def test_only_its_owner_reads_a_saved_bed() -> None:
    assert stat.S_IMODE((saved("demo").directory / "bed.json").stat().st_mode) == 0o600


def test_a_bed_that_is_not_there_is_refused_with_the_command_that_makes_it() -> None:
    with pytest.raises(BedError, match="testbed up --name nowhere"):
        Bed.load("nowhere")


def test_a_scenario_does_not_take_the_directory_of_a_bed_with_its_name() -> None:
    saved("default")
    with pytest.raises(BedError, match="of the bed default"):
        Bed.load(bed_name("default"))


@pytest.mark.parametrize("name", ["", "Demo", "a_b", "-a", "a/b"])
def test_a_name_that_no_host_can_have_is_refused(name: str) -> None:
    with pytest.raises(BedError, match="small letters"):
        Bed(name, "", ("server",))
