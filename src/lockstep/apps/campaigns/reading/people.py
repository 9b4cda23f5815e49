"""Who is who: from the subscriber hashes of Mailchimp's answers to people, and from people to contacts.

A hash names an address, and addresses change. Mailchimp's `contact_id` stays (contract 4.1), but reports do
not tell it; the sync's mirror of the audience knows it for every member. So a hash that is new, while the
mirror says it belongs to somebody who is known by another one, is that person with a new address, and keeps
all that they ever did. Where it turns out late that two were one, or that an address went from one person to
another, the campaigns concerned are read again from the beginning, which puts everything where it belongs.

Every function here is called inside the transaction of the page that it is for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction

from lockstep.apps.campaigns.models import Campaign, Person, Reading, Recipient, ReportIndex
from lockstep.apps.campaigns.reading.counting import count_campaign, count_people
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.rows import execute_rows

__all__ = ["match_everybody", "matching_is_due", "resolve"]

_COLUMNS = [("hash", "text"), ("address", "text"), ("key", "text")]

_LOOK = """
SELECT n.hash, n.address, p.id, coalesce(p.contact_key, ''), coalesce(o.contact_key, '')
FROM n
LEFT JOIN campaigns_person p ON p.connection_id = %(connection)s AND p.member_hash = decode(n.hash, 'hex')
LEFT JOIN sync_observedrecord o ON o.connection_id = %(connection)s AND o.member_hash = n.hash
    AND o.status <> '' AND o.contact_key <> ''
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """A hash of an answer: the person who had it last, and whose it is by the mirror; '' and None unknown."""

    hash: str
    address: str
    person: int | None
    known_key: str
    mirror_key: str

    @property
    def settled(self) -> bool:
        return self.person is not None and self.mirror_key in ("", self.known_key)


def resolve(link: Connection, people: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The person's number for each hash; `people` are (subscriber hash in hex, address key or '').

    Whoever is new is added and matched to a contact. The addresses are used for that and not kept.
    """
    rows = [(member, address, "") for member, address in dict(people).items() if _is_hash(member)]
    found = [_Found(*row) for row in execute_rows(_LOOK, _COLUMNS, rows, {"connection": link.pk})]
    result = {one.hash: one.person for one in found if one.settled and one.person is not None}
    unsettled = [one for one in found if not one.settled]
    if unsettled:
        result |= _settle(link, unsettled)
    return result


def _is_hash(text: str) -> bool:
    return len(text) == 32 and all(c in "0123456789abcdef" for c in text)


def _settle(link: Connection, unsettled: Sequence[_Found]) -> dict[str, int]:
    keys = [one.mirror_key for one in unsettled if one.mirror_key]
    by_key = {
        person.contact_key: person
        for person in Person.objects.filter(connection=link, contact_key__in=keys).exclude(contact_key="")
    }
    result: dict[str, int] = {}
    fresh: list[_Found] = []
    for one in unsettled:
        owner = by_key.get(one.mirror_key) if one.mirror_key else None
        # Two who changed addresses with each other: the first has moved on when the second is looked at.
        holder = None if one.person in result.values() else one.person
        if owner is None and holder is not None and not one.known_key:
            # seen before the mirror knew them
            Person.objects.filter(pk=holder).update(contact_key=one.mirror_key)
            result[one.hash] = holder
        elif owner is None:
            if holder is not None:
                _let_go(holder)
            fresh.append(one)
        else:
            if holder is not None and one.known_key:
                _let_go(holder)
                _read_again(owner.pk)
            elif holder is not None:
                _unite(holder, owner.pk)
            Person.objects.filter(pk=owner.pk).update(member_hash=bytes.fromhex(one.hash))
            result[one.hash] = owner.pk
    return result | _add(link, fresh)


def _let_go(person: int) -> None:
    """The address is somebody else's now: what was recorded lately may be theirs, so it is all read again."""
    _read_again(person)
    # Until they turn up under their new address they are known by nothing that anybody else could have.
    nobody = hashlib.sha256(f"person {person}".encode()).digest()[:16]
    Person.objects.filter(pk=person).update(member_hash=nobody)


def _read_again(person: int) -> None:
    campaigns = Recipient.objects.filter(person=person).values("campaign_id")
    Reading.objects.filter(campaign_id__in=campaigns).update(full_wanted=True, full_tries=0)


_UNITE = (
    """INSERT INTO campaigns_recipient (campaign_id, person_id, last_at, opens, machine_opens, clicks, bounce,
           seen, unsubscribed)
       SELECT campaign_id, %(into)s, 0, 0, 0, 0, 0, seen, false FROM campaigns_recipient
       WHERE person_id = %(gone)s ON CONFLICT DO NOTHING""",
    """INSERT INTO campaigns_reaction (campaign_id, person_id, at, source, what, nth, machine)
       SELECT campaign_id, %(into)s, at, source, what, nth, machine FROM campaigns_reaction
       WHERE person_id = %(gone)s AND campaign_id = ANY(%(campaigns)s) ON CONFLICT DO NOTHING""",
    """INSERT INTO campaigns_unsubscribe (campaign_id, person_id, at, nth, reason)
       SELECT campaign_id, %(into)s, at, nth, reason FROM campaigns_unsubscribe
       WHERE person_id = %(gone)s ON CONFLICT DO NOTHING""",
    """DELETE FROM campaigns_reaction WHERE person_id = %(gone)s AND campaign_id = ANY(%(campaigns)s)""",
    """DELETE FROM campaigns_unsubscribe WHERE person_id = %(gone)s""",
    """DELETE FROM campaigns_recipient WHERE person_id = %(gone)s""",
    """DELETE FROM campaigns_person WHERE id = %(gone)s""",
)


def _unite(gone: int, into: int) -> None:
    """One person was taken for two, before the mirror told of the new address."""
    campaigns = list(Recipient.objects.filter(person=gone).values_list("campaign_id", flat=True))
    with database.cursor() as cursor:
        for statement in _UNITE:
            cursor.execute(statement, {"gone": gone, "into": into, "campaigns": campaigns})
    for campaign in campaigns:
        count_people(campaign, [into])
        count_campaign(campaign)


_ADD = """
INSERT INTO campaigns_person (connection_id, member_hash, contact_key)
SELECT %(connection)s, decode(n.hash, 'hex'), n.key FROM n
RETURNING id, encode(member_hash, 'hex')
"""


def _add(link: Connection, fresh: Sequence[_Found]) -> dict[str, int]:
    once: dict[str, _Found] = {}
    spoken_for: set[str] = set()
    for one in fresh:
        # Should the mirror know one person under two addresses, the key goes to the first.
        key = one.mirror_key if one.mirror_key not in spoken_for else ""
        spoken_for.add(key)
        once[one.hash] = _Found(one.hash, one.address, None, "", key)
    rows = [(one.hash, one.address, one.mirror_key) for one in once.values()]
    added = execute_rows(_ADD, _COLUMNS, rows, {"connection": link.pk})
    numbers = {member: number for number, member in added}
    _match(
        link, [(number, once[member].address, once[member].mirror_key) for member, number in numbers.items()]
    )
    return numbers


# --- contacts --------------------------------------------------------------------------------------

_MATCH = """
WITH owner AS (
    SELECT DISTINCT ON (candidates.id) candidates.id, contact_id FROM (
        SELECT n.id, r.contact_id, 1 AS rank FROM n JOIN sync_memberrecord r
            ON r.connection_id = %(connection)s AND r.contact_key = n.key WHERE n.key <> ''
        UNION ALL
        SELECT n.id, r.contact_id, 2 FROM n JOIN sync_memberrecord r
            ON r.connection_id = %(connection)s AND r.synced_key = n.address WHERE n.address <> ''
        UNION ALL
        SELECT n.id, k.id, 3 FROM n JOIN book_contact k
            ON k.company_id = %(company)s AND k.email_key = n.address AND k.deleted_at IS NULL
            WHERE n.address <> ''
    ) candidates JOIN book_contact c ON c.id = contact_id AND c.deleted_at IS NULL
        AND c.company_id = %(company)s
    ORDER BY candidates.id, rank, contact_id DESC
)
UPDATE campaigns_person p SET contact_id = owner.contact_id FROM owner
WHERE p.id = owner.id AND p.contact_id IS DISTINCT FROM owner.contact_id
"""


def _match(link: Connection, people: Sequence[tuple[int, str, str]]) -> None:
    """Give new people their contacts: whose member they are (by Mailchimp's key, then by the address last
    synced), else the newest contact with the address."""
    execute_rows(
        _MATCH,
        [("id", "int"), ("address", "text"), ("key", "text")],
        people,
        {"connection": link.pk, "company": link.company_id},
    )


_MATCH_EVERYBODY = """
WITH lost AS (
    SELECT p.id, p.member_hash, p.contact_key, p.contact_id FROM campaigns_person p
    LEFT JOIN book_contact k ON k.id = p.contact_id AND k.deleted_at IS NULL
    WHERE p.connection_id = %(connection)s AND k.id IS NULL
), owner AS (
    SELECT DISTINCT ON (candidates.id) candidates.id, contact_id FROM (
        SELECT lost.id, m.merged_into_id AS contact_id, 0 AS rank FROM lost JOIN book_contact m
            ON m.id = lost.contact_id AND m.merged_into_id IS NOT NULL
        UNION ALL
        SELECT lost.id, r.contact_id, 1 FROM lost JOIN sync_memberrecord r
            ON r.connection_id = %(connection)s AND r.contact_key = lost.contact_key
            WHERE lost.contact_key <> ''
        UNION ALL
        SELECT lost.id, r.contact_id, 2 FROM lost JOIN sync_memberrecord r
            ON r.connection_id = %(connection)s AND r.member_hash = encode(lost.member_hash, 'hex')
        UNION ALL
        SELECT lost.id, k.id, 3 FROM lost JOIN book_contact k
            ON k.company_id = %(company)s AND k.deleted_at IS NULL AND k.email_key <> ''
            AND decode(md5(k.email_key), 'hex') = lost.member_hash
    ) candidates JOIN book_contact c ON c.id = contact_id AND c.deleted_at IS NULL
        AND c.company_id = %(company)s
    ORDER BY candidates.id, rank, contact_id DESC
), matched AS (
    UPDATE campaigns_person p SET contact_id = owner.contact_id FROM owner
    WHERE p.id = owner.id AND p.contact_id IS DISTINCT FROM owner.contact_id
    RETURNING p.id
)
SELECT DISTINCT r.campaign_id FROM matched JOIN campaigns_recipient r ON r.person_id = matched.id
"""


MATCH_EVERY = timedelta(hours=1)


def matching_is_due(link: Connection, now: datetime) -> bool:
    """Whether everybody is to be looked up again."""
    matched_at = ReportIndex.objects.filter(pk=link.pk).values_list("matched_at", flat=True).first()
    return matched_at is None or now - matched_at >= MATCH_EVERY


@transaction.atomic
def match_everybody(link: Connection, now: datetime) -> list[Campaign]:
    """Look for contacts of all people who have none, or whose contact was deleted; people turn up in the book
    after they were mailed. Returns the campaigns whose figures by client this changes.

    What a contact did goes to the one that it was merged into. Else who has a contact keeps it, whatever the
    book does with addresses afterwards: it was this contact who got the campaign.
    """
    with database.cursor() as cursor:
        cursor.execute(_MATCH_EVERYBODY, {"connection": link.pk, "company": link.company_id})
        campaigns = [row[0] for row in cursor.fetchall()]
    ReportIndex.objects.update_or_create(pk=link.pk, defaults={"matched_at": now})
    return list(Campaign.objects.filter(pk__in=campaigns))
