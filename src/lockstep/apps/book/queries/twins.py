"""Who may be in the book twice: clients of one name or web site, contacts of one address or name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.queries.rows import Named
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.tallies import CONTACT, YES, read_sheet
from lockstep.apps.book.tallies.models import Tally

SIZE = 25
FEW_SHARE = 50_000
"""Up to so many contacts that share an address are read by id; more are met soon along the index."""

MOST_IN_GROUP = 10
"""More than that share an address on purpose, and too many would be merged at a time."""


@dataclass(frozen=True, slots=True)
class Twins:
    """Some that look like one and the same, and what they share."""

    shared: str
    rows: tuple[Named, ...]
    """`glyph` is what tells them apart: a client's place, a contact's client."""


@dataclass(frozen=True, slots=True)
class TwinsPage:
    groups: tuple[Twins, ...]
    next: str
    """The cursor of the next page; '' on the last."""


CLIENT_WAYS = {"name": "Same name", "site": "Same web site"}
CONTACT_WAYS = {"email": "Same e-mail address", "name": "Same name at the same client"}

_CLIENT_COLUMNS = {"name": "name_stem", "site": "site"}


def _having(ids: str, *, distinct: bool) -> str:
    """Groups of a size to be merged in which a pair may be one; with `distinct` those in which none may."""
    return f"""HAVING count(*) BETWEEN 2 AND %(most)s AND (
        SELECT count(*) FROM book_distinctpair d
        WHERE d.company_id = %(company)s AND d.subject_kind = %(subject)s
            AND d.low_id = ANY(array_agg({ids})) AND d.high_id = ANY(array_agg({ids}))
    ) {"=" if distinct else "<"} count(*) * (count(*) - 1) / 2"""


def client_twins(actor: Actor, *, way: str = "name", after: str = "", distinct: bool = False) -> TwinsPage:
    """Clients whose name is the same but for the form of company and punctuation, or whose web site is.

    Those whom a person called different are left out; `distinct` gives only them.
    Read along an index, so that a page costs the same in a big book; three queries.
    """
    actor.require(Permission.VIEW_BOOK)
    column = _CLIENT_COLUMNS.get(way, "name_stem")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {column}, min({"name" if column == "name_stem" else column}), array_agg(id ORDER BY id)
            FROM book_client
            WHERE company_id = %(company)s AND deleted_at IS NULL AND {column} <> '' AND {column} > %(after)s
                {"AND rep_id = %(user)s" if actor.own_clients_only else ""}
            GROUP BY {column} {_having("book_client.id", distinct=distinct)} ORDER BY {column} LIMIT %(size)s
            """,
            _parameters(actor, "client", after),
        )
        found = cursor.fetchall()
    rows = {
        client.pk: Named(client.pk, client.name, client.account_number)
        for client in clients_of(actor).filter(pk__in=[pk for _, _, ids in found for pk in ids])
    }
    return _page(found, rows)


def contact_twins(actor: Actor, *, way: str = "email", after: str = "", distinct: bool = False) -> TwinsPage:
    """Contacts of the same e-mail address, or of the same name at one client; five queries at most.

    Those whom a person called different are left out; `distinct` gives only them.
    """
    actor.require(Permission.VIEW_BOOK)
    own = ""
    if actor.own_clients_only:
        own = "AND EXISTS (SELECT FROM book_client c WHERE c.id = k.client_id AND c.rep_id = %(user)s)"
    if way == "name":
        sql = f"""
            SELECT k.client_id || ' ' || k.name_key, min(btrim(k.first_name || ' ' || k.last_name)),
                array_agg(k.id ORDER BY k.id)
            FROM book_contact k
            WHERE k.company_id = %(company)s AND k.deleted_at IS NULL AND k.client_id > %(after)s
                AND k.first_name <> '' AND k.last_name <> '' {own}
            GROUP BY k.client_id, k.name_key {_having("k.id", distinct=distinct)}
            ORDER BY k.client_id, k.name_key LIMIT %(size)s"""
        parameters = _parameters(actor, "contact", int(after) if after.isdigit() and len(after) < 19 else 0)
    else:
        sharing = _who_share_an_address(actor)
        sql = f"""
            SELECT k.email_key, k.email_key, array_agg(k.id ORDER BY k.id) FROM book_contact k
            WHERE k.company_id = %(company)s AND k.deleted_at IS NULL AND k.email_key <> ''
                AND k.email_key > %(after)s {own} {"AND k.id = ANY(%(ids)s)" if sharing is not None else ""}
            GROUP BY k.email_key {_having("k.id", distinct=distinct)} ORDER BY k.email_key LIMIT %(size)s"""
        parameters = _parameters(actor, "contact", after) | {"ids": sharing}
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found = cursor.fetchall()
    rows = {
        contact.pk: Named(contact.pk, contact.full_name or contact.email, contact.client.name)
        for contact in contacts_of(actor)
        .filter(pk__in=[pk for _, _, ids in found for pk in ids])
        .select_related("client")
    }
    page = _page(found, rows)
    if way == "name" and page.next:
        # By client: what is left of the last client of the page is looked at again with the next one.
        last = int(str(found[-1][0]).split(" ", 1)[0])
        return TwinsPage(page.groups, str(last))
    return page


def _who_share_an_address(actor: Actor) -> list[int] | None:
    """Ids of the contacts whose address another one has as well; None where the index tells as quickly."""
    if not Tally.objects.filter(company=actor.company, subject=CONTACT).exists():
        return None
    sheet = read_sheet(actor.company.pk, CONTACT, [("shared", YES)])
    sharing = sheet.having("shared", [YES])
    return sheet.ids(sharing) if sharing.bit_count() <= FEW_SHARE else None


def _parameters(actor: Actor, subject: str, after: str | int) -> dict[str, object]:
    return {
        "company": actor.company.pk,
        "subject": subject,
        "user": actor.user.pk if actor.user else None,
        "after": after.replace("\x00", "") if isinstance(after, str) else after,
        "most": MOST_IN_GROUP,
        "size": SIZE,
    }


def _page(found: Sequence[tuple[str, str, list[int]]], rows: dict[int, Named]) -> TwinsPage:
    groups = tuple(Twins(shared, tuple(rows[pk] for pk in ids if pk in rows)) for _, shared, ids in found)
    return TwinsPage(groups, str(found[-1][0]) if len(found) == SIZE else "")
