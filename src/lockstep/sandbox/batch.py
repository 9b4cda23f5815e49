"""Batch operations: `/batches` (contract, section 6).

One batch of an account runs at a time; it goes through its stages by the simulated clock, calls the API from
inside, and keeps its results for seven days.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from .batch_archive import archive
from .clock import iso, webhook_time
from .courier import Outcome
from .post_office import post_office_of

if TYPE_CHECKING:
    from .account import Account
    from .sandbox import Sandbox

__all__ = [
    "PENDING_LIMIT",
    "WEBHOOK_LIMIT",
    "Batch",
    "BatchWebhook",
    "Batches",
    "Operation",
    "batches_of",
    "describe_batch",
]

#: Pending batches, and undelivered calls of batch webhooks, before 429 (contract, 6 and 7).
PENDING_LIMIT = 500
WEBHOOK_LIMIT = 20
#: Simulated seconds that the link to the results, and the results themselves, live (contract, 6).
LINK_SECONDS = 600
KEPT_SECONDS = 7 * 86_400
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API; `query` of its path and `params` together."""

    method: str
    path: str
    query: dict[str, str]
    body: str
    operation_id: str


@dataclass(slots=True)
class Batch:
    """A batch. Times are seconds since 1970. `base` is the address of the API as its maker called it."""

    id: str
    account_id: str
    secret: str
    base: str
    ip: str
    submitted_at: int
    operations: list[Operation]
    status: str = "pending"
    total: int = 0
    finished: int = 0
    errored: int = 0
    completed_at: int | None = None
    played: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)
    packed: bytes = b""


@dataclass(slots=True)
class BatchWebhook:
    """Somebody who wants to know when batches end."""

    id: str
    account_id: str
    url: str
    enabled: bool = True


class Batches:
    """The batches and batch webhooks of all accounts."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._all: dict[str, Batch] = {}
        self.webhooks: dict[str, BatchWebhook] = {}
        self._link_secret = sandbox.ids.hex(32)

    # --- reading ---

    def of(self, account: Account) -> list[Batch]:
        """The batches of an account that are not forgotten, the newest first."""
        # INFERRED: the order.
        self._forget_old()
        return [batch for batch in reversed(self._all.values()) if batch.account_id == account.id]

    def find(self, account: Account, batch_id: str) -> Batch | None:
        """A batch of an account."""
        return next((batch for batch in self.of(account) if batch.id == batch_id), None)

    def link(self, batch: Batch) -> str:
        """A fresh link to the results, good for ten minutes; `""` while there are none."""
        if batch.status != "finished" or not batch.packed:
            return ""
        until = self._sandbox.clock.second() + LINK_SECONDS
        query = urlencode({"expires": until, "signature": self._signature(batch.id, until)})
        return f"{batch.base.removesuffix('/3.0')}/batch-results/{batch.id}.tar.gz?{query}"

    def results(self, batch_id: str, until: str, signed: str) -> bytes | None:
        """What a link leads to; None if it has expired or was tampered with."""
        self._forget_old()
        batch = self._all.get(batch_id)
        if batch is None or not (until.isascii() and until.isdigit()) or not signed.isascii():
            return None
        good = hmac.compare_digest(self._signature(batch_id, int(until)), signed)
        return batch.packed if good and self._sandbox.clock.second() <= int(until) else None

    def _signature(self, batch_id: str, until: int) -> str:
        return hmac.new(
            self._link_secret.encode(), f"{batch_id}.{until}".encode(), hashlib.sha256
        ).hexdigest()

    def pending(self, account: Account) -> int:
        """How many batches of an account have not begun."""
        return sum(b.status == "pending" and b.account_id == account.id for b in self._all.values())

    def undelivered(self, account: Account) -> int:
        """How many calls of the account's batch webhooks have not been taken."""
        mine = {hook.id for hook in self.webhooks.values() if hook.account_id == account.id}
        return post_office_of(self._sandbox).waiting(mine) if mine else 0

    def _forget_old(self) -> None:
        border = self._sandbox.clock.now() - KEPT_SECONDS
        for batch in list(self._all.values()):
            if batch.completed_at is not None and batch.completed_at < border:
                del self._all[batch.id]

    # --- running ---

    def add(
        self, account: Account, secret: str, base: str, ip: str, operations: list[dict[str, Any]]
    ) -> Batch:
        """Queue a batch; it begins when no other of the account runs."""
        now = self._sandbox.clock.second()
        batch = Batch(
            self._sandbox.ids.hex(10), account.id, secret, base, ip, now, [_operation(o) for o in operations]
        )
        self._all[batch.id] = batch
        self._begin_next(account.id, now)
        return batch

    def delete(self, batch: Batch) -> None:
        """Stop what has not run; the results of what did run are lost (contract, 6)."""
        batch.status = "deleted"
        del self._all[batch.id]
        self._begin_next(batch.account_id, self._sandbox.clock.now())

    def _begin_next(self, account_id: str, now: float) -> None:
        mine = [batch for batch in self._all.values() if batch.account_id == account_id]
        if any(batch.status not in ("pending", "finished") or batch.played < 0 for batch in mine):
            return
        waiting = next((batch for batch in mine if batch.status == "pending"), None)
        if waiting is not None:
            waiting.played = -1  # chosen: nobody else may begin
            self._later(waiting, now, self._preprocess)

    def _later(self, batch: Batch, now: float, step: Any, seconds: float | None = None) -> None:
        wait = self._sandbox.switches.batch_stage_seconds if seconds is None else seconds

        def act(moment: float) -> None:
            if batch.status != "deleted":
                step(batch, moment)

        self._sandbox.schedule.at(now + wait, act)

    def _preprocess(self, batch: Batch, now: float) -> None:
        batch.status, batch.played = "preprocessing", 0
        self._later(batch, now, self._start)

    def _start(self, batch: Batch, now: float) -> None:
        # Zero until preprocessing is over (contract, 6).
        batch.status, batch.total = "started", len(batch.operations)
        self._work(batch, now)

    def _work(self, batch: Batch, now: float) -> None:
        """A second's worth of operations."""
        speed = self._sandbox.switches.batch_operations_per_second
        stop = len(batch.operations) if speed <= 0 else min(batch.played + speed, len(batch.operations))
        for operation in batch.operations[batch.played : stop]:
            batch.played += 1
            for number, (status, body) in enumerate(self._answers(batch, operation)):
                batch.total += number > 0
                batch.finished += 1
                batch.errored += status >= 400
                batch.results.append(
                    {
                        "status_code": status,
                        "operation_id": operation.operation_id,
                        "response": body.decode(),
                    }
                )
        if batch.played < len(batch.operations):
            self._later(batch, now, self._work, 1.0)
        else:
            batch.status = "finalizing"
            self._later(batch, now, self._finish)

    def _answers(self, batch: Batch, operation: Operation) -> Iterator[tuple[int, bytes]]:
        """What the API says to an operation: (status, body).

        A GET of a collection without `count` is paged through, each page an operation (contract, 6).
        """
        # INFERRED: the size of those pages, a thousand rows.
        page = operation.method == "GET" and "count" not in operation.query
        status, body, total = self._call(batch, operation, 0 if page else None)
        yield status, body
        for offset in range(_PAGE, total, _PAGE):
            yield self._call(batch, operation, offset)[:2]

    def _call(self, batch: Batch, operation: Operation, offset: int | None) -> tuple[int, bytes, int]:
        api = self._sandbox.api
        if api is None:
            raise RuntimeError("no API has been made over this sandbox")
        query = dict(operation.query)
        if offset is not None:
            query |= {"count": str(_PAGE), "offset": str(offset + int(query.get("offset", "0") or 0))}
        request = api.request(
            operation.method, operation.path, query, batch.secret, operation.body, batch.base, batch.ip
        )
        # Problem documents inside batches often have an empty `instance` (contract, 6).
        reply = api.finish(api.answer(request, ""), Outcome(200), request, "")
        total = 0
        if offset is not None and isinstance(reply.document, dict):
            total = int(reply.document.get("total_items", 0)) - int(operation.query.get("offset", "0") or 0)
        return reply.status, reply.body(), total

    def _finish(self, batch: Batch, now: float) -> None:
        batch.status, batch.completed_at = "finished", int(now)
        if batch.results:
            batch.packed = archive(batch.results, self._sandbox.ids.hex(16), int(now))
        batch.results, batch.operations = [], []
        self._tell(batch, now)
        self._begin_next(batch.account_id, now)

    def _tell(self, batch: Batch, now: float) -> None:
        """Call the batch webhooks."""
        # INFERRED: the fields after the first four, and `data[status]` (contract, 6).
        fields = {
            "type": "batch_operation_completed",
            "fired_at": webhook_time(int(now)),
            "data[id]": batch.id,
            "data[status]": batch.status,
            "data[total_operations]": str(batch.total),
            "data[finished_operations]": str(batch.finished),
            "data[errored_operations]": str(batch.errored),
            "data[submitted_at]": iso(batch.submitted_at),
            "data[completed_at]": iso(batch.completed_at),
            "data[response_body_url]": self.link(batch),
        }
        for hook in self.webhooks.values():
            if hook.enabled and hook.account_id == batch.account_id:
                self._call_webhook(hook, urlencode(fields).encode(), now)

    def _call_webhook(self, hook: BatchWebhook, body: bytes, now: float) -> None:
        def heard(taken: bool, given_up: bool) -> None:
            if given_up:
                hook.enabled = False

        post_office_of(self._sandbox).post(
            hook.id,
            hook.url,
            "batch_operation_completed",
            body,
            now,
            gone=lambda: not hook.enabled or hook.id not in self.webhooks,
            heard=heard,
        )

    # --- snapshot ---

    def dump(self) -> dict[str, Any]:
        """For the snapshot: what is not finished starts again from its first operation not yet done."""
        return {
            "link_secret": self._link_secret,
            "webhooks": [dataclasses.asdict(hook) for hook in self.webhooks.values()],
            "batches": [
                dataclasses.asdict(batch) | {"packed": batch.packed.hex()} for batch in self._all.values()
            ],
        }

    def load(self, data: dict[str, Any]) -> None:
        """The reverse of `dump`."""
        self._link_secret = data["link_secret"]
        self.webhooks = {row["id"]: BatchWebhook(**row) for row in data["webhooks"]}
        for row in data["batches"]:
            operations = [Operation(**operation) for operation in row["operations"]]
            batch = Batch(**row | {"operations": operations, "packed": bytes.fromhex(row["packed"])})
            self._all[batch.id] = batch
        now = self._sandbox.clock.now()
        for batch in self._all.values():
            batch.played = max(batch.played, 0)
            match batch.status:
                case "preprocessing":
                    self._later(batch, now, self._start)
                case "started":
                    self._later(batch, now, self._work)
                case "finalizing":
                    self._later(batch, now, self._finish)
        for account_id in self._sandbox.accounts:
            self._begin_next(account_id, now)


def _operation(given: dict[str, Any]) -> Operation:
    path, _, query = str(given["path"]).partition("?")
    params = {name: _text(value) for name, value in (given.get("params") or {}).items()}
    return Operation(
        given["method"],
        "/" + path.removeprefix("/3.0").lstrip("/"),
        dict(parse_qsl(query, keep_blank_values=True)) | params,
        given.get("body") or "",
        str(given.get("operation_id") or ""),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def describe_batch(batch: Batch, link: str, base: str) -> dict[str, Any]:
    """A batch as the API answers it."""
    here = f"{base}/batches/{batch.id}"
    return {
        "id": batch.id,
        "status": batch.status,
        "total_operations": batch.total,
        "finished_operations": batch.finished,
        "errored_operations": batch.errored,
        "submitted_at": iso(batch.submitted_at),
        "completed_at": iso(batch.completed_at),
        "response_body_url": link,
        "_links": [
            {"rel": "parent", "href": f"{base}/batches", "method": "GET"},
            {"rel": "self", "href": here, "method": "GET"},
            {"rel": "delete", "href": here, "method": "DELETE"},
        ],
    }


def batches_of(sandbox: Sandbox) -> Batches:
    """The batches of a sandbox."""
    return sandbox.store("batches", lambda: Batches(sandbox))
