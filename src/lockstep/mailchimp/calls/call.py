"""What a call is, how its path is built safely, and which host it may go to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from lockstep.mailchimp.errors import InvalidCall
from lockstep.mailchimp.exchange import Method
from lockstep.mailchimp.replies import Reader

T = TypeVar("T")

#: rows asked for at once. The default is 10, more than 1,000 are silently not sent (contract 2, traps 1 and
#: 3)
PAGE_SIZE = 1000

QueryValue: TypeAlias = str | int | bool | None

_ENCODER = msgspec.json.Encoder()
#: what a data centre looks like. It becomes part of a host name, so nothing else may pass (style: smell 13)
_DATACENTER = re.compile(r"[a-z]{2,3}[0-9]{1,3}")


class Repeat(Enum):
    """What a second, identical call would do."""

    READ = "read"  #: changes nothing, repeat at will
    SAME_EFFECT = "same_effect"  #: writes, but twice is the same as once
    ONCE = "once"  #: a second time may do something else, or be refused because of the first


@lru_cache(maxsize=1024)
def _encoded(pair: tuple[str, str]) -> str:
    """One parameter; the long list of fields is the same in every call."""
    return urlencode((pair,))


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call: what to send and how to read the answer. Sent alone, or as an operation of a batch."""

    #: for logs and metrics; holds no ids
    name: str
    method: Method
    #: below the base address, percent-encoded, beginning with "/"
    path: str = field(repr=False)
    reads: Reader[T]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    repeat: Repeat = Repeat.READ

    @property
    def writes(self) -> bool:
        return self.repeat is not Repeat.READ

    def target(self) -> str:
        """Path and query, as it follows the base address."""
        return f"{self.path}?{'&'.join(map(_encoded, self.query))}" if self.query else self.path


def path(template: str, *parts: str | int) -> str:
    """`template` with each `{}` filled by a percent-encoded part.

    Raises `InvalidCall` for a part that is empty or a dot: it would make another path, and `DELETE` of the
    wrong one is not to be undone.
    """
    encoded = []
    for part in parts:
        text = str(part)
        if not text or text in (".", "..") or any(c.isspace() or not c.isprintable() for c in text):
            raise InvalidCall("An id in the path of a call is empty or malformed.")
        encoded.append(quote(text, safe=""))
    return template.format(*encoded)


def query(values: Mapping[str, QueryValue]) -> tuple[tuple[str, str], ...]:
    """Query parameters without the absent ones (None or ""); booleans as Mailchimp writes them."""
    return tuple(
        (name, str(value).lower() if isinstance(value, bool) else str(value))
        for name, value in values.items()
        if value is not None and value != ""
    )


def trimmed(collection: str, fields: Sequence[str] | None, always: Sequence[str] = ("id",)) -> str | None:
    """The `fields` parameter for a collection: `collection.field` each, with what we cannot do without, and
    `total_items`, which stays only when asked for (contract 2). None for "everything"."""
    if fields is None:
        return None
    names = dict.fromkeys((*always, *fields))
    return ",".join([*(f"{collection}.{name}" for name in names), "total_items"])


def encode(body: object) -> bytes:
    """JSON, in UTF-8 as Mailchimp insists (contract trap 42).

    Raises `InvalidCall` for what JSON or UTF-8 cannot hold, such as half of a surrogate pair in a name.
    """
    try:
        return _ENCODER.encode(body)
    except (TypeError, ValueError, UnicodeEncodeError):
        raise InvalidCall("A value in the body of a call cannot be written as JSON.") from None


def check_datacenter(datacenter: str) -> str:
    """`datacenter` if it looks like one (`us6`); raises `InvalidCall` otherwise."""
    if not _DATACENTER.fullmatch(datacenter):
        raise InvalidCall("This is not a Mailchimp data centre.")
    return datacenter


def datacenter_of_key(api_key: str) -> str:
    """The data centre an API key names after its last dash (contract 1.1).

    Raises `InvalidCall` if it names none; the key itself is not judged here.
    """
    _, dash, datacenter = api_key.strip().rpartition("-")
    if not dash:
        raise InvalidCall("An API key of Mailchimp ends in a dash and a data centre, such as -us6.")
    return check_datacenter(datacenter)


def base_address(datacenter: str, override: str = "") -> str:
    """Where the API of a data centre lives, without a slash at the end.

    `override` is the whole base address of a practice Mailchimp, for instance `http://127.0.0.1:8099/3.0`;
    it is a setting of the installation and never comes from an answer. Raises `InvalidCall` for a wrong
    data centre, or an override that is no http(s) address.
    """
    check_datacenter(datacenter)
    if not override:
        return f"https://{datacenter}.api.mailchimp.com/3.0"
    parts = urlsplit(override)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidCall("The base address of the practice Mailchimp is not an http(s) address.")
    return override.rstrip("/")
