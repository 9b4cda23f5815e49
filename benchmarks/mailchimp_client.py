"""CPU time of the Mailchimp client for one member in batches of 500 with our eighteen fields, over real HTTP.

The other side is a bare server in a process of its own that answers every batch with a canned reply of
Mailchimp's shape and size, so that only the client is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import multiprocessing
import time
from multiprocessing.connection import Connection

from lockstep.mailchimp import ApiKey, Gate, MailchimpAPI
from lockstep.mailchimp.transport import AiohttpTransport
from lockstep.mailchimp.wire import BatchMember

NEEDS_DATABASE = False
MEMBERS = 500
TAGS = ("EMAIL FNAME LNAME POS PHONE EXT DEPT STATE CNTRY STAT RFN RLN IND URL CURL CTAGS TAGS SYNC").split()


def _member(n: int) -> BatchMember:
    fields = {f"CSKU_{tag}": f"value of {tag} for contact {n}" for tag in TAGS}
    return BatchMember(
        email_address=f"person{n}@people.example", status_if_new="subscribed", merge_fields=fields
    )


def _answered(n: int) -> dict[str, object]:
    """A member as the answer of a batch holds it (contract 4.2, without the keys that batches leave out)."""
    member = _member(n)
    return {
        "id": hashlib.md5(member.email_address.encode()).hexdigest(),
        "email_address": member.email_address,
        "unique_email_id": "7ee8f2229e",
        "email_type": "html",
        "status": "subscribed",
        "merge_fields": member.merge_fields,
        "stats": {"avg_open_rate": 0, "avg_click_rate": 0},
        "ip_signup": "",
        "timestamp_signup": "",
        "ip_opt": "192.0.2.10",
        "timestamp_opt": "2024-05-06T07:08:09+00:00",
        "member_rating": 2,
        "last_changed": "2024-05-06T07:08:09+00:00",
        "language": "",
        "vip": False,
        "email_client": "",
        "location": {
            "latitude": 0,
            "longitude": 0,
            "gmtoff": 0,
            "dstoff": 0,
            "country_code": "",
            "timezone": "",
        },
        "tags_count": 0,
        "tags": [],
        "list_id": "a1b2c3d4e5",
        "_links": [],
    }


def _serve(pipe: Connection, compressed: bool) -> None:
    """Answers every POST with the same batch result; runs until its process is ended."""
    body = json.dumps(
        {
            "new_members": [_answered(n) for n in range(MEMBERS)],
            "updated_members": [],
            "errors": [],
            "total_created": MEMBERS,
            "total_updated": 0,
            "error_count": 0,
            "_links": [],
        }
    ).encode()
    if compressed:
        body = gzip.compress(body)
    coding = "Content-Encoding: gzip\r\n" if compressed else ""
    answer = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n{coding}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                await reader.readexactly(length)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=8 * 1024 * 1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def _measure(port: int, batches: int, width: int) -> tuple[float, float]:
    """CPU seconds and wall seconds for `batches` calls, `width` at once."""
    async with AiohttpTransport() as transport:
        api = MailchimpAPI(
            base_url=f"http://127.0.0.1:{port}/3.0",
            credential=ApiKey("0" * 32 + "-us6"),
            transport=transport,
            gate=Gate(now=time.monotonic, max_width=width),
        )
        members = [_member(n) for n in range(MEMBERS)]
        left = batches

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                result = await api.subscribe_batch("a1b2c3d4e5", members)
                assert len(result.new_members) == MEMBERS

        await api.subscribe_batch("a1b2c3d4e5", members)
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(width)))
        return time.process_time() - cpu, time.perf_counter() - wall


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench mailchimp_client", description=__doc__)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--width", type=int, default=4, help="calls at once")
    given = parser.parse_args(arguments)
    for compressed in (False, True):
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(theirs, compressed), daemon=True
        )
        server.start()
        try:
            cpu, wall = asyncio.run(_measure(ours.recv(), given.batches, given.width))
        finally:
            server.terminate()
            server.join()
        members = given.batches * MEMBERS
        print(
            f"{'gzip ' if compressed else 'plain'}: {cpu / members * 1e6:5.1f} us CPU a member, "
            f"{members / wall:9,.0f} members/s ({given.batches} batches of {MEMBERS}, {given.width} at once)"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
