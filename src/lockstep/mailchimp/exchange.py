"""One HTTP request and its answer as values, and what a transport promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

#: largest answer we read, after decompression: a page of 1,000 members with 80 fields is about 5 MB
MAX_REPLY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`url` is absolute and percent-encoded already; `headers` hold the credential, so they have no repr."""

    method: Method
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    max_reply_bytes: int = MAX_REPLY_BYTES
    #: True for reads: the transport may repeat them by itself when a kept connection turns out to be dead
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class HttpReply:
    """`headers` have lower-case names; `body` is complete and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Carries one request.

    Raises `NotSent` if surely nothing was sent and `AnswerLost` if it may have been; nothing else but
    cancellation. Follows no redirects, keeps no cookies, and repeats nothing that is not `repeatable`.
    """

    async def send(self, request: HttpRequest) -> HttpReply: ...

    async def close(self) -> None: ...
