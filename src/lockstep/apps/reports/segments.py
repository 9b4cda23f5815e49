"""A report as conditions on our audience fields: what Mailchimp's segments can say of it, and what not. Pure.

A saved segment joins its conditions by “all” or by “any”, never by both
(contract 10), and takes five of them on the usual plans. So a report fits when
each filter has one value, or when one filter alone has several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lockstep.apps.reports.filters import ReportFilter
from lockstep.bridge.segments import TextRule
from lockstep.core.member import Reason

MOST_RULES = 5
"""Conditions in one segment on Mailchimp's usual plans."""

NONE_GIVEN = "0"


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """What would be made. With anything in `cannot` the segment would mean something else and is not made."""

    rules: tuple[TextRule, ...]
    match: Literal["any", "all"]
    cannot: tuple[str, ...]
    """Why not, one sentence each."""
    notes: tuple[str, ...]
    """What will be a little different in Mailchimp."""

    @property
    def possible(self) -> bool:
        return bool(self.rules) and not self.cannot


@dataclass(frozen=True, slots=True)
class _Filter:
    label: str
    field: str
    values: Sequence[str]
    tags: bool = False


def plan_segment(wanted: ReportFilter, names: Mapping[str, Mapping[str, str]]) -> SegmentPlan:
    """`names` maps the kinds of `queries.offers` to the names of their values, reps as “First|Last”."""
    cannot = _unsayable(wanted)
    filters = [one for one in _filters(wanted, names) if one.values]
    single = [_rule(one, one.values[0]) for one in filters if len(one.values) == 1]
    several = [one for one in filters if len(one.values) > 1]
    for rep in wanted.rep_ids if len(wanted.rep_ids) == 1 else ():
        single += _rep_rules(names.get("rep", {}).get(str(rep), "|"))
    for tags, field, kind in (
        (wanted.client_tag_ids_all, "client_tags", "client_tag"),
        (wanted.contact_tag_ids_all, "contact_tags", "tag"),
    ):
        single += [_tag_rule(field, names[kind].get(str(tag), ""), "contains") for tag in tags]
    for tags, field, kind in (
        (wanted.client_tag_ids_none, "client_tags", "client_tag"),
        (wanted.contact_tag_ids_none, "contact_tags", "tag"),
    ):
        single += [_tag_rule(field, names[kind].get(str(tag), ""), "notcontain") for tag in tags]
    if len(wanted.rep_ids) > 1:
        cannot.append("A rep is two fields in Mailchimp, first and last name, so only one rep can be chosen.")
    if len(several) > 1 or (several and single):
        both = " and ".join(one.label for one in several)
        cannot.append(
            f"A segment joins all its conditions by “all” or by “any”. Here {both} "
            f"{'have' if len(several) > 1 else 'has'} several values, and there are other filters besides."
        )
    rules, match = single, "all"
    if several and not single:
        rules, match = [_rule(several[0], value) for value in several[0].values], "any"
    elif len(rules) < MOST_RULES:
        rules = [*rules, TextRule("sync_status", "is", "Active")]
    if len(rules) > MOST_RULES:
        cannot.append(
            f"This takes {len(rules)} conditions; Mailchimp’s usual plans allow {MOST_RULES} in one segment."
        )
    return SegmentPlan(tuple(rules), match, tuple(cannot), _notes(rules, match))  # type: ignore[arg-type]


def _unsayable(wanted: ReportFilter) -> list[str]:
    cannot = []
    if wanted.search:
        cannot.append("A search can’t be said: a segment compares whole fields.")
    if wanted.set:
        cannot.append("Contacts that a campaign or a link chose have no field in Mailchimp.")
    if wanted.active is False:
        cannot.append("Inactive contacts are not in Mailchimp.")
    if wanted.no_marketing:
        cannot.append("Contacts flagged No Marketing are not in Mailchimp.")
    if wanted.emails and "valid" not in wanted.emails:
        cannot.append("Contacts without a usable e-mail address are not in Mailchimp.")
    if wanted.standings and Reason.FITS.value not in wanted.standings and "synced" not in wanted.standings:
        cannot.append("Who is left out of the sync, or has not arrived, can’t be found in Mailchimp.")
    return cannot


def _filters(wanted: ReportFilter, names: Mapping[str, Mapping[str, str]]) -> list[_Filter]:
    def named(kind: str, ids: Sequence[int]) -> list[str]:
        return ["" if pk == 0 else names.get(kind, {}).get(str(pk), "") for pk in ids]

    return [
        _Filter("Client status", "client_status", named("status", wanted.status_ids)),
        _Filter("Industry", "industry", named("industry", wanted.industry_ids)),
        _Filter("Department", "department", named("department", wanted.department_ids)),
        _Filter("State", "state", list(wanted.states)),
        _Filter("Country", "country", list(wanted.countries)),
        _Filter("Client tags", "client_tags", named("client_tag", wanted.client_tag_ids), tags=True),
        _Filter("Contact tags", "contact_tags", named("tag", wanted.contact_tag_ids), tags=True),
    ]


def _rule(one: _Filter, value: str) -> TextRule:
    if one.tags:
        return _tag_rule(one.field, value, "contains")
    return TextRule(one.field, "is", value) if value else TextRule(one.field, "blank")


def _tag_rule(field: str, name: str, op: Literal["contains", "notcontain"]) -> TextRule:
    """“contains”, because a contact has several tags in one field: “is” finds who has that one tag only."""
    if name:
        return TextRule(field, op, name)
    return TextRule(field, "blank" if op == "contains" else "blank_not")


def _rep_rules(name: str) -> list[TextRule]:
    first, _, last = name.partition("|")
    rules = [("rep_first_name", first), ("rep_last_name", last)]
    return [TextRule(field, "is", value) if value else TextRule(field, "blank") for field, value in rules]


def _notes(rules: Sequence[TextRule], match: str) -> tuple[str, ...]:
    notes = []
    if any(rule.op in ("contains", "notcontain") for rule in rules):
        notes.append(
            "“Contains” looks for the letters: a tag “Gold” is also found within “Goldfinch”,"
            " and within a list of tags that was cut it may be missing."
        )
    if match == "any":
        notes.append(
            "People who left the sync keep their last values in Mailchimp. With “any” they can’t be"
            " told apart, so they count, too."
        )
    return tuple(notes)
