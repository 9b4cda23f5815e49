"""Following a batch to its results: archives of any shape, links that die, and bombs."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mailchimp.scripted import ScriptedTransport, ok, scripted_api

from lockstep.mailchimp import batches, errors, wire
from lockstep.mailchimp.batches import PollPlan, ResultLimits, read_results
from lockstep.mailchimp.calls import member
from lockstep.mailchimp.exchange import HttpReply

UPSERT = wire.MemberUpsert(email_address="pat@example.com", status_if_new="subscribed")
PUT = member.put_member("a1", "h", UPSERT)


def archive(*files: tuple[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar.gz as Mailchimp makes them: `./` first (contract 6)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def result(operation_id: str, status: int, answer: Any) -> dict[str, Any]:
    return {"status_code": status, "operation_id": operation_id, "response": json.dumps(answer)}


def test_results_of_several_files_some_empty() -> None:
    packed = archive(
        ("./one.json", json.dumps([result("a", 200, {"id": "h"}), result("b", 404, {})]).encode()),
        ("./empty.json", b""),
        ("./blank.json", b" \n"),
        ("./none.json", b"[]"),
        ("./two.json", json.dumps([result("c", 200, {})]).encode()),
    )

    assert [(r.operation_id, r.status_code) for r in read_results(packed)] == [
        ("a", 200),
        ("b", 404),
        ("c", 200),
    ]


def test_an_operations_answer_is_read_as_the_calls_own() -> None:
    good, bad = (
        wire.OperationResult(status_code=200, response='{"id":"h","status":"unsubscribed"}'),
        wire.OperationResult(
            status_code=400, response='{"title":"Member Exists","detail":"x","instance":""}'
        ),
    )

    assert batches.read_operation(good, PUT).status == "unsubscribed"
    with pytest.raises(errors.MemberExists) as caught:
        batches.read_operation(bad, PUT)
    assert caught.value.facts.call == "members.put"
    with pytest.raises(errors.AnswerLost):
        batches.read_operation(wire.OperationResult(status_code=200, response=""), PUT)


def test_links_and_devices_in_an_archive_are_not_followed() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo("../../etc/passwd")
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)

    assert read_results(buffer.getvalue()) == []


def test_bombs_are_not_unpacked() -> None:
    bomb = gzip.compress(bytes(5_000_000))

    with pytest.raises(errors.BatchResultsTooLarge):
        read_results(bomb, ResultLimits(unpacked_bytes=1_000_000))
    with pytest.raises(errors.BatchResultsTooLarge):
        read_results(archive(*[(f"./{n}", b"") for n in range(20)]), ResultLimits(files=10))


def test_a_sparse_file_of_a_terabyte_is_not_read() -> None:
    entry = tarfile.TarInfo("./sparse.json")
    entry.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    block[386:398] = b"%011o " % 0
    block[398:410] = b"%011o " % 0
    block[483:495] = b"%011o " % (2**33 - 1)
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    packed = gzip.compress(bytes(block) + bytes(1024))

    assert read_results(packed) == []


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"<html>",
        gzip.compress(b"not a tar"),
        archive(("./a", b"[]"))[:-20],
        gzip.compress(gzip.decompress(archive(("./a", b"x" * 5000)))[:2000]),
        archive(("./a", b"<html>")),
        archive(("./a", b'{"status_code":200}')),
        archive(("./a", b"\xff")),
    ],
    # Named, since the bytes hold the time of packing and every xdist worker has to see the same names.
    ids=["empty", "page", "no tar", "cut gzip", "cut tar", "page inside", "no list", "no text"],
)
def test_what_is_broken_is_unreadable(packed: bytes) -> None:
    with pytest.raises(errors.UnreadableReply):
        read_results(packed)


@given(data=st.binary(max_size=300), cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_nothing_outside_the_family_is_raised(data: bytes, cut: int, flip: int) -> None:
    plain = bytearray(archive(("./a", data), mode="w"))
    plain[flip % len(plain)] ^= 0x5A
    for packed in (data, gzip.compress(data), gzip.compress(bytes(plain)), archive(("./a", data))[:cut]):
        try:
            read_results(packed)
        except errors.MailchimpError:
            continue


async def test_waiting_asks_less_and_less_often_until_it_is_finished() -> None:
    states = ["pending", "preprocessing", "started", "finalizing", "finished"]
    api, _, pauses = scripted_api(*[ok({"id": "b1", "status": s}) for s in states])
    seen: list[str] = []

    batch = await batches.wait_until_finished(
        api,
        "b1",
        sleep=pauses,
        now=pauses.clock,
        plan=PollPlan(first=2, longest=5),
        on_progress=lambda b: seen.append(b.status),
    )

    assert batch.status == "finished"
    assert seen == states
    assert pauses.seconds == [2, 3, 4.5, 5]


async def test_waiting_ends() -> None:
    api, _, pauses = scripted_api(*[ok({"id": "b1", "status": "started"})] * 4)

    with pytest.raises(errors.BatchNotFinished):
        await batches.wait_until_finished(
            api, "b1", sleep=pauses, now=pauses.clock, plan=PollPlan(first=1, longest=1, patience=3)
        )


FINISHED = {"id": "b1", "status": "finished", "response_body_url": "https://storage.example/x?sig=1"}


async def test_results_are_fetched_by_a_fresh_link_without_the_key() -> None:
    api, _, _ = scripted_api(ok(FINISHED))
    packed = archive(("./a", json.dumps([result("a", 200, {})]).encode()))
    storage = ScriptedTransport(HttpReply(200, {}, packed))

    [found] = await batches.fetch_results(api, storage, "b1")

    assert found.operation_id == "a"
    [request] = storage.requests
    assert request.url == "https://storage.example/x?sig=1"
    assert "Authorization" not in request.headers
    assert request.max_reply_bytes == ResultLimits().packed_bytes


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (HttpReply(403, {}, b"<Error><Code>AccessDenied</Code></Error>"), errors.BatchLinkExpired),
        (HttpReply(404, {}, b""), errors.BatchLinkExpired),
        (HttpReply(302, {}, b""), errors.BatchLinkExpired),
        (HttpReply(503, {}, b""), errors.ServerError),
        (HttpReply(429, {}, b""), errors.TooManyRequests),
    ],
)
async def test_a_link_that_died(reply: HttpReply, kind: type[errors.MailchimpError]) -> None:
    api, _, _ = scripted_api(ok(FINISHED))

    with pytest.raises(kind):
        await batches.fetch_results(api, ScriptedTransport(reply), "b1")


async def test_no_results_yet_none_at_all_and_a_strange_link() -> None:
    nowhere = ScriptedTransport()
    api, _, _ = scripted_api(ok({"id": "b1", "status": "started"}))
    with pytest.raises(errors.BatchNotFinished):
        await batches.fetch_results(api, nowhere, "b1")

    api, _, _ = scripted_api(ok({**FINISHED, "response_body_url": ""}))
    assert await batches.fetch_results(api, nowhere, "b1") == []

    api, _, _ = scripted_api(ok({**FINISHED, "response_body_url": "file:///etc/passwd"}))
    with pytest.raises(errors.UnreadableReply):
        await batches.fetch_results(api, nowhere, "b1")
