"""Many rows in one statement: columns as arrays, unnested by PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection as database


def execute_rows(
    sql: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], extra: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run `sql`, in which `{rows}` stands for a table `n` with the given columns, once for all rows.

    `columns` are (name, PostgreSQL type). Returns what the statement returns.
    Nothing is run for no rows.
    """
    if not rows:
        return []
    arrays = {
        f"_{name}": list(values) for (name, _), values in zip(columns, zip(*rows, strict=True), strict=True)
    }
    table = "unnest({}) AS n({})".format(
        ", ".join(f"%(_{name})s::{kind}[]" for name, kind in columns), ", ".join(name for name, _ in columns)
    )
    with database.cursor() as cursor:
        cursor.execute(sql.replace("{rows}", table), arrays | dict(extra))
        return cursor.fetchall() if cursor.description else []
