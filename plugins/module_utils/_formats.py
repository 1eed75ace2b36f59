# Copyright: the onebox.stack maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the type and the name of an input promise about its value: the one table of formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, TypeGuard


def is_int(value: Any) -> TypeGuard[int | str]:
    if isinstance(value, str):
        return re.fullmatch(r"-?[0-9]{1,18}", value) is not None
    return isinstance(value, int) and not isinstance(value, bool)


def is_port(value: Any) -> TypeGuard[int | str]:
    return is_int(value) and int(value) in range(1, 65536)


def is_number(value: Any) -> bool:
    return isinstance(value, float) or is_int(value) or bool(re.fullmatch(r"-?[0-9]+\.[0-9]+", str(value)))


def _is_text(value: Any) -> bool:
    # Not a float: an unquoted version 1.10 would arrive as 1.1.
    return isinstance(value, (str, int)) and not isinstance(value, bool)


TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text in quotes", _is_text),
    "path": ("a path in quotes", _is_text),
    "int": ("a whole number", is_int),
    "float": ("a number", is_number),
    "bool": ("true or false, without quotes", lambda value: isinstance(value, bool)),
    "list": ("a list", lambda value: isinstance(value, list)),
    "dict": ("a mapping of keys to values", lambda value: isinstance(value, Mapping)),
    "raw": ("a value", lambda value: value is not None),
}
CONTAINERS = ("list", "dict", "raw")


@dataclass(frozen=True)
class Format:
    """What a name promises: the first whose `names` is found in the path without indices (app_services.port)."""

    names: str
    meaning: str
    accepts: Callable[[Any], bool]


def _text_matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: re.fullmatch(pattern, str(value)) is not None


def _is_network(value: Any) -> bool:
    try:
        ip_network(value)
    except ValueError:
        return False
    return "/" in str(value)


_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
FORMATS = (
    Format(r"_seconds$", "seconds as a whole number", lambda value: is_int(value) and int(value) >= 0),
    Format(r"_(days|[mg]ib)$", "a number that is not negative", lambda value: is_number(value) and float(value) >= 0),
    # Docker refuses these two only when it starts, or when the next container does.
    Format(r"_max_size$|services\.memory$", "a size with its unit, k, m or g", _text_matches(r"[1-9][0-9]*[kmgKMG]")),
    Format(r"_pools\.base$", "an address range such as 172.20.0.0/14", _is_network),
    Format(r"(^|[._])ports?$", "a whole number from 1 to 65535", is_port),
    Format(r"^docker_registries\.host$", "a host name, with a port if any", _text_matches(rf"{_HOST}(:[0-9]{{1,5}})?")),
    Format(
        r"(^|[._])(host|domain)s?$",
        "a host name alone, without scheme, port, path or wildcard",
        _text_matches(rf"(?=.{{1,253}}$){_HOST}"),
    ),
    Format(
        r"(^|[._])url$|_acme_directory$", "a URL with scheme and host", _text_matches(r"[a-z][a-z0-9+.-]*://[^\s/]\S*")
    ),
    Format(r"_(directory|file)$", "an absolute path", _text_matches(r"/[^\0\n]*")),
    # Caddy has its own meaning for *, braces and quotes.
    Format(r"routes\.path$", "a path that begins with /, without wildcard", _text_matches(r"/[\w.~!$&'()+,;=:@%/-]*")),
    Format(r"_email$", "a mail address", _text_matches(r"[^\s@{}\"`]+@[^\s@{}\"`]+")),
    Format(r"(^|[._])path$", "a path that begins with /", _text_matches(r"/\S*")),
    Format(
        r"^app_image$",
        "a repository without a tag",
        _text_matches(rf"({_HOST}(:[0-9]{{1,5}})?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*"),
    ),
    Format(
        r"^(app_(services\.)?name|proxy_app)$",
        "a name of small letters, digits, - and _ that begins with a letter",
        _text_matches(r"[a-z]([a-z0-9_-]{0,30}[a-z0-9])?"),
    ),
)
