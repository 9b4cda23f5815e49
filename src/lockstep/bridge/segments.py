"""Segments over our fields, made because a person asked (contract 10). They read members, and change none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lockstep.bridge.failures import translated
from lockstep.core.field_map import FIELD_SPECS, FieldMap
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.wire import NewSegment, SegmentOptions

TextOp: TypeAlias = Literal[
    "is", "not", "contains", "notcontain", "starts", "ends", "greater", "less", "blank", "blank_not"
]

_INDEX = {spec.name: index for index, spec in enumerate(FIELD_SPECS)}


@dataclass(frozen=True, slots=True)
class TextRule:
    """One condition on one of our fields, by its name in the book (`FieldSpec.name`)."""

    field: str
    op: TextOp
    value: str = ""


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    segment_id: int
    name: str
    member_count: int


async def create_segment(
    api: MailchimpAPI,
    list_id: str,
    field_map: FieldMap,
    name: str,
    rules: Sequence[TextRule],
    match: Literal["any", "all"] = "all",
) -> SegmentFacts:
    """A saved segment, found again by its members' values as they change.

    Raises ValueError without a rule or for a field that is not ours, `SetupRefused`
    where Mailchimp would not make it.
    """
    conditions = [_condition(field_map, rule) for rule in rules]
    if not conditions:
        raise ValueError("a segment needs at least one rule")
    options = SegmentOptions(match=match, conditions=conditions)
    with translated():
        made = await api.create_segment(list_id, NewSegment(name=name, options=options))
    return SegmentFacts(made.id, made.name, made.member_count)


def _condition(field_map: FieldMap, rule: TextRule) -> dict[str, str]:
    if rule.field not in _INDEX:
        raise ValueError(f"there is no field {rule.field!r}")
    condition = {"condition_type": "TextMerge", "field": field_map.tags[_INDEX[rule.field]], "op": rule.op}
    if rule.op not in ("blank", "blank_not"):
        condition["value"] = rule.value
    return condition
