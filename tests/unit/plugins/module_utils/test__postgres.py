from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from ansible_collections.onebox.stack.plugins.module_utils import _postgres as postgres
from ansible_collections.onebox.stack.plugins.module_utils._postgres import Database, Role, Server, Wanted
from ansible_collections.onebox.stack.plugins.module_utils._process import Result
from hypothesis import given, settings
from hypothesis import strategies as some

SHOP = Wanted("shop", "keeper", "s3cret", ("pg_trgm",))
NEW = (
    "create role keeper",
    "create database shop",
    "close database shop to other roles",
    "create extension pg_trgm in shop",
)
TEXT = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def texts(before: Server, *wanted: Wanted) -> tuple[str, ...]:
    return tuple(step.text for step in postgres.plan(before, wanted))


def server(password: str = "s3cret", login: bool = True, owner: str = "keeper", open_to_all: bool = False) -> Server:
    role = Role(login, postgres.verifier(password, b"salt", 1))
    return Server({"keeper": role}, {"shop": Database(owner, open_to_all, ("plpgsql", "pg_trgm"))})


def test_the_verifier_proves_the_exchange_of_rfc_7677() -> None:
    stored = postgres.verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    found = re.fullmatch(r"SCRAM-SHA-256\$4096:(.+)\$(.+):(.+)", stored)
    assert found
    salt, stored_key, server_key = found.groups()
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s={salt},i=4096,c=biws,r={nonce}".encode()
    signature = hmac.digest(base64.b64decode(server_key), message, "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    mask = hmac.digest(base64.b64decode(stored_key), message, "sha256")
    client_key = bytes(one ^ other for one, other in zip(proof, mask, strict=True))
    assert hashlib.sha256(client_key).digest() == base64.b64decode(stored_key)


@settings(max_examples=40)
@given(TEXT, some.binary(min_size=1, max_size=32))
def test_a_verifier_is_one_of_its_own_password_only(password: str, salt: bytes) -> None:
    stored = postgres.verifier(password, salt, 2)
    assert postgres.matches(password, stored)
    assert not postgres.matches(f"{password}x", stored)


@given(some.one_of(TEXT, some.sampled_from(["md5" + 32 * "0", "SCRAM-SHA-256$0:$:", "SCRAM-SHA-256$1:AA==$:"])))
def test_anything_else_than_a_verifier_matches_no_password(stored: str) -> None:
    assert not postgres.matches("s3cret", stored)


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("plain \x07 text", "plain \x07 text"),
        ("I\u00adX\u00e9", "IX\u00e9"),
        ("\u2168\u00e9", "IX\u00e9"),
        ("a\u00a0b", "a b"),
        ("\u200b", " "),
        ("\u00e9\x07", "\u00e9\x07"),  # refused by the rules, so taken as it is
        ("\u0627\u00a01", "\u0627\u00a01"),  # ends in another direction than it begins: the same
    ],
)
def test_passwords_are_prepared_as_postgresql_does(password: str, prepared: str) -> None:
    assert postgres.saslprep(password) == prepared


@given(TEXT)
def test_a_quoted_identifier_is_read_back_as_it_is(name: str) -> None:
    quoted = postgres.identifier(name)
    assert re.fullmatch(r'"(?:[^"]|"")*"', quoted, re.DOTALL)
    assert quoted[1:-1].replace('""', '"') == name


@given(TEXT)
def test_a_quoted_literal_is_read_back_as_it_is(text: str) -> None:
    quoted = postgres.literal(text)
    found = re.fullmatch(r"(?P<escaped> E)?'(?P<body>(?:[^'\\]|''|\\\\)*)'", quoted, re.DOTALL)
    assert found
    assert bool(found["escaped"]) == ("\\" in text)
    assert found["body"].replace("''", "'").replace("\\\\", "\\") == text


def test_on_a_bare_server_everything_is_made_in_order() -> None:
    assert texts(Server(), SHOP) == NEW


def test_a_server_as_wanted_needs_nothing() -> None:
    assert texts(server(), SHOP) == ()


def test_another_password_is_changed_and_told_to_nobody() -> None:
    (step,) = postgres.plan(server(password="old"), [SHOP])
    assert step.text == "change the password of role keeper"
    assert "s3cret" not in step.sql
    assert "SCRAM" not in repr(step)
    assert step.sql.startswith('ALTER ROLE "keeper" PASSWORD \'SCRAM-SHA-256$4096:')


def test_a_database_is_given_to_its_owner_and_closed_to_others() -> None:
    expected = ("give database shop to keeper (it belongs to postgres)", "close database shop to other roles")
    assert texts(server(owner="postgres", open_to_all=True), SHOP) == expected


def test_a_role_that_may_not_log_in_may_afterwards() -> None:
    assert texts(server(login=False), SHOP) == ("let role keeper log in",)


def test_a_run_killed_after_any_step_is_continued_by_the_next() -> None:
    role = {"keeper": Role(True, postgres.verifier("s3cret", b"salt", 1))}
    assert texts(Server(role), SHOP) == NEW[1:]
    assert texts(Server(role, {"shop": Database("keeper", True)}), SHOP) == NEW[2:]
    assert texts(Server(role, {"shop": Database("keeper", False)}), SHOP) == NEW[3:]


def test_one_owner_of_two_databases_is_made_once() -> None:
    made = texts(Server(), SHOP, Wanted("stock", "keeper", "s3cret"))
    assert made.count("create role keeper") == 1


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ([Wanted("", "keeper", "x")], "'' is not a name"),
        ([Wanted("é" * 32, "keeper", "x")], "is not a name"),
        ([Wanted("shop", "keeper", "")], "its password is empty"),
        ([Wanted("template1", "keeper", "x")], "is PostgreSQL's own"),
        ([SHOP, SHOP], "listed more than once"),
        ([SHOP, Wanted("stock", "keeper", "other")], "different passwords"),
    ],
)
def test_wrong_input_is_refused_without_showing_a_password(wanted: list[Wanted], words: str) -> None:
    with pytest.raises(postgres.PostgresError, match=words) as caught:
        postgres.refuse(wanted)
    assert "s3cret" not in str(caught.value)
    assert "Nothing was changed" in str(caught.value)


def test_sql_goes_to_standard_input_and_the_database_into_the_environment() -> None:
    asked: list[tuple[list[str], str]] = []
    document = json.dumps({"roles": {"keeper": [True, "SCRAM"]}, "databases": {"shop": ["keeper", False]}})

    def run(argv: list[str], stdin: str = "", **_options: Any) -> Result:
        asked.append((argv, stdin))
        return Result(0, "plpgsql\npg_trgm\n" if "extname" in stdin else document, "")

    found = postgres.read(run, "postgres", [SHOP, Wanted("stock", "keeper", "s3cret", ("pg_trgm",))])
    assert found.databases["shop"] == Database("keeper", False, ("plpgsql", "pg_trgm"))
    assert len(asked) == 2  # a database that is not there yet is not asked
    postgres.write(run, "postgres", postgres.plan(Server(), [SHOP]))
    words = " ".join(word for argv, _ in asked for word in argv)
    assert "PGDATABASE=shop" in words
    assert not any(secret in words for secret in ("s3cret", "SCRAM", "CREATE"))
    assert all("log_min_error_statement = 'panic'" in stdin for _, stdin in asked)


def test_an_error_says_what_postgresql_said_and_where_to_look() -> None:
    def run(*_argv: Any, **_options: Any) -> Result:
        return Result(1, "", "psql:<stdin>:3: ERROR:  permission denied\n")

    with pytest.raises(postgres.PostgresError, match=r"'pg' .*permission denied.*docker ps --filter name=pg"):
        postgres.psql(run, "pg", "SELECT 1;\n")
