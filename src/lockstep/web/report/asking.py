"""What the report's address asks for: the filter as the queries take it, and as chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.http import QueryDict

from lockstep.apps.connections.models import Connection
from lockstep.apps.reports.columns import STANDING_WORDS, USUAL, Column, columns_of
from lockstep.apps.reports.filters import EMAILS, STANDINGS, ReportFilter
from lockstep.apps.reports.queries import Offer
from lockstep.core.member import Reason, SyncState
from lockstep.web.filters import Filter, chosen_ids

__all__ = ["chips", "chosen_columns", "report_filter"]

_YES_NO = {"yes": True, "no": False}
_EMAIL_WORDS = {
    "valid": "With a usable e-mail",
    "invalid": "With an invalid e-mail",
    "none": "Without e-mail",
}

#: Address name, label, kind of offers; the first ones stand in the toolbar, the others under “More filters”.
_LISTED = (
    ("status", "Client status", "status"),
    ("department", "Department", "department"),
    ("industry", "Industry", "industry"),
    ("client_tag", "Client tags", "client_tag"),
    ("tag", "Contact tags", "tag"),
    ("rep", "Rep", "rep"),
    ("state", "State", "state"),
)
_MORE = (
    ("country", "Country", "country"),
    ("client_tag_all", "Client tags, all of", "client_tag"),
    ("client_tag_none", "Client tags, none of", "client_tag"),
    ("tag_all", "Contact tags, all of", "tag"),
    ("tag_none", "Contact tags, none of", "tag"),
)


def report_filter(query: QueryDict) -> ReportFilter:
    """Whatever is no filter is left out."""

    def texts(name: str) -> list[str]:
        given = [text[:100].replace("\x00", "") for text in query.getlist(name)[:200]]
        return ["" if text == "0" else text for text in given if text]

    return ReportFilter(
        status_ids=chosen_ids(query, "status"),
        industry_ids=chosen_ids(query, "industry"),
        department_ids=chosen_ids(query, "department"),
        rep_ids=chosen_ids(query, "rep"),
        client_tag_ids=chosen_ids(query, "client_tag"),
        client_tag_ids_all=chosen_ids(query, "client_tag_all"),
        client_tag_ids_none=chosen_ids(query, "client_tag_none"),
        contact_tag_ids=chosen_ids(query, "tag"),
        contact_tag_ids_all=chosen_ids(query, "tag_all"),
        contact_tag_ids_none=chosen_ids(query, "tag_none"),
        states=tuple(texts("state")),
        countries=tuple(texts("country")),
        active=_YES_NO.get(query.get("active", "")),
        no_marketing=_YES_NO.get(query.get("no_marketing", "")),
        emails=tuple(email for email in EMAILS if email in query.getlist("email")),
        standings=tuple(standing for standing in STANDINGS if standing in query.getlist("sync")),
        search=query.get("q", "").strip()[:200],
        set=query.get("set", "")[:100],
    )


def chosen_columns(query: QueryDict) -> list[Column]:
    return columns_of(query.getlist("cols") or USUAL)


def chips(
    query: QueryDict,
    offers: Mapping[str, Sequence[Offer]],
    connection: Connection | None,
    connections: Sequence[Connection],
    *,
    counts: bool,
) -> tuple[list[Filter], list[Filter]]:
    """Those of the toolbar, and those behind “More filters”."""

    def listed(name: str, label: str, kind: str) -> Filter:
        rows = [
            (offer.value, offer.name, offer.number if counts else None, offer.glyph) for offer in offers[kind]
        ]
        return Filter.of(name, label, rows, query.getlist(name))

    first = [listed(*one) for one in _LISTED]
    words = STANDING_WORDS
    if connection is None or not connection.on:
        words = {key: text for key, text in words.items() if key not in set(SyncState)}
    if connection is None:
        words = {key: text for key, text in words.items() if key != Reason.OUTSIDE}
    first.append(
        Filter.of("sync", "Sync", [(k, v, None, "") for k, v in words.items()], query.getlist("sync"))
    )
    more = [listed(*one) for one in _MORE]
    emails = [(key, text, None, "") for key, text in _EMAIL_WORDS.items()]
    more.append(Filter.of("email", "E-mail", emails, query.getlist("email")))
    for name, label, yes, no in (
        ("active", "Active", "Active", "Inactive"),
        ("no_marketing", "No Marketing", "Flagged No Marketing", "Not flagged"),
    ):
        rows = [("yes", yes, None, ""), ("no", no, None, "")]
        more.append(Filter.of(name, label, rows, query.getlist(name), single=True))
    if len(connections) > 1:
        audiences = [(one.pk, one.list_name, None, "") for one in connections]
        chosen = [str(connection.pk)] if "audience" in query and connection else []
        more.append(Filter.of("audience", "Compared with audience", audiences, chosen, single=True))
    return first, more
