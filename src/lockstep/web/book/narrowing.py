"""What the lists' addresses ask for: filters as the queries take them, and as chips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.http import QueryDict

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.queries import ChoiceRow, ClientFilter, ContactFilter, list_values, reps, tags
from lockstep.web.filters import Filter, chosen_ids

__all__ = ["client_chips", "client_filter", "contact_chips", "contact_filter"]

_SHOW = (("inactive", "Inactive", None, ""), ("deleted", "Deleted", None, ""))
_MARKETING = (
    ("no_marketing", "No Marketing", None, ""),
    ("may", "Without No Marketing", None, ""),
    ("no_email", "Without usable e-mail", None, ""),
)


def _search(query: QueryDict) -> str:
    return query.get("q", "").strip()[:200]


def client_filter(query: QueryDict) -> ClientFilter:
    show = query.get("show")
    return ClientFilter(
        search=_search(query),
        status_ids=chosen_ids(query, "status"),
        industry_ids=chosen_ids(query, "industry"),
        rep_ids=chosen_ids(query, "rep"),
        tag_ids=chosen_ids(query, "tag"),
        active=False if show == "inactive" else None,
        deleted=show == "deleted",
    )


def contact_filter(query: QueryDict, *, client_id: int | None = None) -> ContactFilter:
    show, marketing = query.get("show"), query.get("marketing")
    return ContactFilter(
        search=_search(query),
        client_id=client_id,
        status_ids=chosen_ids(query, "status"),
        industry_ids=chosen_ids(query, "industry"),
        rep_ids=chosen_ids(query, "rep"),
        client_tag_ids=chosen_ids(query, "client_tag"),
        department_ids=chosen_ids(query, "department"),
        contact_tag_ids=chosen_ids(query, "tag"),
        no_marketing={"no_marketing": True, "may": False}.get(marketing or ""),
        has_email=False if marketing == "no_email" else None,
        active=False if show == "inactive" else None,
        deleted=show == "deleted",
    )


def _rows(
    values: Iterable[ChoiceRow], *, counts: bool, none: str = ""
) -> list[tuple[object, str, int | None, str]]:
    rows: list[tuple[object, str, int | None, str]] = [
        (value.id, value.name, value.count if counts else None, value.glyph) for value in values
    ]
    return [*rows, (0, none, None, "")] if none else rows


def client_chips(
    actor: Actor, query: QueryDict, statuses: Sequence[ChoiceRow], *, counts: bool
) -> list[Filter]:
    """The filters of the clients list; without `counts` they are cheap, for redrawing the chips only."""
    return [
        Filter.of(
            "status",
            "Status",
            _rows(statuses, counts=counts, none="No status"),
            query.getlist("status"),
        ),
        Filter.of(
            "industry",
            "Industry",
            _rows(
                list_values(actor, ListValue.Kind.INDUSTRY, counts=counts), counts=counts, none="No industry"
            ),
            query.getlist("industry"),
        ),
        Filter.of("rep", "Rep", _rows(reps(actor), counts=counts, none="No rep"), query.getlist("rep")),
        Filter.of(
            "tag",
            "Tags",
            _rows(tags(actor, Tag.Kind.CLIENT, counts=counts), counts=counts, none="No tags"),
            query.getlist("tag"),
        ),
        Filter.of("show", "Show", _SHOW, query.getlist("show"), single=True),
    ]


def contact_chips(
    actor: Actor, query: QueryDict, *, counts: bool, of_client: bool = False
) -> Sequence[Filter]:
    """The filters of a contacts list; those about the client only where the list is of all clients."""
    own = [
        Filter.of(
            "department",
            "Department",
            _rows(
                list_values(actor, ListValue.Kind.DEPARTMENT, counts=counts),
                counts=counts,
                none="No department",
            ),
            query.getlist("department"),
        ),
        Filter.of("marketing", "Marketing", _MARKETING, query.getlist("marketing"), single=True),
        Filter.of(
            "tag",
            "Tags",
            _rows(tags(actor, Tag.Kind.CONTACT, counts=counts), counts=counts, none="No tags"),
            query.getlist("tag"),
        ),
        Filter.of("show", "Show", _SHOW, query.getlist("show"), single=True),
    ]
    if of_client:
        return own
    status = Filter.of(
        "status",
        "Client status",
        _rows(list_values(actor, ListValue.Kind.STATUS, counts=False), counts=False, none="No status"),
        query.getlist("status"),
    )
    rep = Filter.of("rep", "Rep", _rows(reps(actor), counts=False, none="No rep"), query.getlist("rep"))
    return [status, *own[:1], rep, *own[1:]]
