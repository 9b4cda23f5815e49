"""A transport that calls an ASGI application in this process, without a socket: for tests and simulations."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from lockstep.mailchimp.errors import AnswerLost, Applied, Facts, NotSent
from lockstep.mailchimp.exchange import HttpReply, HttpRequest

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_MAYBE = Facts(applied=Applied.UNKNOWN)


class AsgiTransport:
    """A `Transport` that runs `application` inside the caller's own task.

    So nothing runs that nobody awaits: cancelling the call cancels the application where it stands. An
    application that raises or ends without a whole answer is a connection that broke: `AnswerLost`,
    with the cause chained. It sees the same requests as over a socket, `client` being the address given
    here; lifespan events are not sent.
    """

    def __init__(self, application: Application, *, client: tuple[str, int] = ("127.0.0.1", 50000)) -> None:
        self._application = application
        self._client = client
        self._closed = False

    async def send(self, request: HttpRequest) -> HttpReply:
        if self._closed:
            raise NotSent("The transport is closed.")
        answer = _Answer(request.body or b"")
        try:
            await self._application(self._scope(request), answer.receive, answer.send)
        except Exception as error:  # -- whatever breaks in the other program is a broken connection here
            raise AnswerLost("The application broke while answering.", _MAYBE) from error
        if not answer.complete:
            raise AnswerLost("The application ended without a whole answer.", _MAYBE)
        return answer.reply(request.max_reply_bytes)

    async def close(self) -> None:
        self._closed = True

    def _scope(self, request: HttpRequest) -> dict[str, Any]:
        url = urlsplit(request.url)
        headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in request.headers.items()]
        headers.append((b"host", url.netloc.encode("latin-1")))
        if request.body is not None:
            headers.append((b"content-length", str(len(request.body)).encode("ascii")))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(url.path),
            "raw_path": url.path.encode("ascii"),
            "query_string": url.query.encode("ascii"),
            "root_path": "",
            "headers": headers,
            "server": (url.hostname or "", url.port or (443 if url.scheme == "https" else 80)),
            "client": self._client,
            "state": {},
        }


class _Answer:
    """Gives the application its request, and collects what it answers."""

    def __init__(self, request_body: bytes) -> None:
        self._request_body: bytes | None = request_body
        self._status = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self.complete = False

    async def receive(self) -> Message:
        if self._request_body is None:
            return {"type": "http.disconnect"}
        body, self._request_body = self._request_body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message.get("headers", ())
            }
        elif message["type"] == "http.response.body" and not self.complete:
            self._parts.append(message.get("body", b""))
            self.complete = not message.get("more_body", False)

    def reply(self, max_bytes: int) -> HttpReply:
        body = b"".join(self._parts)
        if self._headers.get("content-encoding") == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error) as error:
                raise AnswerLost("The answer's compression is broken.", _MAYBE) from error
        if len(body) > max_bytes:
            raise AnswerLost("The answer is larger than we are willing to read.", _MAYBE)
        return HttpReply(self._status, self._headers, body)
