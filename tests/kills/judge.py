"""The promises, asked of the real database and of everything that the practice Mailchimp holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.apps.book.models import Contact
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync import queries
from lockstep.apps.sync.desired import read_desired
from lockstep.apps.sync.models import MemberRecord
from lockstep.bridge.canary import CANARY_TAG
from lockstep.core.consent import NewStatus
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import AddressKey, address_key
from lockstep.core.member import MemberStatus, Reason, SyncState
from lockstep.core.testing import AudienceMember, ContactAnswer, broken_promises, consent_touched
from lockstep.core.testing.promises import new_members_as_chosen
from tests.processes import Stack

__all__ = ["Census", "broken", "census"]


@dataclass(frozen=True, slots=True)
class Census:
    """Everybody in the audience at one moment, by Mailchimp's own lasting id."""

    members: dict[str, dict[str, Any]]

    def status(self) -> dict[str, MemberStatus]:
        return {key: MemberStatus(member["status"]) for key, member in self.members.items()}

    def theirs(self, prefix: str) -> dict[str, str]:
        """A digest of all that is none of ours, by id: other merge fields and tags."""
        found = {}
        for key, member in self.members.items():
            fields = {t: v for t, v in member["merge_fields"].items() if not t.startswith(f"{prefix}_")}
            tags = sorted(tag["name"] for tag in member["tags"])
            found[key] = hashlib.sha256(json.dumps([fields, tags], sort_keys=True).encode()).hexdigest()
        return found


def census(stack: Stack, audience: str, key: str) -> Census:
    """Read by the API, page by page, archived ones too, while nothing else goes on."""
    members: dict[str, dict[str, Any]] = {}
    fields = "members.email_address,members.contact_id,members.status,members.merge_fields,members.tags"
    for shelf in ("", "&status=archived"):
        offset = 0
        while True:
            path = f"/3.0/lists/{audience}/members?count=1000&offset={offset}{shelf}&fields={fields}"
            page = stack.ask("GET", path, key=key)["members"]
            members |= {member["contact_id"]: member for member in page}
            offset += len(page)
            if len(page) < 1000:
                break
    return Census(members)


def broken(
    connection: Connection,
    before: Census,
    now: Census,
    *,
    moved: Iterable[str],
    edited: Iterable[str],
    refused: Iterable[AddressKey],
) -> list[str]:
    """What is broken, in sentences.

    `moved` and `edited` are the ids of those whose status, or fields that are none of ours, people at
    Mailchimp changed; `refused` the addresses that Mailchimp takes from nobody.
    """
    preferences = Preferences.from_json(connection.preferences)
    desired = read_desired(connection.company_id, preferences, limit=10_000_000)
    records = {r.contact_id: r for r in MemberRecord.objects.filter(connection=connection)}
    answers = []
    for wanted in desired:
        record = records.get(wanted.contact_id)
        answers.append(
            ContactAnswer(
                desired=wanted,
                state=SyncState(record.state) if record and record.state else None,
                refusal_text=record.refusal_text if record else "",
                linked=AddressKey(record.synced_key if record else ""),
                contact_key=record.contact_key if record else "",
            )
        )
    fields = FieldMap(connection.prefix)
    members = [
        AudienceMember(
            address_key(one["email_address"]),
            MemberStatus(one["status"]),
            fields.values_of(one["merge_fields"]),
            key,
        )
        for key, one in now.members.items()
    ]
    flagged = Contact.objects.filter(company=connection.company, no_marketing=True, deleted_at=None)
    silenced = {AddressKey(key) for key in flagged.values_list("email_key", flat=True) if key}
    new = now.members.keys() - before.members.keys()
    made = [
        (address_key(one["email_address"]), MemberStatus(one["status"]))
        for key in new - set(moved)
        if (one := now.members[key]) and f"+{CANARY_TAG}" not in one["email_address"]
    ]
    return [
        *broken_promises(answers, members, refused=refused, flagged=silenced),
        *consent_touched(before.status(), now.status(), moved),
        *new_members_as_chosen(made, NewStatus(connection.new_status)),
        *_ours_only(before.theirs(connection.prefix), now.theirs(connection.prefix), edited),
        *_nothing_left(records.values()),
        *_counts(connection, preferences, len(desired)),
    ]


def _ours_only(before: Mapping[str, str], now: Mapping[str, str], edited: Iterable[str]) -> list[str]:
    excused = set(edited)
    return [
        f"P2: fields or tags of {key} that are none of ours changed."
        for key, digest in before.items()
        if key in now and now[key] != digest and key not in excused
    ]


def _nothing_left(records: Iterable[MemberRecord]) -> list[str]:
    return [f"P4: contact {record.contact_id} is still uncertain." for record in records if record.uncertain]


def _counts(connection: Connection, preferences: Preferences, in_book: int) -> list[str]:
    reasons = queries.reason_counts(connection.company_id, preferences).by_reason
    states = queries.state_counts(connection)
    wrong = []
    if sum(states.values()) != reasons.get(Reason.FITS, 0):
        wrong.append(
            f"P4: {reasons.get(Reason.FITS, 0)} fit, but the five counts add up to {sum(states.values())}."
        )
    there = Contact.objects.filter(
        company_id=connection.company_id, deleted_at=None, client__deleted_at=None
    ).count()
    if sum(reasons.values()) != there:
        wrong.append(f"P4: the book has {there} contacts, but the reasons add up to {sum(reasons.values())}.")
    return wrong
