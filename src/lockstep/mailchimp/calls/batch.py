"""Calls about batches of operations, which run on Mailchimp's side in their own time (contract 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from lockstep.mailchimp.calls.call import PAGE_SIZE, Call, Repeat, encode, path, query
from lockstep.mailchimp.errors import InvalidCall
from lockstep.mailchimp.replies import NOTHING, Reader
from lockstep.mailchimp.wire import Batch, BatchBody, BatchPage, Operation

#: operations we put into one batch; Mailchimp's own limit is not known (contract 6)
MAX_OPERATIONS = 500

_BATCH = Reader(Batch)
_BATCHES = Reader(BatchPage)


def operation(call: Call[Any], operation_id: str) -> Operation:
    """`call` as an operation of a batch; `operation_id` comes back with its result."""
    return Operation(
        method=call.method,
        path=call.path,
        operation_id=operation_id,
        params=dict(call.query),
        body=UNSET if call.body is None else call.body.decode(),
    )


def start_batch(operations: Sequence[Operation]) -> Call[Batch]:
    """Hands over up to 500 operations, each with an id of its own; raises `InvalidCall` otherwise."""
    if not 0 < len(operations) <= MAX_OPERATIONS:
        raise InvalidCall("A batch holds 1 to 500 operations.")
    if len({o.operation_id for o in operations}) != len(operations):
        raise InvalidCall("Every operation of a batch has its own id.")
    body = encode(BatchBody(operations=list(operations)))
    return Call("batches.start", "POST", "/batches", _BATCH, body=body, repeat=Repeat.ONCE)


def get_batch(batch_id: str) -> Call[Batch]:
    return Call("batches.get", "GET", path("/batches/{}", batch_id), _BATCH)


def get_batches(*, count: int = PAGE_SIZE, offset: int = 0) -> Call[BatchPage]:
    return Call("batches.list", "GET", "/batches", _BATCHES, query({"count": count, "offset": offset}))


def delete_batch(batch_id: str) -> Call[None]:
    """Stops what has not run yet; **the results of what did run are lost** (contract 6)."""
    return Call("batches.delete", "DELETE", path("/batches/{}", batch_id), NOTHING, repeat=Repeat.ONCE)
