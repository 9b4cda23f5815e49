"""One pass through a campaign's recipients: begun, stored page by page, and ended.

Each page is one transaction: people, recipients, what they did, all sums, and the place where to go on. A
reader that is killed anywhere loses the page that it was about to store and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import connection as database
from django.db import transaction

from lockstep.apps.campaigns.models import Campaign, Link, Reaction, Reading, Recipient, Unsubscribe
from lockstep.apps.campaigns.moments import seconds_at, seconds_of
from lockstep.apps.campaigns.reading import rhythm
from lockstep.apps.campaigns.reading.counting import (
    add_to_campaign,
    count_campaign,
    count_clients,
    count_people,
    sums_of,
)
from lockstep.apps.campaigns.reading.index import since_of
from lockstep.apps.campaigns.reading.machines import source_of, tell_apart
from lockstep.apps.campaigns.reading.people import resolve
from lockstep.apps.sync.rows import execute_rows
from lockstep.bridge.reports import (
    Happened,
    HappenedKind,
    MailedPerson,
    ReportNumbers,
    UnsubscribedPerson,
)
from lockstep.mailchimp.times import write_moment

__all__ = [
    "begin",
    "bounces_agree",
    "count_clients",
    "end",
    "forget",
    "store_bounces",
    "store_page",
    "store_unsubscribes",
    "unsubscribes_differ",
]

MOST_LINKS = 2_000
"""Links of one campaign that are told apart; personal addresses could make one for each recipient."""

OTHER_LINKS = "(other links)"

_WHAT = {
    HappenedKind.OPEN: Reaction.What.OPEN,
    HappenedKind.SOFT_BOUNCE: Reaction.What.SOFT,
    HappenedKind.HARD_BOUNCE: Reaction.What.HARD,
}


def begin(reading: Reading, now: datetime) -> Reading:
    """The pass to go on with: the one that was broken off, if it is young enough, else a new one."""
    if reading.pass_began_at is not None and rhythm.may_go_on(reading.pass_began_at, now):
        return reading
    reading.pass_full = reading.full_wanted
    reading.pass_since = "" if reading.pass_full else since_of(reading)
    reading.pass_number = reading.pass_number % 30_000 + 1
    reading.pass_began_at = now
    reading.pass_numbers = reading.campaign.reported
    reading.pass_offset = 0
    reading.save()
    return reading


_RECIPIENTS = """
INSERT INTO campaigns_recipient AS r (campaign_id, person_id, last_at, opens, machine_opens, clicks, bounce,
    seen, unsubscribed)
SELECT %(campaign)s, person, 0, 0, 0, 0, 0, %(seen)s, false FROM unnest(%(people)s) AS p(person)
ON CONFLICT (campaign_id, person_id) DO
"""
_KEEP = _RECIPIENTS + " NOTHING"
_SEE = _RECIPIENTS + " UPDATE SET seen = excluded.seen WHERE r.seen <> excluded.seen"

_REACTIONS = """
INSERT INTO campaigns_reaction (campaign_id, person_id, at, source, what, nth, machine)
SELECT %(campaign)s, person, at, source, what, nth, false FROM n
ON CONFLICT (campaign_id, person_id, what, at, nth) DO NOTHING
"""
_REACTION_COLUMNS = [
    ("person", "int"),
    ("at", "int"),
    ("source", "int"),
    ("what", "smallint"),
    ("nth", "smallint"),
]


@transaction.atomic
def store_page(reading: Reading, page: Sequence[MailedPerson]) -> bool:
    """Store a page of recipients, and that it was read; False if somebody else went on with the pass.

    `reading.pass_offset` moves by the length of the page, in the object too.
    """
    here = Reading.objects.select_for_update().get(pk=reading.pk)
    if (here.pass_began_at, here.pass_offset) != (reading.pass_began_at, reading.pass_offset):
        return False
    campaign = reading.campaign
    number_of = resolve(reading.connection, ((person.member, person.key) for person in page))
    everybody = sorted(set(number_of.values()))
    doers = [
        (number_of[one.member], one.happened) for one in page if one.happened and one.member in number_of
    ]
    before = sums_of(campaign.pk, everybody)
    with database.cursor() as cursor:
        cursor.execute(
            _SEE if reading.pass_full else _KEEP,
            {"campaign": campaign.pk, "people": everybody, "seen": reading.pass_number},
        )
    touched = {person for person, _ in doers}
    if reading.pass_full and reading.first_read_at is not None:
        # What stands there may belong to others, if addresses went from one to another.
        touched |= _clear_all_but(campaign, everybody, doers)
    _store_reactions(campaign, doers)
    count_people(campaign.pk, touched)
    add_to_campaign(campaign.pk, before, sums_of(campaign.pk, everybody))
    reading.pass_offset += len(page)
    Reading.objects.filter(pk=reading.pk).update(pass_offset=reading.pass_offset)
    return True


def _store_reactions(campaign: Campaign, doers: Iterable[tuple[int, Sequence[Happened]]]) -> None:
    numbers = _link_numbers(
        campaign,
        {one.url for _, happened in doers for one in happened if one.kind is HappenedKind.CLICK},
    )
    rows = [
        (person, at, source, what, nth)
        for person, happened in doers
        for (what, at, nth), source in _keyed(campaign.pk, happened, numbers).items()
    ]
    execute_rows(_REACTIONS, _REACTION_COLUMNS, rows, {"campaign": campaign.pk})


def _keyed(
    campaign_id: int, happened: Sequence[Happened], links: dict[str, int]
) -> dict[tuple[int, int, int], int]:
    """The natural key of each (what, at, nth), with its source; what is alike is numbered."""
    alike: Counter[tuple[int, int]] = Counter()
    keyed = {}
    for one in happened:
        what = Reaction.CLICK + links[one.url] if one.kind is HappenedKind.CLICK else int(_WHAT[one.kind])
        at = seconds_of(one.at)
        keyed[what, at, alike[what, at]] = source_of(campaign_id, one.address)
        alike[what, at] += 1
    return keyed


def _link_numbers(campaign: Campaign, urls: Collection[str]) -> dict[str, int]:
    """The number of each link, those seen for the first time included."""
    if not urls:
        return {}
    known = dict(Link.objects.filter(campaign=campaign).values_list("url", "number"))
    for url in sorted(url for url in urls if url not in known):
        if len(known) >= MOST_LINKS:
            known.setdefault(OTHER_LINKS, len(known))
            known[url] = known[OTHER_LINKS]
            Link.objects.get_or_create(
                campaign=campaign, number=known[OTHER_LINKS], defaults={"url": OTHER_LINKS}
            )
        else:
            known[url] = len(known)
            Link.objects.create(campaign=campaign, number=known[url], url=url)
    return known


_CLEAR = """
DELETE FROM campaigns_reaction r
WHERE r.campaign_id = %(campaign)s AND r.person_id = ANY(%(people)s) AND r.what NOT IN (2, 3)
  AND NOT EXISTS (SELECT FROM n WHERE n.person = r.person_id AND n.what = r.what AND n.at = r.at
      AND n.nth = r.nth)
RETURNING r.person_id
"""


def _clear_all_but(
    campaign: Campaign, everybody: Sequence[int], doers: Sequence[tuple[int, Sequence[Happened]]]
) -> set[int]:
    """Take away what these recipients did not do by a full answer; returns whose sums that changes.

    Bounces stay: they may have come from `sent-to`, see `store_bounces`.
    """
    links = dict(Link.objects.filter(campaign=campaign).values_list("url", "number"))
    keep = [
        (person, at, 0, what, nth)
        for person, happened in doers
        for what, at, nth in _keyed(
            campaign.pk,
            [one for one in happened if one.kind is not HappenedKind.CLICK or one.url in links],
            links,
        )
    ]
    # A row that is nobody's, so that the statement has its table also where nobody did anything.
    keep.append((0, 0, 0, 0, 0))
    gone = execute_rows(_CLEAR, _REACTION_COLUMNS, keep, {"campaign": campaign.pk, "people": list(everybody)})
    return {row[0] for row in gone}


@transaction.atomic
def store_unsubscribes(reading: Reading, rows: Sequence[UnsubscribedPerson]) -> None:
    """These, and nobody else, unsubscribed from the campaign; `rows` is the whole list."""
    campaign = reading.campaign
    number_of = resolve(reading.connection, ((row.member, row.key) for row in rows))
    alike: Counter[tuple[int, int]] = Counter()
    wanted = {}
    for row in rows:
        if row.member in number_of:
            key = (number_of[row.member], seconds_of(row.at))
            wanted[*key, alike[key]] = row.reason[:500]
            alike[key] += 1
    kept = {
        (person, at, nth): pk
        for pk, person, at, nth in Unsubscribe.objects.filter(campaign=campaign).values_list(
            "pk", "person_id", "at", "nth"
        )
    }
    gone = [pk for key, pk in kept.items() if key not in wanted]
    Unsubscribe.objects.filter(pk__in=gone).delete()
    Unsubscribe.objects.bulk_create(
        Unsubscribe(campaign=campaign, person_id=key[0], at=key[1], nth=key[2], reason=reason)
        for key, reason in wanted.items()
        if key not in kept
    )
    people = {key[0] for key in kept.keys() ^ wanted.keys()}
    with database.cursor() as cursor:
        # Who unsubscribed was sent the campaign, even should the pass have missed them.
        cursor.execute(
            _KEEP,
            {
                "campaign": campaign.pk,
                "people": sorted({key[0] for key in wanted}),
                "seen": reading.pass_number,
            },
        )
    count_people(campaign.pk, people)
    count_campaign(campaign.pk)


@transaction.atomic
def store_bounces(reading: Reading, rows: Sequence[tuple[MailedPerson, HappenedKind]]) -> None:
    """Bounces that email-activity did not tell of; they have no time of their own and get that of sending."""
    campaign = reading.campaign
    number_of = resolve(reading.connection, ((person.member, person.key) for person, _ in rows))
    sent = seconds_at(campaign.send_time)
    told = set(
        Reaction.objects.filter(
            campaign=campaign, person__in=list(number_of.values()), what__in=(2, 3)
        ).values_list("person_id", "what")
    )
    new = [
        (number_of[person.member], sent, 0, int(_WHAT[kind]), 0)
        for person, kind in rows
        if person.member in number_of and (number_of[person.member], int(_WHAT[kind])) not in told
    ]
    execute_rows(_REACTIONS, _REACTION_COLUMNS, new, {"campaign": campaign.pk})
    count_people(campaign.pk, {row[0] for row in new})
    count_campaign(campaign.pk)


def _counted(campaign: Campaign) -> rhythm.Counted:
    return rhythm.Counted(**{name: getattr(campaign, name) for name in rhythm.Counted.__dataclass_fields__})


def unsubscribes_differ(reading: Reading, after: ReportNumbers) -> bool:
    """Whether the list of who unsubscribed is to be read: the report has another number of them than we, or
    everything is read anyway."""
    kept = Unsubscribe.objects.filter(campaign=reading.campaign_id).count()
    return (reading.pass_full and bool(after.unsubscribed or kept)) or kept != after.unsubscribed


def bounces_agree(reading: Reading, after: ReportNumbers) -> bool:
    """Whether the bounces that were told are as many as the report has."""
    counted = _counted(Campaign.objects.get(pk=reading.campaign_id))
    return rhythm.bounces_agree(counted, ReportNumbers.from_json(reading.pass_numbers), after)


@transaction.atomic
def end(reading: Reading, after: ReportNumbers) -> bool:
    """All pages are stored; `after` is the report as of now. Returns whether our rows equal the report.

    Where they do not, the next pass is a full one.
    """
    campaign = Campaign.objects.select_for_update().get(pk=reading.campaign_id)
    if reading.pass_full:
        _drop_unseen(reading)
    count_people(campaign.pk, tell_apart(campaign))
    count_campaign(campaign.pk)
    count_clients(campaign)
    campaign.refresh_from_db()
    before = ReportNumbers.from_json(reading.pass_numbers)
    equal = rhythm.agrees(_counted(campaign), before, after)
    tries = 0 if equal else reading.full_tries + (1 if reading.pass_full else 0)
    # Somebody may have wished for a full pass while this one went on.
    wished = Reading.objects.values_list("full_wanted", flat=True).get(pk=reading.pk)
    newest = before.newest or campaign.send_time
    Reading.objects.filter(pk=reading.pk).update(
        first_read_at=reading.first_read_at or reading.pass_began_at,
        read_at=reading.pass_began_at,
        read_numbers=reading.pass_numbers,
        read_through=write_moment(newest),
        full_wanted=not equal or (wished and not reading.pass_full),
        full_tries=tries,
        asked_at=None,
        pass_began_at=None,
        pass_offset=0,
    )
    return equal


def _drop_unseen(reading: Reading) -> None:
    """Who was not among all recipients of a full pass is not one: they are listed under another address now,
    or Mailchimp forgot them for good."""
    unseen = list(
        Recipient.objects.filter(campaign=reading.campaign_id)
        .exclude(seen=reading.pass_number)
        .values_list("person_id", flat=True)
    )
    if not unseen:
        return
    gone = {"campaign_id": reading.campaign_id, "person_id__in": unseen}
    Reaction.objects.filter(**gone).delete()
    Unsubscribe.objects.filter(**gone).delete()
    Recipient.objects.filter(**gone).delete()


def forget(reading: Reading, now: datetime) -> None:
    """Mailchimp no longer has the campaign: what was read stays, and is not read again."""
    Reading.objects.filter(pk=reading.pk).update(
        asked_at=None,
        pass_began_at=None,
        read_at=now,
        read_numbers=reading.campaign.reported,
        full_wanted=False,
    )
