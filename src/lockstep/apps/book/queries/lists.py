"""Choices with their counts, and the numbers in the sidebar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import connection

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.queries.rows import ChoiceRow, SidebarCounts
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.tallies import CLIENT, CONTACT, EVERYONE, Clause, numbers_of

_KINDS = {
    ListValue.Kind.STATUS: (CLIENT, "status"),
    ListValue.Kind.INDUSTRY: (CLIENT, "industry"),
    ListValue.Kind.DEPARTMENT: (CONTACT, "department"),
    Tag.Kind.CLIENT: (CLIENT, "tag"),
    Tag.Kind.CONTACT: (CONTACT, "tag"),
}
_COUNTED = {
    ListValue.Kind.STATUS: ("book_client", "status_id"),
    ListValue.Kind.INDUSTRY: ("book_client", "industry_id"),
    ListValue.Kind.DEPARTMENT: ("book_contact", "department_id"),
}
_TAGGED = {Tag.Kind.CLIENT: "book_client", Tag.Kind.CONTACT: "book_contact"}


def list_values(
    actor: Actor, kind: ListValue.Kind, *, retired: bool = False, counts: bool = True
) -> tuple[ChoiceRow, ...]:
    """The values in the company's order, with how many clients or contacts have them; three queries at most.

    `retired` takes the retired ones along. Without `counts` every count is 0:
    a form's choices need none, and counting a million contacts takes its time.
    """
    actor.require(Permission.VIEW_BOOK)
    numbers = _numbers(actor, kind) if counts else None
    counts = counts and numbers is None
    table, column = _COUNTED[ListValue.Kind(kind)]
    counted = f"""
        LEFT JOIN (SELECT t.{column} AS value_id, count(*) AS n FROM {table} t {_own(actor, table)}
            WHERE t.company_id = %(company)s AND t.deleted_at IS NULL AND t.{column} IS NOT NULL
            GROUP BY 1) c ON c.value_id = v.id"""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT v.id, v.name, v.glyph, {"coalesce(c.n, 0)" if counts else "0"}, v.retired
            FROM book_listvalue v {counted if counts else ""}
            WHERE v.company_id = %(company)s AND v.kind = %(kind)s AND (%(retired)s OR NOT v.retired)
            ORDER BY v.position, v.id
            """,
            {"company": actor.company.pk, "kind": kind, "retired": retired, "user": _user_id(actor)},
        )
        return _choice_rows(cursor.fetchall(), numbers)


def tags(actor: Actor, kind: Tag.Kind, *, counts: bool = True) -> tuple[ChoiceRow, ...]:
    """The tags by name, with how many clients or contacts have them; `counts` as in `list_values`."""
    actor.require(Permission.VIEW_BOOK)
    numbers = _numbers(actor, kind) if counts else None
    counts = counts and numbers is None
    table = _TAGGED[Tag.Kind(kind)]
    counted = f"""
        LEFT JOIN (SELECT tag_id, count(*) AS n
            FROM {table} t {_own(actor, table)}, unnest(t.tag_ids) AS tag_id
            WHERE t.company_id = %(company)s AND t.deleted_at IS NULL
            GROUP BY 1) c ON c.tag_id = v.id"""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT v.id, v.name, '', {"coalesce(c.n, 0)" if counts else "0"}, false
            FROM book_tag v {counted if counts else ""}
            WHERE v.company_id = %(company)s AND v.kind = %(kind)s
            ORDER BY lockstep_fold(v.name), v.id
            """,
            {"company": actor.company.pk, "kind": kind, "user": _user_id(actor)},
        )
        return _choice_rows(cursor.fetchall(), numbers)


def reps(actor: Actor, *, open_only: bool = False) -> tuple[ChoiceRow, ...]:
    """The reps by name, with how many clients each has; three queries at most.

    Who was deactivated can be filtered by while any client is still theirs,
    and is never offered where a rep is chosen (`open_only`).
    """
    actor.require(Permission.VIEW_BOOK)
    seats = Seat.objects.filter(company=actor.company).select_related("user")
    numbers = numbers_of(actor.company.pk, CLIENT, ["rep"])
    if numbers is not None:
        counts = {int(value): number for (kind, value), number in numbers.items() if kind == "rep"}
    else:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rep_id, count(*) FROM book_client"
                " WHERE company_id = %s AND deleted_at IS NULL AND rep_id IS NOT NULL GROUP BY 1",
                [actor.company.pk],
            )
            counts = dict(cursor.fetchall())
    if actor.own_clients_only:
        seats = seats.filter(user=actor.user)
    kept = [
        seat for seat in seats if seat.deactivated_at is None or (not open_only and counts.get(seat.user_id))
    ]
    people = sorted(kept, key=lambda seat: (seat.user.full_name.lower(), seat.user.pk))
    return tuple(
        ChoiceRow(seat.user.pk, seat.user.full_name, "", counts.get(seat.user.pk, 0)) for seat in people
    )


def reps_by_email(actor: Actor) -> dict[str, int]:
    """User ids of everybody with a seat, by e-mail address in lower case; one query."""
    actor.require(Permission.VIEW_BOOK)
    seats = Seat.objects.filter(company=actor.company)
    if actor.own_clients_only:
        seats = seats.filter(user=actor.user)
    return {email.lower(): user_id for user_id, email in seats.values_list("user_id", "user__email")}


def sidebar_counts(actor: Actor) -> SidebarCounts:
    """How many clients and contacts the actor can see; four queries at most."""
    clients = numbers_of(actor.company.pk, CLIENT, (), _own_clauses(actor))
    contacts = numbers_of(actor.company.pk, CONTACT, (), _own_clauses(actor))
    return SidebarCounts(
        clients=clients_of(actor).count() if clients is None else clients[EVERYONE],
        contacts=contacts_of(actor).count() if contacts is None else contacts[EVERYONE],
    )


def _own_clauses(actor: Actor) -> list[Clause]:
    return [Clause.of("rep", [_user_id(actor)])] if actor.own_clients_only else []


def _numbers(actor: Actor, kind: ListValue.Kind | Tag.Kind) -> dict[int, int] | None:
    """By id, how many the actor can see that have the value; None where it is to be counted by SQL."""
    subject, name = _KINDS[kind]
    numbers = numbers_of(actor.company.pk, subject, [name], _own_clauses(actor))
    if numbers is None:
        return None
    return {int(value): number for (kind, value), number in numbers.items() if kind == name}


def _choice_rows(
    rows: Sequence[tuple[int, str, str, int, bool]], numbers: Mapping[int, int] | None
) -> tuple[ChoiceRow, ...]:
    return tuple(
        ChoiceRow(pk, name, glyph, number if numbers is None else numbers.get(pk, 0), retired)
        for pk, name, glyph, number, retired in rows
    )


def _own(actor: Actor, table: str) -> str:
    """A join that leaves only what belongs to the actor's own clients, where limited to them."""
    if not actor.own_clients_only:
        return ""
    key = "id" if table == "book_client" else "client_id"
    return f"JOIN book_client own ON own.id = t.{key} AND own.rep_id = %(user)s"


def _user_id(actor: Actor) -> int | None:
    return actor.user.pk if actor.user else None
