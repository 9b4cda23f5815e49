"""Change capture: whatever writes the book, the touched rows are recorded and the workers are told.

The triggers are statement-level, so one bulk statement over 50,000 rows costs
one set-based INSERT and at most one notification a company. A row is recorded
only when a column that a member is made of, or that decides whether a contact
fits, really changed. Rows name what was touched (`Change.Kind`), not the
contacts that follow from it: expanding a renamed tag to its contacts is work
for the reader, off the writer's path.

Readers delete the rows they took (never a cursor over ids: ids become visible
in another order than they were drawn).
"""

from __future__ import annotations

from collections.abc import Sequence

import pgtrigger

CHANNEL = "lockstep_change"
"""PostgreSQL notification channel; the payload is the company's id."""


def _record(kind: str, source: str) -> str:
    """SQL that records the rows of `source` (columns company_id, object_id) and notifies."""
    return f"""
        WITH touched AS (
            INSERT INTO book_change (company_id, kind, object_id, recorded_at)
            SELECT s.company_id, '{kind}', s.object_id, clock_timestamp()
            FROM ({source}) AS s(company_id, object_id)
            RETURNING company_id
        )
        SELECT count(pg_notify('{CHANNEL}', t.company_id::text)) INTO touched_companies
        FROM (SELECT DISTINCT company_id FROM touched) AS t;
        RETURN NULL;
    """


def _differs(columns: Sequence[str]) -> str:
    old = ", ".join(f"o.{column}" for column in columns)
    new = ", ".join(f"n.{column}" for column in columns)
    return f"({old}) IS DISTINCT FROM ({new})"


_DECLARE = [("touched_companies", "bigint")]


def capture(
    kind: str,
    columns: Sequence[str],
    *,
    object_id: str = "id",
    on_insert: bool = True,
    on_delete: bool = True,
) -> list[pgtrigger.Trigger]:
    """Triggers for a table that has `company_id`: insert, update of `columns`, delete, truncate.

    Emptying a table at once touches every row that is in it: these are recorded before they go.
    `object_id` names the column that is recorded: an address records its client.
    """
    new, old = f"n.company_id, n.{object_id}", f"o.company_id, o.{object_id}"
    both = "new_rows n JOIN old_rows o USING (id)"
    moved = ""
    if object_id != "id":  # a row that moved to another owner touches the owner it left as well
        moved = f" UNION SELECT {old} FROM {both} WHERE {_differs((object_id,))}"
    triggers = [
        pgtrigger.Trigger(
            name=f"capture_{kind}_update",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
            declare=_DECLARE,
            func=_record(
                kind,
                f"SELECT DISTINCT {new} FROM {both} WHERE {_differs(columns)}" + moved,
            ),
        )
    ]
    if on_insert:
        triggers.append(
            pgtrigger.Trigger(
                name=f"capture_{kind}_insert",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_rows"),
                declare=_DECLARE,
                func=_record(kind, f"SELECT DISTINCT {new} FROM new_rows n"),
            )
        )
    if on_delete:
        triggers.append(
            pgtrigger.Trigger(
                name=f"capture_{kind}_delete",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                referencing=pgtrigger.Referencing(old="old_rows"),
                declare=_DECLARE,
                func=_record(kind, f"SELECT DISTINCT {old} FROM old_rows o"),
            )
        )
    triggers.append(
        pgtrigger.Trigger(
            name=f"capture_{kind}_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            declare=_DECLARE,
            func=pgtrigger.Func(_record(kind, f"SELECT DISTINCT {old} FROM {{meta.db_table}} o")),
        )
    )
    return triggers


def capture_user_names(kind: str) -> list[pgtrigger.Trigger]:
    """A renamed user is a renamed rep in every company where the user has clients, or could get one.

    Seats count as well as clients: a client that gets this rep in another
    transaction, committed between this statement and its commit, is not yet
    seen here, while its own change is read with the old name still.
    """
    source = """
        SELECT c.company_id, r.id FROM renamed r JOIN book_client c ON c.rep_id = r.id
        UNION SELECT t.company_id, r.id FROM renamed r JOIN accounts_seat t ON t.user_id = r.id"""
    renamed = (
        "SELECT n.id FROM new_rows n JOIN old_rows o USING (id)"
        f" WHERE {_differs(('first_name', 'last_name'))}"
    )
    return [
        pgtrigger.Trigger(
            name=f"capture_{kind}_update",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
            declare=_DECLARE,
            func=_record(kind, f"WITH renamed AS ({renamed}) {source}"),
        )
    ]
