"""Follows a batch of operations to its results (contract 6).

The results are a tar.gz behind a signed link that dies after ten minutes: JSON files in any order, some
of them empty, after an entry for `./`. What is unpacked is bounded, whatever the archive claims.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from lockstep.mailchimp import replies
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.calls import Call
from lockstep.mailchimp.errors import (
    BatchLinkExpired,
    BatchNotFinished,
    BatchResultsTooLarge,
    Facts,
    ServerError,
    TooManyRequests,
    UnreadableReply,
)
from lockstep.mailchimp.exchange import HttpReply, HttpRequest, Transport
from lockstep.mailchimp.replies import Reader
from lockstep.mailchimp.sending import USER_AGENT
from lockstep.mailchimp.wire import Batch, OperationResult

T = TypeVar("T")

_RESULTS = Reader(list[OperationResult])


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """What we are willing to download and unpack; the defaults hold 500 members a hundred times over."""

    packed_bytes: int = 32 * 1024 * 1024
    unpacked_bytes: int = 256 * 1024 * 1024
    files: int = 10_000


DEFAULT_LIMITS = ResultLimits()


@dataclass(frozen=True, slots=True)
class PollPlan:
    """How to wait for a batch, in seconds: the pauses grow by half from `first` to `longest`; give up after
    `patience`, which is long because Mailchimp promises no time (contract 6)."""

    first: float = 1.0
    longest: float = 30.0
    patience: float = 12 * 3600.0


DEFAULT_POLL = PollPlan()


async def wait_until_finished(
    api: MailchimpAPI,
    batch_id: str,
    *,
    sleep: Callable[[float], Awaitable[None]],
    now: Callable[[], float],
    plan: PollPlan = DEFAULT_POLL,
    on_progress: Callable[[Batch], None] | None = None,
) -> Batch:
    """Asks again and again until the batch is finished, and returns it with a fresh link.

    `now` gives seconds from any origin. Raises `BatchNotFinished` when `plan.patience` is over,
    `NotFound` once Mailchimp has forgotten the batch (after seven days).
    """
    deadline = now() + plan.patience
    pause = plan.first
    while True:
        batch = await api.batch(batch_id)
        if on_progress is not None:
            on_progress(batch)
        if batch.status == "finished":
            return batch
        if now() + pause > deadline:
            raise BatchNotFinished("", Facts(call="batches.get"))
        await sleep(pause)
        pause = min(plan.longest, pause * 1.5)


async def fetch_results(
    api: MailchimpAPI, transport: Transport, batch_id: str, *, limits: ResultLimits = DEFAULT_LIMITS
) -> list[OperationResult]:
    """The results of a finished batch, in no particular order.

    Asks for the batch first, so that the link is fresh. Raises `BatchNotFinished` if it still runs,
    `BatchLinkExpired` if even the fresh link is refused, `BatchResultsTooLarge`, `UnreadableReply`.
    """
    batch = await api.batch(batch_id)
    if batch.status != "finished":
        raise BatchNotFinished("", Facts(call="batches.get"))
    if not batch.response_body_url:
        # seen on batches without a single operation
        return []
    reply = await transport.send(results_request(batch.response_body_url, limits))
    return read_results(results_archive(reply), limits)


def results_request(url: str, limits: ResultLimits = DEFAULT_LIMITS) -> HttpRequest:
    """The download. It carries no key: the link is signed and belongs to a storage service."""
    if urlsplit(url).scheme not in ("https", "http"):
        raise UnreadableReply("The link to a batch's results is no http(s) address.")
    headers = {"User-Agent": USER_AGENT}
    return HttpRequest("GET", url, headers, None, limits.packed_bytes, repeatable=True)


def results_archive(reply: HttpReply) -> bytes:
    """The archive from the answer to the download; the storage service answers in XML, so only the status
    counts.
    """
    facts = Facts(call="batches.results", status_code=reply.status)
    if reply.status == 200:
        return reply.body
    if reply.status == 429:
        raise TooManyRequests("", facts, retry_after=replies.retry_after(reply.headers))
    if reply.status >= 500:
        raise ServerError("", facts)
    raise BatchLinkExpired("", facts)


def read_results(archive: bytes, limits: ResultLimits = DEFAULT_LIMITS) -> list[OperationResult]:
    """Unpacks a tar.gz of results, in memory, without ever using a name or a link from it.

    Raises `BatchResultsTooLarge` beyond the limits, `UnreadableReply` for what is no such archive or is
    cut short.
    """
    results: list[OperationResult] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(archive, limits.unpacked_bytes))) as tar:
            for number, entry in enumerate(tar):
                if number >= limits.files:
                    raise BatchResultsTooLarge("The results of a batch are in too many files.")
                # a sparse entry may claim terabytes of zeros that are not in the archive
                content = tar.extractfile(entry) if entry.isreg() and not entry.issparse() else None
                if content is None:
                    continue
                text = content.read()
                if text.strip():
                    found = replies.read_reply(_RESULTS, 200, {}, text, writes=False, call="batches.results")
                    results.extend(found)
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise UnreadableReply("The results of a batch are no readable archive.") from error
    return results


def read_operation(result: OperationResult, call: Call[T]) -> T:
    """What the answer to one operation holds, read as `call` (of which it was made) would be answered alone.

    Raises the same errors as sending the call alone would.
    """
    return replies.read_reply(
        call.reads, result.status_code, {}, result.response.encode(), writes=call.writes, call=call.name
    )


def _unpacked(archive: bytes, limit: int) -> bytes:
    """The decompressed bytes; `read` stops at its limit, so that a small bomb does not fill the memory."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(archive)) as stream:
            unpacked = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableReply("The results of a batch are no readable archive.") from error
    if len(unpacked) > limit:
        raise BatchResultsTooLarge()
    return unpacked
