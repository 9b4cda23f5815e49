"""The answer of a call with several members → one outcome for each change, in order. Pure.

Items are found again by normalised address, else by hash (contract 5: addresses
in `errors` were seen wrapped in quotes). What Mailchimp does not mention is
Lost: it may have happened.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.bridge import failures
from lockstep.bridge.members import confirmed
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.outcome import Lost, Outcome, Stale
from lockstep.core.ports import BatchChange
from lockstep.core.tags import TagRule
from lockstep.mailchimp.wire import BatchError, BatchResult, BatchSubscribed


def outcomes(
    changes: Sequence[BatchChange],
    answer: BatchResult,
    field_map: FieldMap,
    tag_rule: TagRule | None = None,
) -> list[Outcome]:
    """One outcome a change.

    When an error names no address of the call, its owner is among those not
    mentioned: they are Stale rather than Lost, so that the engine gives up after
    some rounds, with Mailchimp's words, instead of asking for ever.
    """
    created = _by_hash(answer.new_members)
    updated = _by_hash(answer.updated_members)
    refused = {subscriber_hash(address_key(item.address())): item for item in answer.errors}
    asked = {change.hash for change in changes}
    strays = [item for item_hash, item in refused.items() if item_hash not in asked]
    found: list[Outcome] = []
    for change in changes:
        # What was refused comes first: somebody named twice did not get what we sent.
        item = refused.get(change.hash)
        if item is not None:
            found.append(failures.item_outcome(item, change, field_map.tags))
        elif (row := created.get(change.hash)) is not None:
            found.append(confirmed(change, row, field_map, tag_rule, created=True))
        elif (row := updated.get(change.hash)) is not None:
            found.append(confirmed(change, row, field_map, tag_rule, created=False))
        elif strays:
            found.append(Stale(change, _text(strays[0])))
        else:
            found.append(Lost(change))
    return found


def _by_hash(rows: Sequence[BatchSubscribed]) -> dict[SubscriberHash, BatchSubscribed]:
    """Rows under the hash of their address, and under the `id` that Mailchimp gave them."""
    found = {SubscriberHash(row.id): row for row in rows if row.id}
    found.update({subscriber_hash(address_key(row.email_address)): row for row in rows if row.email_address})
    return found


def _text(item: BatchError) -> str:
    return item.error or item.field_message or item.error_code
