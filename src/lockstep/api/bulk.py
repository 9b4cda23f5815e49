"""Up to 1,000 upserts in a call, each with its own result: one that is refused stops no other (P5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import transaction
from ninja import Schema
from pydantic import Field

from lockstep.api.problems import FieldProblem, field_problems
from lockstep.apps.accounts.permissions import NotPermitted
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.services import Upserted

LARGEST = 1_000

T = TypeVar("T")


class ItemResult(Schema):
    """What became of one item; `position` counts from 0, as in the call."""

    position: int
    result: str = Field(description="`created`, `updated`, `unchanged` or `refused`.")
    id: int | None = None
    external_id: str = ""
    warnings: list[str] = Field(default_factory=list)
    errors: list[FieldProblem] = Field(default_factory=list)


class BulkAnswer(Schema):
    """Counts that add up to the number of items, and a result for each, in their order."""

    created: int
    updated: int
    unchanged: int
    refused: int
    items: list[ItemResult]


class Bulk(Generic[T]):
    """The work: `upsert` is given one item and says what it did."""

    def __init__(self, upsert: Callable[[T], Upserted], external_id: Callable[[T], str]) -> None:
        self.upsert = upsert
        self.external_id = external_id

    def run(self, items: Sequence[T]) -> BulkAnswer:
        """All of them, in one transaction with a savepoint for each."""
        with transaction.atomic():
            results = [self._one(position, item) for position, item in enumerate(items)]
        counts = dict.fromkeys(("created", "updated", "unchanged", "refused"), 0)
        for result in results:
            counts[result.result] += 1
        return BulkAnswer(**counts, items=results)

    def _one(self, position: int, item: T) -> ItemResult:
        told = self.external_id(item)
        try:
            with transaction.atomic():
                done = self.upsert(item)
        except Invalid as error:
            return ItemResult(
                position=position, result="refused", external_id=told, errors=field_problems(error)
            )
        except (NotFound, NotPermitted) as error:
            problems = [FieldProblem(field="", message=str(error))]
            return ItemResult(position=position, result="refused", external_id=told, errors=problems)
        return ItemResult(
            position=position,
            result=done.result,
            id=done.id,
            external_id=told,
            warnings=list(done.warnings),
        )
