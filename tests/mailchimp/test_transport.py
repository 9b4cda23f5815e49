"""The network's bad manners, from a bare TCP server: what was surely not sent, and what may have been."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lockstep.mailchimp import errors
from lockstep.mailchimp.errors import Applied
from lockstep.mailchimp.exchange import HttpRequest, Method
from lockstep.mailchimp.transport import AiohttpTransport

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers each request of each connection as told; keeps what it read."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [ln for ln in head.split(b"\r\n") if ln.lower().startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b""
                self.requests.append(head + body)
                await self._answer(head, writer)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        # not wait_closed(): from Python 3.12 it waits for connections that a test leaves hanging on purpose


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport(total_seconds=5, connect_seconds=2) as open_transport:
        yield open_transport


def says(status: str, body: bytes = b"", *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return answer


def request(
    server: Server, method: Method = "GET", path: str = "/", body: bytes | None = None, **more: int
) -> HttpRequest:
    return HttpRequest(
        method, server.url + path, {"Authorization": "Bearer x"}, body, repeatable=method == "GET", **more
    )


async def test_a_whole_exchange(transport: AiohttpTransport) -> None:
    async with serving(
        says("200 OK", b'{"a":1}', "X-Request-Id: r1", "Content-Type: application/json")
    ) as server:
        reply = await transport.send(
            request(server, "PUT", "/3.0/lists/a%2Fb/members/x%40y?a=1%2C2", b'{"b":2}')
        )

    assert (reply.status, reply.body, reply.headers["x-request-id"]) == (200, b'{"a":1}', "r1")
    [sent] = server.requests
    assert sent.startswith(b"PUT /3.0/lists/a%2Fb/members/x%40y?a=1%2C2 HTTP/1.1\r\n")
    assert sent.endswith(b'\r\n\r\n{"b":2}')
    assert b"Accept-Encoding: gzip, deflate\r\n" in sent


async def test_errors_and_redirects_are_answers_too_and_cookies_are_not_kept(
    transport: AiohttpTransport,
) -> None:
    async with serving(
        says("302 Found", b"", "Location: http://127.0.0.1:9/elsewhere", "Set-Cookie: a=b; Path=/")
    ) as server:
        assert (await transport.send(request(server))).status == 302
        assert (await transport.send(request(server))).status == 302

    assert not any(b"ookie" in sent for sent in server.requests)


async def test_compressed_answers_are_read(transport: AiohttpTransport) -> None:
    async with serving(says("200 OK", gzip.compress(b"[1,2]"), "Content-Encoding: gzip")) as server:
        assert (await transport.send(request(server))).body == b"[1,2]"


async def test_nobody_listens(transport: AiohttpTransport) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/"
        with pytest.raises(errors.NotSent) as caught:
            await transport.send(HttpRequest("POST", url, {}, b"{}"))

    assert caught.value.applied is Applied.NO


async def hangs_up(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def resets(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def speaks_nonsense(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    writer.close()


async def stops_in_the_middle(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"new_members":[')
    await writer.drain()
    writer.close()


async def stops_in_a_chunk(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}")
    await writer.drain()
    writer.close()


async def compresses_badly(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")
    await writer.drain()


@pytest.mark.parametrize(
    "manners", [hangs_up, resets, speaks_nonsense, stops_in_the_middle, stops_in_a_chunk, compresses_badly]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_broken_answer_to_a_write_is_lost_and_the_write_is_sent_once(
    transport: AiohttpTransport, manners: Answer, method: Method
) -> None:
    async with serving(manners) as server:
        with pytest.raises(errors.AnswerLost) as caught:
            await transport.send(request(server, method, body=b"{}"))

    assert caught.value.applied is Applied.UNKNOWN
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
async def test_a_write_on_a_kept_connection_that_breaks_is_sent_once(
    transport: AiohttpTransport, method: Method
) -> None:
    """aiohttp would repeat PUT and DELETE here by itself."""
    answers = [says("200 OK", b"{}"), hangs_up, says("200 OK", b"{}")]

    async def in_turn(head: bytes, writer: asyncio.StreamWriter) -> None:
        await answers.pop(0)(head, writer)

    async with serving(in_turn) as server:
        await transport.send(request(server))
        with pytest.raises(errors.AnswerLost):
            await transport.send(request(server, method, body=b"{}"))

    assert len(server.requests) == 2


async def test_a_read_on_a_kept_connection_that_breaks_is_sent_again(transport: AiohttpTransport) -> None:
    answers = [says("200 OK", b"{}"), hangs_up, says("200 OK", b"[]")]

    async def in_turn(head: bytes, writer: asyncio.StreamWriter) -> None:
        await answers.pop(0)(head, writer)

    async with serving(in_turn) as server:
        await transport.send(request(server))
        assert (await transport.send(request(server))).body == b"[]"


async def test_no_answer_in_time() -> None:
    async def thinks(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(thinks) as server, AiohttpTransport(total_seconds=0.1) as hasty:
        with pytest.raises(errors.TimedOut) as caught:
            await hasty.send(request(server, "POST", body=b"{}"))

    assert caught.value.applied is Applied.UNKNOWN


async def test_cancelling_passes(transport: AiohttpTransport) -> None:
    arrived = asyncio.Event()

    async def thinks(head: bytes, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with serving(thinks) as server:
        call = asyncio.create_task(transport.send(request(server)))
        await asyncio.wait_for(arrived.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


@pytest.mark.parametrize(
    "answer",
    [
        says("200 OK", b"x" * 1001),
        says("200 OK", gzip.compress(b"x" * 100_000), "Content-Encoding: gzip"),
    ],
)
async def test_no_more_is_read_than_we_are_willing_to(transport: AiohttpTransport, answer: Answer) -> None:
    async with serving(answer) as server:
        with pytest.raises(errors.AnswerLost, match="larger"):
            await transport.send(request(server, max_reply_bytes=1000))


async def test_an_endless_answer_is_cut(transport: AiohttpTransport) -> None:
    async def never_ends(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"64\r\n" + b"x" * 100 + b"\r\n")
            await writer.drain()

    async with serving(never_ends) as server:
        with pytest.raises(errors.AnswerLost, match="larger"):
            await transport.send(request(server, max_reply_bytes=1000))


async def test_as_much_as_we_are_willing_to_is_read(transport: AiohttpTransport) -> None:
    async with serving(says("200 OK", b"x" * 1000)) as server:
        assert len((await transport.send(request(server, max_reply_bytes=1000))).body) == 1000


@pytest.mark.parametrize("url", ["", "http://", "nonsense", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"])
async def test_an_address_that_is_none_is_not_asked(transport: AiohttpTransport, url: str) -> None:
    with pytest.raises(errors.NotSent):
        await transport.send(HttpRequest("GET", url))
