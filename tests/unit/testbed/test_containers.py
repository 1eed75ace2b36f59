from __future__ import annotations

from dataclasses import replace

from testbed.bed import Bed
from testbed.containers import File, Part
from testbed.host import cgroups
from testbed.internet import dns

PART = Part("x", "image:1", ("run",), {"A": "1"}, files={"/a": File(b"one")})


def test_a_container_is_kept_while_its_description_is_the_same() -> None:
    assert PART.key("10.0.0.2") == replace(PART).key("10.0.0.2")


def test_a_container_is_made_anew_when_anything_of_it_changed() -> None:
    changes = (
        replace(PART, image="image:2"),
        replace(PART, command=("other",)),
        replace(PART, environment={"A": "2"}),
        replace(PART, files={"/a": File(b"two")}),
        replace(PART, files={"/a": File(b"one", 0o600)}),
    )
    keys = {part.key("10.0.0.2") for part in (PART, *changes)} | {PART.key("10.0.0.3")}
    assert len(keys) == len(changes) + 2


def test_every_other_name_is_the_first_host() -> None:
    command = dns(Bed("demo", "10.111.7", ("server", "db")), "image").command
    assert "--address=/example.test/10.111.7.10" in command
    assert "--address=/db.example.test/10.111.7.11" in command
    assert "--address=/acme.example.test/10.111.7.3" in command


def test_a_host_on_cgroup_v2_sees_only_its_own_cgroup() -> None:
    assert cgroups("2") == {"cgroupns": "private"}
    assert cgroups("1")["cgroupns"] == "host"
