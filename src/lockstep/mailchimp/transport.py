"""The few lines that touch the network: aiohttp stays in this module."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from lockstep.mailchimp.errors import AnswerLost, Applied, Facts, NotSent, TimedOut
from lockstep.mailchimp.exchange import HttpReply, HttpRequest

#: Mailchimp cuts a request after 120 s (contract 7); we wait a little longer, so that its cut comes first
TOTAL_SECONDS = 130.0
CONNECT_SECONDS = 15.0
#: how long an idle connection is kept; a longer one risks writing into one that the other side has closed
KEEP_SECONDS = 15.0

_MAYBE = Facts(applied=Applied.UNKNOWN)
#: what fails before a byte of the request is written
_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


class AiohttpTransport:
    """A `Transport` over HTTP, for all accounts of a process. Make, use and close it on one event loop.

    Follows no redirects, keeps no cookies, reads no proxy or password settings from the environment,
    and reads no more than `max_reply_bytes` of an answer, counted after decompression.
    """

    def __init__(
        self, *, total_seconds: float = TOTAL_SECONDS, connect_seconds: float = CONNECT_SECONDS
    ) -> None:
        # limit=0: how many calls may be open is for the gates to say; waiting here would look like slowness
        self._connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS)
        timeout = aiohttp.ClientTimeout(
            total=total_seconds, connect=connect_seconds, sock_connect=connect_seconds
        )
        self._reading = self._session(timeout)
        self._writing = self._session(timeout)
        # aiohttp repeats PUT and DELETE by itself when a kept connection breaks, even one they arrived on.
        # A write is repeated by whoever knows what that means, or not at all.
        self._writing._retry_connection = False

    def _session(self, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "gzip, deflate"},
            trust_env=False,
        )

    async def send(self, request: HttpRequest) -> HttpReply:
        session = self._reading if request.repeatable else self._writing
        try:
            url = URL(request.url, encoded=True)
            has_port = url.port is not None  # checks it, too
        except ValueError:
            has_port = False
        if not has_port:
            raise NotSent("This is no address.")
        try:
            async with session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as response:
                body = await _read_bounded(response, request.max_reply_bytes)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return HttpReply(response.status, headers, body)
        except _BEFORE_SENDING as error:
            raise NotSent(f"No connection to Mailchimp could be made ({type(error).__name__}).") from error
        except TimeoutError as error:
            raise TimedOut("", _MAYBE) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise AnswerLost(f"Mailchimp's answer was lost ({type(error).__name__}).", _MAYBE) from error

    async def close(self) -> None:
        await self._reading.close()
        await self._writing.close()
        await self._connector.close()
        # aiohttp closes TLS connections in the next turns of the loop and warns if there is none
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body; raises `AnswerLost` for one that is larger than `limit`."""
    declared = response.content_length
    if declared is not None and declared > limit:
        raise _too_large(response)
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > limit:
            raise _too_large(response)
        parts.append(part)
    return b"".join(parts)


def _too_large(response: aiohttp.ClientResponse) -> AnswerLost:
    response.close()
    return AnswerLost("Mailchimp's answer is larger than we are willing to read.", _MAYBE)
