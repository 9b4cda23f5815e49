"""The transport without a socket behaves like the one with."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from lockstep.mailchimp import errors
from lockstep.mailchimp.asgi import AsgiTransport, Message, Receive, Send
from lockstep.mailchimp.errors import Applied
from lockstep.mailchimp.exchange import HttpRequest

PUT = HttpRequest(
    "PUT", "http://sandbox.example:8099/3.0/members/x%40y?a=1%2C2", {"Authorization": "Bearer t"}, b'{"a":1}'
)


class App:
    """Writes down what it was asked and answers what it is told."""

    def __init__(self, *answer: Message) -> None:
        self._answer = answer
        self.scope: dict[str, Any] = {}
        self.body = b""

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        self.scope = dict(scope)
        while (message := await receive())["type"] == "http.request":
            self.body += message["body"]
        for message in self._answer:
            await send(message)


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def test_a_whole_exchange() -> None:
    app = App(start(201, (b"X-Request-Id", b"r1")), body(b"[1,", more=True), body(b"2]"))

    reply = await AsgiTransport(app).send(PUT)

    assert (reply.status, reply.body, reply.headers) == (201, b"[1,2]", {"x-request-id": "r1"})
    assert app.body == b'{"a":1}'
    assert app.scope["method"] == "PUT"
    assert app.scope["path"] == "/3.0/members/x@y"
    assert app.scope["raw_path"] == b"/3.0/members/x%40y"
    assert app.scope["query_string"] == b"a=1%2C2"
    assert app.scope["server"] == ("sandbox.example", 8099)
    assert dict(app.scope["headers"]) == {
        b"authorization": b"Bearer t",
        b"host": b"sandbox.example:8099",
        b"content-length": b"7",
    }


async def test_compressed_answers_are_read_and_bounded() -> None:
    packed = gzip.compress(b"x" * 100)
    app = App(start(200, (b"content-encoding", b"gzip")), body(packed))

    assert (await AsgiTransport(app).send(HttpRequest("GET", "http://s/"))).body == b"x" * 100
    with pytest.raises(errors.AnswerLost, match="larger"):
        await AsgiTransport(app).send(HttpRequest("GET", "http://s/", max_reply_bytes=99))
    with pytest.raises(errors.AnswerLost, match="compression"):
        await AsgiTransport(App(start(200, (b"content-encoding", b"gzip")), body(b"abc"))).send(PUT)


@pytest.mark.parametrize("answer", [(), (start(),), (start(), body(b"{", more=True))])
async def test_half_an_answer_is_a_lost_one(answer: tuple[Message, ...]) -> None:
    with pytest.raises(errors.AnswerLost) as caught:
        await AsgiTransport(App(*answer)).send(PUT)

    assert caught.value.applied is Applied.UNKNOWN


async def test_an_application_that_breaks_is_a_lost_answer_with_its_cause() -> None:
    async def breaks(scope: Any, receive: Receive, send: Send) -> None:
        raise KeyError("oops")

    with pytest.raises(errors.AnswerLost) as caught:
        await AsgiTransport(breaks).send(PUT)

    assert isinstance(caught.value.__cause__, KeyError)


async def test_cancelling_reaches_the_application() -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def thinks(scope: Any, receive: Receive, send: Send) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    call = asyncio.create_task(AsgiTransport(thinks).send(PUT))
    await asyncio.wait_for(entered.wait(), 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert left.is_set()


async def test_a_closed_transport_sends_nothing() -> None:
    app = App(start(), body())
    transport = AsgiTransport(app)
    await transport.close()

    with pytest.raises(errors.NotSent):
        await transport.send(PUT)
    assert app.scope == {}
