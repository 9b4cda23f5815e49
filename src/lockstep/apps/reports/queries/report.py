"""The Mailing List report (B5): its number, how that number comes about, and its rows."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from lockstep.apps.accounts.models import User
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import ClientAddress, Contact, ListValue
from lockstep.apps.book.queries.lookups import tags_by_id
from lockstep.apps.book.queries.paging import DEFAULT_SIZE, Order, Page, keyset_page, walk_ids
from lockstep.apps.book.queries.scope import contacts_of
from lockstep.apps.book.queries.search import SHORT_LIMIT, contacts_matching, has_words, is_short
from lockstep.apps.book.tallies.sheets import Picker
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.reports.columns import Line
from lockstep.apps.reports.filters import ReportFilter, clauses_of
from lockstep.apps.reports.sets import ContactSet, find_set
from lockstep.apps.sync.models import MemberRecord
from lockstep.apps.sync.queries.reasons import Reasons, read_reasons
from lockstep.core.member import Reason, SyncState

REPORT_SORTS = {
    "name": Order("name_key"),
    "-name": Order("name_key", descending=True),
    "changed": Order("updated_at", kind=datetime.datetime),
    "-changed": Order("updated_at", descending=True, kind=datetime.datetime),
}

FEW = 3_000
"""Up to so many contacts are fetched by id and sorted; of more, the sorted index is walked along."""

AT_ONCE = 1_000


@dataclass
class Report:
    """The contacts that fit the filter now. Made by `open_report`."""

    actor: Actor
    wanted: ReportFilter
    connection: Connection | None
    reasons: Reasons
    chosen: int
    """Their places on the sheet."""
    is_exact: bool
    """False where the search was cut off, see `book.queries.search`."""
    among: ContactSet | None

    @property
    def total(self) -> int:
        return self.chosen.bit_count()

    @cached_property
    def parts(self) -> dict[Reason, int]:
        """The number taken apart: who fits the sync and each reason for leaving out add up to `total`."""
        return self.reasons.counts(self.chosen)

    def page(self, *, sort: str = "name", cursor: str | None = None, size: int = DEFAULT_SIZE) -> Page[Line]:
        """A page of the rows; an unknown sort is by name."""
        order = REPORT_SORTS.get(sort, REPORT_SORTS["name"])
        contacts = contacts_of(self.actor)
        if self.total <= FEW:
            ids = self.reasons.sheet.ids(self.chosen)
        else:
            picker = self.reasons.sheet.picker(self.chosen)
            ids = walk_ids(contacts, order=order, cursor=cursor, wanted=picker, size=size)
        return keyset_page(
            contacts.filter(pk__in=ids).select_related("client"),
            order=order,
            cursor=cursor,
            size=size,
            total=(self.total, self.is_exact),
            shape=self.lines,
        )

    def every_line(self) -> Iterator[Line]:
        """All rows by id, some at a time: nothing is held open while somebody downloads."""
        ids = self.reasons.sheet.ids(self.chosen)
        ids.sort()
        for start in range(0, len(ids), AT_ONCE):
            some = contacts_of(self.actor).filter(pk__in=ids[start : start + AT_ONCE])
            yield from self.lines(some.select_related("client").order_by("id"))

    def lines(self, contacts: Sequence[Contact]) -> list[Line]:
        """Five queries at most, whatever their number."""
        found = list(contacts)
        company = self.actor.company.pk
        id_lists = [ids for one in found for ids in (one.tag_ids, one.client.tag_ids)]
        tags = tags_by_id(company, id_lists)
        primary = ClientAddress.objects.filter(client__in={one.client_id for one in found}, is_primary=True)
        addresses = {address.client_id: address for address in primary}
        people = User.objects.filter(pk__in={one.client.rep_id for one in found if one.client.rep_id})
        reps: dict[int | None, str] = {user.pk: user.full_name for user in people}
        standing = self._standings([one.pk for one in found])
        return [
            Line(
                contact=one,
                address=addresses.get(one.client_id),
                standing=standing[one.pk],
                department=self._values.get(one.department_id, ""),
                status=self._values.get(one.client.status_id, ""),
                industry=self._values.get(one.client.industry_id, ""),
                rep=reps.get(one.client.rep_id, ""),
                client_tags=tuple(tags[tag].name for tag in one.client.tag_ids if tag in tags),
                contact_tags=tuple(tags[tag].name for tag in one.tag_ids if tag in tags),
            )
            for one in found
        ]

    @cached_property
    def _values(self) -> dict[int | None, str]:
        values = ListValue.objects.filter(company=self.actor.company)
        return dict(values.values_list("pk", "name"))

    def _standings(self, ids: list[int]) -> dict[int, str]:
        found = {pk: reason.value for reason, picker in self._pickers.items() for pk in ids if pk in picker}
        if self.connection is None or not self.connection.on:
            return {pk: found.get(pk, Reason.OUTSIDE.value) for pk in ids}
        records = MemberRecord.objects.filter(connection=self.connection, contact_id__in=ids).exclude(
            state=""
        )
        states = dict(records.values_list("contact_id", "state"))
        pending = SyncState.PENDING.value
        return {
            pk: states.get(pk, pending)
            if found.get(pk) == Reason.FITS
            else found.get(pk, Reason.OUTSIDE.value)
            for pk in ids
        }

    @cached_property
    def _pickers(self) -> dict[Reason, Picker]:
        return {reason: self.reasons.sheet.picker(bits) for reason, bits in self.reasons.bits.items()}


def open_report(actor: Actor, wanted: ReportFilter, connection: Connection | None) -> Report:
    """The report against one audience, or, without one, against a sync without filters.

    Raises `NotPermitted`. A contact set that the actor does not have leaves nobody.
    """
    actor.require(Permission.VIEW_BOOK)
    preferences = Preferences.from_json(connection.preferences) if connection else Preferences()
    clauses = clauses_of(actor, wanted)
    reasons = read_reasons(
        actor.company.pk, preferences, facets=[facet for clause in clauses for facet in clause.facets]
    )
    sheet = reasons.sheet
    chosen = sheet.fitting(clauses)
    is_exact = True
    if has_words(wanted.search):
        hits = list(
            contacts_of(actor)
            .filter(id__in=contacts_matching(actor.company, wanted.search))
            .values_list("id", flat=True)
        )
        is_exact = not (is_short(wanted.search) and len(hits) >= SHORT_LIMIT)
        chosen &= sheet.chosen(hits)
    among = None
    if wanted.set:
        among = find_set(actor, wanted.set)
        chosen &= sheet.chosen(among.contact_ids) if among else 0
    if wanted.standings:
        chosen &= _standing_bits(reasons, connection, wanted.standings)
    return Report(actor, wanted, connection, reasons, chosen, is_exact, among)


def _standing_bits(reasons: Reasons, connection: Connection | None, standings: Sequence[str]) -> int:
    known = {reason.value: bits for reason, bits in reasons.bits.items()}
    fits = reasons.bits[Reason.FITS]
    states = [state for state in SyncState if state.value in standings]
    found = 0
    for standing in standings:
        found |= known.get(standing, 0)
    if not states or connection is None or not connection.on:
        return found
    # Pending is who fits and has got nowhere yet, whether it was planned already or not.
    others = [state for state in SyncState if state is not SyncState.PENDING]
    read = others if SyncState.PENDING in states else [state for state in others if state in states]
    by_state = {
        state: reasons.sheet.chosen(
            MemberRecord.objects.filter(connection=connection, state=state).values_list(
                "contact_id", flat=True
            )
        )
        for state in read
    }
    for state in states:
        if state in by_state:
            found |= by_state[state] & fits
        else:
            found |= fits & ~_any(by_state.values())
    return found


def _any(many: Iterable[int]) -> int:
    found = 0
    for bits in many:
        found |= bits
    return found
