"""How a health check is described, and what is said of a wrong description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _check_options as options

PATIENCE = options.Patience(deadline=60, interval=1, timeout=10)


def http(**given: Any) -> options.Http:
    return options.Http(name="shop", url="https://shop.example.test/health?token=x", **given)


@pytest.mark.parametrize(
    ("described", "fault"),
    [
        ({"type": "htp"}, "`type`: 'htp' is not one of http, tcp, tls, container, heartbeat, sql"),
        ({"type": "http"}, "`url` is missing"),
        ({"type": "http", "url": "shop.example.test"}, "'shop.example.test' is not an http or https URL"),
        ({"type": "http", "url": "https://me:secret@shop.example.test/"}, "belong into `headers`"),
        ({"type": "http", "url": "https://shop.example.test:99999/"}, "out of range"),
        (
            {"type": "http", "url": "https://shop.example.test/", "port": 80},
            "`port` does not belong to a check of type",
        ),
        ({"type": "http", "url": "https://shop.example.test/", "status": [20]}, "20 is not an HTTP status"),
        ({"type": "http", "url": "https://shop.example.test/", "header": {"a": "("}}, "is not a regular expression"),
        ({"type": "http", "url": "https://shop.example.test/", "max_seconds": 11.0}, "`max_seconds` 11 is more than"),
        ({"type": "http", "url": "https://shop.example.test/", "connect_to": "1.2.3.4:x"}, "is not ip or ip:port"),
        ({"type": "tcp", "host": "db"}, "`port` is missing"),
        ({"type": "tcp", "host": "db", "port": 0}, "0 is not between 1 and 65535"),
        ({"type": "container"}, "one of `app`, `labels` or `container` is missing"),
        ({"type": "container", "app": "shop", "container": "x"}, "`container` names one container"),
        ({"type": "container", "labels": {"a": "b"}, "service": "x"}, "`service` needs `app`"),
        ({"type": "heartbeat", "app": "shop"}, "`file` is missing"),
        ({"type": "heartbeat", "app": "shop", "file": "beat"}, "'beat' is not an absolute path"),
        ({"type": "sql", "query": "select 1"}, "`database` is missing"),
    ],
)
def test_a_wrong_description_is_refused_by_name_with_an_example(described: Mapping[str, Any], fault: str) -> None:
    with pytest.raises(options.CheckError) as error:
        options.parse([{"name": "one", **described}], PATIENCE)
    assert "checks[0] (one): " in str(error.value)
    assert fault in str(error.value)
    assert "Example: {name: " in str(error.value)


def test_all_faults_are_told_at_once() -> None:
    described = [{"name": "a", "type": "tcp"}, {"name": "b", "type": "tls"}]
    with pytest.raises(options.CheckError) as error:
        options.parse(described, options.Patience(deadline=-1, interval=0, timeout=0))
    assert str(error.value).startswith("Nothing was asked")
    assert len(str(error.value).splitlines()) == 1 + 3 + 2 + 1


def test_two_checks_of_one_name_are_refused() -> None:
    described = {"name": "a", "type": "tcp", "host": "db", "port": 5432}
    with pytest.raises(options.CheckError, match=r"checks\[1\] \(a\): another check has this name already"):
        options.parse([described, described], PATIENCE)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(options.CheckError, match="checks is empty"):
        options.parse([], PATIENCE)


def test_every_example_of_an_error_message_is_a_right_description() -> None:
    yaml = pytest.importorskip("yaml")
    for kind in options.TYPES.values():
        (check,) = options.parse([yaml.safe_load(kind.example)], PATIENCE)
        assert type(check) is kind


def test_a_header_to_send_is_in_no_representation() -> None:
    assert "Bearer" not in repr(http(headers={"Authorization": "Bearer token"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", ("10.0.0.1", 443)),
        ("10.0.0.1:8443", ("10.0.0.1", 8443)),
        ("::1", ("::1", 443)),
        ("[::1]:8443", ("::1", 8443)),
    ],
)
def test_an_address_may_have_a_port(text: str, expected: tuple[str, int]) -> None:
    assert options.address(text, 443) == expected


def test_an_expectation_names_all_that_is_expected_but_no_query_of_the_url() -> None:
    check = http(body_contains="up", header={"A": "b"}, json={"v": 1}, max_seconds=2, connect_to="10.0.0.1")
    assert check.expects() == (
        "GET https://shop.example.test/health to answer 200, a body with 'up', header A like 'b', v = 1, "
        "an answer within 2 s"
    )
    assert "token" not in check.look_at()


def test_every_type_says_what_it_expects_and_where_to_look() -> None:
    yaml = pytest.importorskip("yaml")
    for check in options.parse([yaml.safe_load(kind.example) for kind in options.TYPES.values()], PATIENCE):
        assert check.expects()
        assert check.look_at()
