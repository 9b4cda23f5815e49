"""The merge values of one write: checked against the audience's fields as a whole (contract, 3.2)."""

from __future__ import annotations

from typing import Any

from . import problems
from .audience import Audience
from .member import Member
from .merge_field import (
    ADDRESS_INCOMPLETE,
    VALUE_MISSING,
    BadValue,
    MergeValue,
    accept,
    is_incomplete_address,
)
from .messages import translate
from .problems import FieldError
from .switches import Switches

__all__ = ["written_values"]


def written_values(
    audience: Audience,
    member: Member | None,
    sent: dict[str, Any] | None,
    switches: Switches,
    *,
    skip_required: bool,
) -> tuple[MergeValue, ...]:
    """The values the member will have after `sent`; raises Problem ("Your merge fields were invalid.").

    Keys that are no field of the audience vanish without a word (trap 11); keys not sent keep their value. A
    required value that stays missing is refused unless `skip_required`; an incomplete address that is already
    stored is refused even if it is not sent (trap 6).
    """
    before = member.values if member else ()
    if sent is None and member is not None:
        _refuse(audience, switches, _stored_address_errors(audience, before, {}, switches))
        return before
    sent = sent or {}
    values = list(before)
    values += [""] * (max((column for _, column in audience.columns), default=-1) + 1 - len(values))
    errors: list[FieldError] = []
    for field in audience.merge_fields.values():
        if field.tag in sent:
            try:
                values[field.column] = audience.shared(accept(field, sent[field.tag], switches))
            except BadValue as error:
                errors.append((field.tag, str(error)))
                continue
        if field.required and not skip_required and values[field.column] == "":
            errors.append((field.tag, VALUE_MISSING))
    errors += _stored_address_errors(audience, before, sent, switches)
    _refuse(audience, switches, errors)
    while values and values[-1] == "":
        values.pop()
    return tuple(values)


def _stored_address_errors(
    audience: Audience, stored: tuple[MergeValue, ...], sent: dict[str, Any], switches: Switches
) -> list[FieldError]:
    if switches.stored_address != "refuse":
        return []
    return [
        (tag, ADDRESS_INCOMPLETE)
        for tag, column in audience.columns
        if tag not in sent and column < len(stored) and is_incomplete_address(stored[column])
    ]


def _refuse(audience: Audience, switches: Switches, errors: list[FieldError]) -> None:
    if not errors:
        return
    language = audience.language if switches.translate else "en"
    raise problems.merge_fields_invalid((field, translate(message, language)) for field, message in errors)
