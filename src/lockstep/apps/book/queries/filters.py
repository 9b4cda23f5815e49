"""What a list can be narrowed to: plain values, so that pages, exports and the API say it the same way.

Inside one kind the values are alternatives, between kinds all must hold.
An id of 0 stands for “none”: clients without a status, without a rep, …
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from django.db.models import Q, QuerySet

from lockstep.apps.accounts.models import Company
from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Client, Contact
from lockstep.apps.book.queries.finding import COUNT_LIMIT, find_page
from lockstep.apps.book.queries.paging import Order, count_up_to
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.queries.search import (
    Terms,
    Way,
    client_ways,
    clients_matching,
    contact_ways,
    contacts_matching,
    has_words,
    is_short,
    terms_of,
)
from lockstep.apps.book.tallies import CLIENT, CONTACT, EVERYONE, NO, YES, Clause, numbers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFilter:
    """Which clients. The empty filter is every client that is not deleted."""

    search: str = ""
    status_ids: Sequence[int] = ()
    industry_ids: Sequence[int] = ()
    rep_ids: Sequence[int] = ()
    tag_ids: Sequence[int] = ()
    active: bool | None = None
    deleted: bool = False
    changed_since: datetime.datetime | None = None

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, field.name) == field.default for field in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFilter:
    """Which contacts. The empty filter is every contact that is not deleted."""

    search: str = ""
    client_id: int | None = None
    status_ids: Sequence[int] = ()
    industry_ids: Sequence[int] = ()
    rep_ids: Sequence[int] = ()
    client_tag_ids: Sequence[int] = ()
    department_ids: Sequence[int] = ()
    contact_tag_ids: Sequence[int] = ()
    no_marketing: bool | None = None
    has_email: bool | None = None
    """Whether there is an address that could be one; an invalid one counts as none."""
    active: bool | None = None
    deleted: bool = False
    changed_since: datetime.datetime | None = None

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, field.name) == field.default for field in fields(self))


def _one_of(column: str, ids: Sequence[int]) -> Q:
    known = [value for value in ids if value]
    any_of = Q(**{f"{column}__in": known}) if known else Q()
    return any_of | Q(**{f"{column}__isnull": True}) if len(known) < len(ids) else any_of


def _tagged(column: str, ids: Sequence[int]) -> Q:
    known = [value for value in ids if value]
    any_of = Q(**{f"{column}__overlap": known}) if known else Q()
    return any_of | Q(**{column: []}) if len(known) < len(ids) else any_of


def filtered_clients(actor: Actor, wanted: ClientFilter, *, whole: bool = False) -> QuerySet[Client]:
    """The clients, unsorted; search terms without any word match everything.

    `whole`: a short search is not cut off, however many rows it fits.
    """
    clients = clients_of(actor, deleted=wanted.deleted)
    if wanted.status_ids:
        clients = clients.filter(_one_of("status_id", wanted.status_ids))
    if wanted.industry_ids:
        clients = clients.filter(_one_of("industry_id", wanted.industry_ids))
    if wanted.rep_ids:
        clients = clients.filter(_one_of("rep_id", wanted.rep_ids))
    if wanted.tag_ids:
        clients = clients.filter(_tagged("tag_ids", wanted.tag_ids))
    if wanted.active is not None:
        clients = clients.filter(active=wanted.active)
    if wanted.changed_since is not None:
        clients = clients.filter(updated_at__gte=wanted.changed_since)
    if has_words(wanted.search):
        clients = clients.filter(id__in=clients_matching(actor.company, wanted.search, whole=whole))
    return clients


def filtered_contacts(actor: Actor, wanted: ContactFilter, *, whole: bool = False) -> QuerySet[Contact]:
    """The contacts, unsorted; search terms without any word match everything; `whole` as above."""
    contacts = contacts_of(actor, deleted=wanted.deleted)
    if wanted.client_id is not None:
        contacts = contacts.filter(client_id=wanted.client_id)
    of_client = Q()
    for column, ids in (
        ("status_id", wanted.status_ids),
        ("industry_id", wanted.industry_ids),
        ("rep_id", wanted.rep_ids),
    ):
        if ids:
            of_client &= _one_of(column, ids)
    if wanted.client_tag_ids:
        of_client &= _tagged("tag_ids", wanted.client_tag_ids)
    if of_client:
        chosen = Client.objects.filter(of_client, company=actor.company)
        contacts = contacts.filter(client_id__in=chosen.values("id"))
    if wanted.department_ids:
        contacts = contacts.filter(_one_of("department_id", wanted.department_ids))
    if wanted.contact_tag_ids:
        contacts = contacts.filter(_tagged("tag_ids", wanted.contact_tag_ids))
    if wanted.no_marketing is not None:
        contacts = contacts.filter(no_marketing=wanted.no_marketing)
    if wanted.has_email is not None:
        contacts = contacts.filter(email_valid=wanted.has_email)
    if wanted.active is not None:
        contacts = contacts.filter(active=wanted.active)
    if wanted.changed_since is not None:
        contacts = contacts.filter(updated_at__gte=wanted.changed_since)
    if has_words(wanted.search):
        contacts = contacts.filter(id__in=contacts_matching(actor.company, wanted.search, whole=whole))
    return contacts


def clients_of_page(
    actor: Actor, wanted: ClientFilter, *, order: Order, cursor: str | None, size: int
) -> tuple[QuerySet[Client], tuple[int, bool]]:
    """What `keyset_page` takes: clients among which are those of the page, and how many fit in all.

    The count is exact but for long results of a search.
    """
    return _of_page(
        actor, wanted, filtered_clients, clients_of, client_ways, order=order, cursor=cursor, size=size
    )


def contacts_of_page(
    actor: Actor, wanted: ContactFilter, *, order: Order, cursor: str | None, size: int
) -> tuple[QuerySet[Contact], tuple[int, bool]]:
    """As `clients_of_page`, of contacts."""
    return _of_page(
        actor, wanted, filtered_contacts, contacts_of, contact_ways, order=order, cursor=cursor, size=size
    )


def _of_page(
    actor: Actor,
    wanted: Any,
    filtered: Callable[[Actor, Any], QuerySet[Any]],
    rows_of: Callable[..., QuerySet[Any]],
    ways: Callable[[Company, Terms], list[Way]],
    *,
    order: Order,
    cursor: str | None,
    size: int,
) -> tuple[QuerySet[Any], tuple[int, bool]]:
    if not has_words(wanted.search):
        rows = filtered(actor, wanted)
        return rows, _list_total(actor, rows, wanted)
    everybody = rows_of(actor, deleted=wanted.deleted)
    ids, total = find_page(
        filtered(actor, replace(wanted, search="")),
        everybody,
        ways(actor.company, terms_of(actor.company, wanted.search)),
        order=order,
        cursor=cursor,
        size=size,
        short=is_short(wanted.search),
    )
    return everybody.filter(pk__in=ids), total


def _list_total(
    actor: Actor, rows: QuerySet[Client] | QuerySet[Contact], wanted: ClientFilter | ContactFilter
) -> tuple[int, bool]:
    exact = _tallied(actor, wanted)
    if exact is not None:
        return exact, True
    return (rows.count(), True) if wanted.is_empty else count_up_to(rows, COUNT_LIMIT)


def _tallied(actor: Actor, wanted: ClientFilter | ContactFilter) -> int | None:
    """Counted by the tallies (see `book.tallies`); None where these don't know."""
    clauses = clauses_of(actor, wanted)
    if clauses is None:
        return None
    subject = CLIENT if isinstance(wanted, ClientFilter) else CONTACT
    numbers = numbers_of(actor.company.pk, subject, (), clauses)
    return None if numbers is None else numbers[EVERYONE]


def clauses_of(actor: Actor, wanted: ClientFilter | ContactFilter) -> list[Clause] | None:
    """The filter (not its search) and the actor's scope, as tallies take them; None where they can't."""
    if wanted.deleted:
        return None
    listed = {"status": wanted.status_ids, "industry": wanted.industry_ids, "rep": wanted.rep_ids}
    if isinstance(wanted, ClientFilter):
        listed["tag"] = wanted.tag_ids
    else:
        if wanted.client_id is not None:
            return None
        listed["client_tag"] = wanted.client_tag_ids
        listed["department"] = wanted.department_ids
        listed["tag"] = wanted.contact_tag_ids
    clauses = [Clause.of(kind, ids) for kind, ids in listed.items() if ids]
    if wanted.active is not None:
        clauses.append(Clause.of("active", [YES if wanted.active else NO]))
    if isinstance(wanted, ContactFilter):
        if wanted.no_marketing is not None:
            clauses.append(Clause.of("no_marketing", [YES if wanted.no_marketing else NO]))
        if wanted.has_email is not None:
            clauses.append(Clause.of("email", ["valid"], exclude=not wanted.has_email))
    if actor.own_clients_only:
        clauses.append(Clause.of("rep", [actor.user.pk if actor.user else None]))
    return clauses
