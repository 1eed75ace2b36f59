"""Environment files: what is written is read back as it was, and secrets are found in texts."""

from __future__ import annotations

import re

import pytest
from ansible_collections.onebox.stack.plugins.module_utils._compose_env import (
    EnvError,
    mask,
    parse,
    quote,
    render,
    secret_texts,
)
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8")) | st.text("ab'\"\\$\r\n #={}", max_size=12)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)


@given(st.dictionaries(NAMES, TEXTS, max_size=5))
def test_every_value_is_read_back_as_it_was(values: dict[str, str]) -> None:
    assert parse(render(values)) == values


@given(TEXTS)
def test_no_quoted_value_holds_a_character_that_compose_would_take_for_its_own(text: str) -> None:
    quoted = quote(text)
    inside = quoted[1:-1]
    if quoted[0] == "'":
        assert not re.search(r"'|\\\Z|\r", inside)
    else:
        assert not re.search(r'["$\r]', re.sub(r"\\[\\\"$r]", "", inside))
        assert not re.search(r"\\", re.sub(r"\\[\\\"$r]", "", inside))


def test_numbers_and_truth_are_written_as_compose_users_expect() -> None:
    assert render({"PORT": 3000, "DEBUG": False, "EMPTY": None}) == "DEBUG='false'\nEMPTY=''\nPORT='3000'\n"


@pytest.mark.parametrize("values", [{"A-B": "x"}, {"1A": "x"}, {"A": ["x"]}, {"A": {"b": 1}}, {"A": "x\0"}])
def test_what_cannot_stand_in_an_environment_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(EnvError):
        render(values)


def test_the_error_about_a_value_does_not_show_it() -> None:
    with pytest.raises(EnvError) as error:
        render({"TOKEN": ["hunter2"]})
    assert "hunter2" not in str(error.value)


def test_the_password_inside_a_secret_url_is_hidden_too() -> None:
    secrets = secret_texts(["postgresql://shop:p%40ss@postgres:5432/shop"])
    assert (
        mask("auth failed with p@ss and p%40ss for shop", secrets) == "auth failed with ******** and ******** for shop"
    )


def test_each_line_of_a_secret_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA1234\n-----END KEY-----"
    assert mask("read MIIEpAIBAAKCAQEA1234", secret_texts([key])) == "read ********"


def test_what_is_too_short_to_be_a_secret_hides_nothing() -> None:
    assert mask("a text in 1 line", secret_texts(["", " ", "1", "a"])) == "a text in 1 line"
