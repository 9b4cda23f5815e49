"""Generates big made-up books to measure with: set-based SQL, a million contacts in a minute or two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, transaction

from lockstep.apps.accounts.models import Company, Seat, User
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book import sample_names as words
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.services.list_values import add_starting_values
from lockstep.apps.book.services.tags import ensure_tags
from lockstep.apps.book.tallies.building import make_tallies


def generate_book(
    company: Company,
    *,
    clients: int = 120_000,
    contacts: int = 1_000_000,
    batch: int = 100_000,
    at_once: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Add a big made-up book for measurements: the same for the same numbers.

    Written batch by batch, each its own transaction; `progress(what, done, of)`
    is told after each. Of the contacts, 3 in 100 have no address, 1 an
    impossible one, 2 share one, 4 are marked No Marketing, 2 are inactive, and 8 have an
    address of their own.

    With `at_once` above 1 so many batches are written at the same time, each on
    a database connection of its own: not inside a transaction then, and ids
    are not in the order of the batches.
    """
    add_starting_values(company)
    ids: dict[str, Any] = {
        kind: list(ListValue.objects.filter(company=company, kind=kind).values_list("id", flat=True))
        for kind in ListValue.Kind.values
    }
    values = {
        "company": company.pk,
        "status": ids["status"],
        "industry": ids["industry"],
        "department": ids["department"],
        "client_tags": ensure_tags(company, Tag.Kind.CLIENT, words.CLIENT_TAGS),
        "contact_tags": ensure_tags(company, Tag.Kind.CONTACT, words.CONTACT_TAGS),
        "first": list(words.FIRST_NAMES),
        "last": [name.replace("_", " ") for name in words.LAST_NAMES],
        "word": list(words.CLIENT_WORDS),
        "business": [business for business, _industry in words.BUSINESSES],
        "position": [position for _department, positions in words.POSITIONS for position in positions],
        "city": [place[0] for place in words.PLACES],
        "state": [place[1] for place in words.PLACES],
        "postal": [place[2] for place in words.PLACES],
        "country": [place[3] for place in words.PLACES],
        "reps": list(Seat.objects.filter(company=company).order_by("id").values_list("user_id", flat=True)),
        "mark": f"{company.pk}-",
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM book_client WHERE company_id = %s", [company.pk])
        (start,) = cursor.fetchone()
    shared = values | {"start": start, "clients": clients}
    for what, statement, count in (("clients", _CLIENTS, clients), ("contacts", _CONTACTS, contacts)):
        batches = [
            shared | {"from": start + first, "to": start + min(first + batch, count) - 1}
            for first in range(0, count, batch)
        ]
        _write(what, statement, batches, count, at_once, progress)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE book_client, book_clientaddress, book_contact")
    make_tallies(company.pk)


def add_made_up_reps(company: Company, count: int) -> None:
    """Seats for so many made-up reps, who can't sign in; those that are there already are kept."""
    for place in range(count):
        first, last = words.FIRST_NAMES[place], words.LAST_NAMES[place].replace("_", " ")
        user, _ = User.objects.get_or_create(
            email=f"rep{place + 1}@company{company.pk}.internal",
            defaults={"first_name": first, "last_name": last, "password": "!"},
        )
        Seat.objects.get_or_create(company=company, user=user, defaults={"role": Role.SALES})


def _write(
    what: str,
    statement: str,
    batches: list[dict[str, Any]],
    count: int,
    at_once: int,
    progress: Callable[[str, int, int], None] | None,
) -> None:
    telling = threading.Lock()
    done = 0

    def write(batch: dict[str, Any]) -> None:
        nonlocal done
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, batch)
        finally:
            if at_once > 1:  # the thread's own connection; nobody else would close it
                connection.close()
        with telling:
            done += batch["to"] - batch["from"] + 1
            if progress:
                progress(what, done, count)

    if at_once == 1:
        for batch in batches:
            write(batch)
        return
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(write, batches))


_IDS = {"status", "industry", "department", "client_tags", "contact_tags", "reps"}


def _pick(array: str, salt: int) -> str:
    """SQL that picks from an array by the row's number `n`: always the same, without a visible pattern."""
    values = f"%({array})s::{'bigint' if array in _IDS else 'text'}[]"
    return f"({values})[1 + mod(abs(hashint8extended(n, {salt})), nullif(cardinality({values}), 0))]"


def _in_100(salt: int) -> str:
    return f"mod(abs(hashint8extended(n, {salt})), 100)"


def _some_tags(array: str, salt: int) -> str:
    return f"""CASE {_in_100(salt)} / 25 WHEN 0 THEN '{{}}'::bigint[] WHEN 1 THEN '{{}}'::bigint[]
        WHEN 2 THEN ARRAY[{_pick(array, salt + 1)}]::bigint[]
        ELSE ARRAY(SELECT DISTINCT t
            FROM unnest(ARRAY[{_pick(array, salt + 1)}, {_pick(array, salt + 2)}]) t)::bigint[] END"""


def _own(array: str) -> str:
    """8 contacts in 100 live elsewhere than their client."""
    return f"CASE WHEN {_in_100(30)} < 8 THEN {_pick(array, 31)} ELSE '' END"


_ADDED = "now() - make_interval(mins => (mod(abs(hashint8extended(n, 90)), 1400 * 1440))::int)"

_CLIENTS = f"""
    WITH made AS (
        INSERT INTO book_client (company_id, name, account_number, status_id, industry_id, rep_id, tag_ids,
                website, phone, notes, active, external_id, created_at, updated_at)
            SELECT %(company)s, {_pick("word", 1)} || ' ' || {_pick("business", 2)} || ' ' || n,
                (10000 + n)::text, {_pick("status", 3)}, {_pick("industry", 4)}, {_pick("reps", 5)},
                {_some_tags("client_tags", 6)}, '', '+1 303 555 ' || lpad(mod(n, 10000)::text, 4, '0'), '',
                {_in_100(9)} > 2, 'big-' || n, {_ADDED}, {_ADDED}
            FROM generate_series(%(from)s::bigint, %(to)s::bigint) AS n
            RETURNING id, substr(external_id, 5)::bigint AS n
    )
    INSERT INTO book_clientaddress (company_id, client_id, name, is_primary, line1, line2, city, state,
            postal_code, country)
        SELECT %(company)s, id, '', true, mod(n, 4000) || ' Main Street', '',
            {_pick("city", 10)}, {_pick("state", 10)}, {_pick("postal", 10)}, {_pick("country", 10)}
        FROM made ORDER BY n;
"""

_CONTACTS = f"""
    INSERT INTO book_contact (company_id, client_id, first_name, last_name, position, email, phone, extension,
            cell, fax, line1, line2, city, state, postal_code, country, department_id, tag_ids, no_marketing,
            no_marketing_reason, no_marketing_at, active, external_id, created_at, updated_at)
        SELECT %(company)s, c.id, {_pick("first", 20)}, {_pick("last", 21)}, {_pick("position", 22)},
            CASE WHEN {_in_100(23)} < 3 THEN ''
                WHEN {_in_100(23)} = 3 THEN 'p' || n || '@@' || 'client.internal'
                WHEN {_in_100(23)} < 6 THEN 'orders@c' || c.external_id || '.internal'
                ELSE lower(regexp_replace(normalize({_pick("first", 20)}, NFKD), '[^A-Za-z]', '', 'g'))
                    || '.' || n || '@c' || c.external_id || '.internal' END,
            '+1 303 555 ' || lpad(mod(n, 10000)::text, 4, '0'), '', '', '', '', '', '',
            {_own("state")}, '', {_own("country")},
            {_pick("department", 24)}, {_some_tags("contact_tags", 25)},
            {_in_100(28)} < 4, '', CASE WHEN {_in_100(28)} < 4 THEN now() END, {_in_100(29)} >= 2, '',
            {_ADDED}, {_ADDED}
        FROM generate_series(%(from)s::bigint, %(to)s::bigint) AS n
        JOIN book_client c ON c.company_id = %(company)s
            AND c.external_id = 'big-' || (%(start)s + mod(n - %(start)s, %(clients)s))
"""
