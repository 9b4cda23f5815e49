"""Failed contacts grouped by cause."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Max

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.queries.members import MemberRow, members, records_in
from lockstep.core.member import SyncState
from lockstep.core.outcome import RefusalKind


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """One cause: how many, Mailchimp's own words for one of them, and the first rows."""

    kind: RefusalKind
    count: int
    sample_text: str
    fields: tuple[str, ...]
    """Tags of the audience fields that Mailchimp complained about."""
    rows: tuple[MemberRow, ...]


def failures(connection: Connection, *, rows_each: int = 3, rep_id: int | None = None) -> list[FailureGroup]:
    """The causes, most frequent first; the counts add up to the Failed tab's."""
    failed = records_in(connection, SyncState.FAILED, rep_id=rep_id)
    groups = (
        failed.values("refusal_kind")
        .annotate(number=Count("id"), sample=Max("refusal_text"))
        .order_by("-number")
    )
    named: dict[str, set[str]] = {}
    for kind, name in (
        failed.exclude(refusal_field="").values_list("refusal_kind", "refusal_field").distinct()
    ):
        named.setdefault(kind, set()).add(name)
    return [
        FailureGroup(
            kind=RefusalKind(group["refusal_kind"] or RefusalKind.OTHER.value),
            count=group["number"],
            sample_text=group["sample"],
            fields=tuple(sorted(named.get(group["refusal_kind"], ()))),
            rows=members(
                connection,
                SyncState.FAILED,
                size=rows_each,
                refusal_kind=group["refusal_kind"],
                rep_id=rep_id,
            ).rows,
        )
        for group in groups
    ]
