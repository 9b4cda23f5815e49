"""Finds what is called a name, whatever its case, by the index that keeps names unique."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet, Value
from django.db.models.functions import Lower

M = TypeVar("M", bound=Model)


def named(rows: QuerySet[M], name: str) -> QuerySet[M]:
    """Those of `rows` whose name is `name` in any case (`iexact` would not use the index on lower case)."""
    return rows.alias(_lower_name=Lower("name")).filter(_lower_name=Lower(Value(name)))
