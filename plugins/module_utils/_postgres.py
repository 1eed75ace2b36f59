# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Databases and their owners in a PostgreSQL that runs in a container, through its psql.

No password leaves this process: PostgreSQL is sent a SCRAM verifier, on standard input.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import stringprep
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.onebox.stack.plugins.module_utils._docker import available, execute, inspect
from ansible_collections.onebox.stack.plugins.module_utils._process import Run

SECONDS = 60
LONGEST_NAME = 63  # bytes; PostgreSQL cuts a longer one
ITERATIONS = 4096  # PostgreSQL's own default
MECHANISM = "SCRAM-SHA-256"
TEMPLATES = ("template0", "template1")
# Verifiers belong in no log, not even when a statement fails.
QUIET = (
    "\\set VERBOSITY terse\n"
    "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';\n"
)
SERVER_QUERY = """
SELECT json_build_object(
  'roles', (SELECT json_object_agg(rolname, json_build_array(rolcanlogin, coalesce(rolpassword, ''))) FROM pg_authid),
  'databases', (
    SELECT json_object_agg(
      datname, json_build_array(rolname, has_database_privilege('public', pg_database.oid, 'CONNECT'))
    )
    FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba
  )
);
"""
EXTENSIONS_QUERY = "SELECT extname FROM pg_extension;\n"


class PostgresError(Exception):
    """The databases are not as wanted; the message says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """A database as the inventory describes it."""

    name: str
    owner: str
    password: str = field(repr=False)
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Role:
    """A role of the server."""

    login: bool
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class Database:
    """A database of the server."""

    owner: str
    open_to_all: bool
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """What there is of what is wanted."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    databases: Mapping[str, Database] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One statement, the database to run it in, and what it does in words that tell no secret."""

    text: str
    sql: str = field(repr=False)
    database: str = "postgres"


# --- SCRAM-SHA-256: RFC 5802 and RFC 7677 ---------------------------------------------------------------------------


def saslprep(password: str) -> str:
    """Normalise a password as PostgreSQL and libpq do: one that the rules (RFC 4013) refuse is taken as it is."""
    if password.isascii():
        return password
    # U+200B stands in both tables; PostgreSQL makes it a space.
    spaces, nothing = stringprep.in_table_c12, stringprep.in_table_b1
    mapped = "".join(" " if spaces(one) else one for one in password if spaces(one) or not nothing(one))
    text = unicodedata.normalize("NFKC", mapped)
    return text if text and not any(map(_prohibited, text)) and _one_direction(text) else password


def _prohibited(one: str) -> bool:
    tables = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    return any(table(one) for table in tables)


def _one_direction(text: str) -> bool:
    """RFC 3454, section 6: text from right to left begins and ends so, and holds nothing from left to right."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return what PostgreSQL stores in the place of a password."""
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = (salt, hashlib.sha256(client_key).digest(), server_key)
    encoded = [base64.b64encode(part).decode() for part in parts]
    return f"{MECHANISM}${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def matches(password: str, stored: str) -> bool:
    """Tell whether a stored verifier is one of this password; an MD5 hash never is."""
    try:
        mechanism, parameters, _ = stored.split("$")
        iterations, salt = parameters.split(":")
        again = verifier(password, base64.b64decode(salt, validate=True), int(iterations))
    except (ValueError, OverflowError, binascii.Error):
        return False
    return mechanism == MECHANISM and hmac.compare_digest(again.encode(), stored.encode())


# --- SQL ------------------------------------------------------------------------------------------------------------


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL, whatever standard_conforming_strings is."""
    quoted = text.replace("'", "''")
    return f" E'{quoted}'".replace("\\", "\\\\") if "\\" in text else f"'{quoted}'"


def parse(answer: str, extensions: Mapping[str, Sequence[str]]) -> Server:
    """Read the answer to SERVER_QUERY."""
    document = json.loads(answer)
    roles = {name: Role(*one) for name, one in (document["roles"] or {}).items()}
    databases = {
        name: Database(owner, open_to_all, tuple(extensions.get(name, ())))
        for name, (owner, open_to_all) in (document["databases"] or {}).items()
    }
    return Server(roles, databases)


# --- plan -----------------------------------------------------------------------------------------------------------


def refuse(wanted: Sequence[Wanted]) -> None:
    """Raise PostgresError with every fault of the input."""
    faults = [fault for one in wanted for fault in _faults(one)]
    names = [one.name for one in wanted]
    faults += [f"{name} is listed more than once" for name in sorted(set(names)) if names.count(name) > 1]
    for owner in sorted({one.owner for one in wanted}):
        if len({one.password for one in wanted if one.owner == owner}) > 1:
            faults.append(f"the owner {owner} has different passwords; one role has one password")
    if faults:
        example = "databases: [{name: shop, owner: shop, password: '{{ vault_postgres_shop_password }}'}]"
        raise PostgresError(f"databases: {'; '.join(faults)}. Nothing was changed. Example: {example}")


def _faults(one: Wanted) -> list[str]:
    faults = [
        f"{one.name}: {text!r} is not a name: it must have 1 to {LONGEST_NAME} bytes and no NUL"
        for text in (one.name, one.owner, *one.extensions)
        if not 0 < len(text.encode()) <= LONGEST_NAME or "\0" in text
    ]
    if not one.password or "\0" in one.password:
        faults.append(f"{one.name}: its password is empty or holds a NUL")
    if one.name in TEMPLATES:
        faults.append(f"{one.name} is PostgreSQL's own")
    return faults


def plan(before: Server, wanted: Sequence[Wanted]) -> tuple[Step, ...]:
    """What to do, in order: first all owners, then each database with its extensions."""
    owners = {one.owner: one for one in wanted}
    steps = [step for one in owners.values() for step in _role_steps(one, before.roles.get(one.owner))]
    steps += [step for one in wanted for step in _database_steps(one, before.databases.get(one.name))]
    return tuple(steps)


def _role_steps(one: Wanted, role: Role | None) -> list[Step]:
    if role is None:
        return [Step(f"create role {one.owner}", f"CREATE ROLE {identifier(one.owner)} LOGIN PASSWORD {_new(one)}")]
    alter = f"ALTER ROLE {identifier(one.owner)}"
    steps = [] if role.login else [Step(f"let role {one.owner} log in", f"{alter} LOGIN")]
    if not matches(one.password, role.verifier):
        steps.append(Step(f"change the password of role {one.owner}", f"{alter} PASSWORD {_new(one)}"))
    return steps


def _new(one: Wanted) -> str:
    return literal(verifier(one.password, os.urandom(16)))


def _database_steps(one: Wanted, database: Database | None) -> list[Step]:
    name, owner = identifier(one.name), identifier(one.owner)
    steps = []
    if database is None:
        steps.append(Step(f"create database {one.name}", f"CREATE DATABASE {name} OWNER {owner}"))
    elif database.owner != one.owner:
        text = f"give database {one.name} to {one.owner} (it belongs to {database.owner})"
        steps.append(Step(text, f"ALTER DATABASE {name} OWNER TO {owner}"))
    if database is None or database.open_to_all:
        steps.append(
            Step(f"close database {one.name} to other roles", f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
        )
    there = database.extensions if database else ()
    steps += [
        Step(
            f"create extension {extension} in {one.name}",
            f"CREATE EXTENSION IF NOT EXISTS {identifier(extension)} CASCADE",
            one.name,
        )
        for extension in one.extensions
        if extension not in there
    ]
    return steps


# --- read and write -------------------------------------------------------------------------------------------------


def psql(run: Run, container: str, sql: str, database: str = "postgres") -> str:
    """Run SQL as the superuser and return what it prints; raises PostgresError with psql's message."""
    # By environment, because psql reads a name with "=" as a list of connection settings.
    argv = ["docker", "exec", "--interactive", "--user", "postgres", "--env", f"PGDATABASE={database}"]
    argv += [
        "--env",
        "PGCLIENTENCODING=UTF8",
        container,
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--set=ON_ERROR_STOP=1",
    ]
    answer = execute(run, argv, stdin=QUIET + sql, timeout=SECONDS)
    if answer.ok:
        return answer.stdout
    said = "\n".join((answer.stderr or answer.stdout).strip().splitlines()[-5:])
    raise PostgresError(
        f"PostgreSQL in the container {container!r} (database {database}) answered: {said}. What was done before "
        f"stays; mend the cause and run again. Is it running? docker ps --filter name={container}"
    )


def reachable(run: Run, container: str) -> bool:
    """Tell whether the container runs, so that a refusal is PostgreSQL's own."""
    return available(run) and any(one.running for one in inspect(run, [container]))


def read(run: Run, container: str, wanted: Sequence[Wanted]) -> Server:
    """Ask for what there is: one call, and one more for each database that wants extensions."""
    if not wanted:
        return Server()
    document = psql(run, container, SERVER_QUERY)
    there = parse(document, {}).databases
    asked = [one.name for one in wanted if one.extensions and one.name in there]
    return parse(document, {name: psql(run, container, EXTENSIONS_QUERY, name).splitlines() for name in asked})


def write(run: Run, container: str, steps: Sequence[Step]) -> None:
    """Carry the plan out. Each statement stands alone, and a run that is killed is continued by the next."""
    for step in steps:
        psql(run, container, f"{step.sql};\n", step.database)
