"""Whatever writes the book, the objects whose facets change are marked in the same transaction.

Rows name what was touched, not the contacts that follow from it. Who reads
expands them, so that a contact which comes to a client or to an address in
another transaction at the same moment is never overlooked.
"""

from __future__ import annotations

from collections.abc import Sequence

import pgtrigger

_MARK = "INSERT INTO book_tallymark (company_id, kind, object_id, key, marked_at)"


def _differs(columns: Sequence[str]) -> str:
    old = ", ".join(f"o.{column}" for column in columns)
    new = ", ".join(f"n.{column}" for column in columns)
    return f"({old}) IS DISTINCT FROM ({new})"


def mark_tallies(
    kind: str, columns: Sequence[str], *, object_id: str = "id", by_key: Sequence[str] = ()
) -> list[pgtrigger.Trigger]:
    """Triggers for a table that has `company_id`: insert, delete, update of `columns`.

    With `by_key` a row also marks its `email_key`, the old one and the new one,
    when it comes, goes, or one of these columns changes.
    """

    def rows(alias: str, source: str) -> str:
        select = (
            f"SELECT DISTINCT {alias}.company_id, '{kind}', {alias}.{object_id}, '', clock_timestamp()"
            f" FROM {source}"
        )
        return f"{_MARK} {select};"

    def keys(alias: str, source: str) -> str:
        if not by_key:
            return ""
        where = " AND " if " WHERE " in source else " WHERE "
        select = f"SELECT DISTINCT {alias}.company_id, 'key', 0, {alias}.email_key, clock_timestamp()"
        return f"{_MARK} {select} FROM {source}{where}{alias}.email_key <> '';"

    both = "new_rows n JOIN old_rows o USING (id)"
    changed = f"{both} WHERE {_differs(columns)}"
    updates = rows("n", changed)
    if object_id != "id":  # a row that moved to another owner marks the one it left as well
        updates += rows("o", f"{both} WHERE {_differs((object_id,))}")
    if by_key:
        moved = f"{both} WHERE {_differs(by_key)}"
        updates += keys("o", moved) + keys("n", moved)

    def trigger(name: str, operation: pgtrigger.Operation, body: str, **tables: str) -> pgtrigger.Trigger:
        return pgtrigger.Trigger(
            name=f"tally_{name}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=pgtrigger.Referencing(**tables),
            func=f"{body} RETURN NULL;",
        )

    return [
        trigger("update", pgtrigger.Update, updates, old="old_rows", new="new_rows"),
        trigger(
            "insert", pgtrigger.Insert, rows("n", "new_rows n") + keys("n", "new_rows n"), new="new_rows"
        ),
        trigger(
            "delete", pgtrigger.Delete, rows("o", "old_rows o") + keys("o", "old_rows o"), old="old_rows"
        ),
    ]
