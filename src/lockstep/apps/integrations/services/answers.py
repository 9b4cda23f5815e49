"""Give the same answer to a call that is repeated under one idempotency key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from lockstep.apps.integrations.models import KeptAnswer

KEPT_FOR = timedelta(hours=24)


class KeyMismatch(Exception):
    """The idempotency key was used for another call before; take a new key for a new call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` as it was sent; `again` when it was given before."""

    status: int
    body: bytes
    again: bool = False


def answer_once(
    token_id: int, key: str, request: bytes, now: datetime, work: Callable[[], tuple[int, bytes]]
) -> Answer:
    """Do the work and keep its answer in one transaction, or give the one that was kept.

    Two calls at once: the second waits for the first to commit. Work that
    raises keeps nothing, so that the call can be mended and made again under
    its key. Raises `KeyMismatch` where the key stands for another request.
    """
    digest = hashlib.sha256(request).digest()
    with transaction.atomic():
        kept = KeptAnswer(token_id=token_id, key=key, request_digest=digest, created_at=now)
        KeptAnswer.objects.bulk_create([kept], ignore_conflicts=True)
        row = KeptAnswer.objects.select_for_update().get(token_id=token_id, key=key)
        if bytes(row.request_digest) != digest and row.created_at + KEPT_FOR > now:
            raise KeyMismatch
        if row.status and row.created_at + KEPT_FOR > now:
            return Answer(row.status, bytes(row.body), again=True)
        row.status, row.body = work()
        row.created_at, row.request_digest = now, digest
        row.save()
        return Answer(row.status, row.body)


def forget_answers(now: datetime) -> int:
    """Delete answers that are no longer given. Returns how many."""
    return KeptAnswer.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]
