"""Our fields in an audience: are they there, is there room, and making them (S5, C2; contract 3).

Only fields with our own tags are ever made or changed (P2), with one exception
that a person asks for by name: `make_optional`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lockstep.bridge.failures import broken, translated, words
from lockstep.core.errors import BrokenKind, ConnectionBroken
from lockstep.core.field_map import FieldMap
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.errors import Applied, MailchimpError, RequestRefused
from lockstep.mailchimp.wire import MergeField, MergeFieldPatch, NewMergeField

TEXT = "text"


@dataclass(frozen=True, slots=True)
class RequiredField:
    """An audience field of somebody else that is marked required."""

    tag: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class FieldsReport:
    """How our fields stand in an audience, after what was done. Tags throughout."""

    wanted: tuple[str, ...]
    missing: tuple[str, ...]
    """Ours that are not there."""
    wrong_type: tuple[tuple[str, str], ...]
    """Ours that are there with another type than text (tag, type); a type can never be changed."""
    used: int
    """Fields that count towards the limit: all of them and EMAIL (contract 3.3)."""
    limit: int | None
    """Fields the plan allows; None until Mailchimp said so, which it does when a field is made."""
    created: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    """Ours whose label, or whose required or public mark, was set back."""
    refused: str = ""
    """Mailchimp's words when it would not make a field."""

    @property
    def ready(self) -> bool:
        """Every field of ours is there and takes text."""
        return not self.missing and not self.wrong_type

    @property
    def room(self) -> int | None:
        """How many more fields the plan allows; None where that is not known."""
        return None if self.limit is None else max(0, self.limit - self.used)

    def require_room(self) -> None:
        """Raises `ConnectionBroken(FIELDS_LIMIT)` when fields are missing after `ensure_fields`."""
        if self.missing:
            raise ConnectionBroken(BrokenKind.FIELDS_LIMIT, self.refused)


async def inspect_fields(api: MailchimpAPI, list_id: str, field_map: FieldMap) -> FieldsReport:
    """How our fields stand. Changes nothing."""
    with translated():
        return _report(field_map, await api.merge_fields(list_id), limit=None)


async def ensure_fields(api: MailchimpAPI, list_id: str, field_map: FieldMap) -> FieldsReport:
    """Make our missing fields as text, not required, not public, and set the labels of ours back.

    Stops making fields at the first refusal, or once Mailchimp names a limit that leaves
    too little room, and reports it rather than raising. The fields are read again at the end:
    beyond the limit some were answered well and not made (contract trap 46). Fields of
    ours that have another type are reported and left alone.
    """
    with translated():
        there = _by_tag(await api.merge_fields(list_id))
        created: list[str] = []
        reset: list[str] = []
        limit: int | None = None
        refused = ""
        for tag, label in zip(field_map.tags, field_map.labels, strict=True):
            found = there.get(tag)
            if found is not None:
                if _reset_needed(found, label):
                    patch = MergeFieldPatch(name=label, required=False, public=False)
                    await api.patch_merge_field(list_id, found.merge_id, patch)
                    reset.append(tag)
                continue
            still = sum(1 for other in field_map.tags if other not in there) - len(created)
            if refused or (limit is not None and len(there) + 1 + len(created) + still > limit):
                continue
            try:
                made = await _create(api, list_id, tag, label)
            except MailchimpError as error:
                if not isinstance(error, RequestRefused) or broken(error) is not None:
                    raise
                refused = words(error)
            else:
                limit = made.merge_field_limit or limit
                created.append(tag)
        fields = await api.merge_fields(list_id)
    report = _report(field_map, fields, limit=limit)
    done = tuple(tag for tag in created if tag not in report.missing)
    return FieldsReport(
        wanted=report.wanted,
        missing=report.missing,
        wrong_type=report.wrong_type,
        used=report.used,
        limit=report.limit,
        created=done,
        reset=tuple(reset),
        refused=refused,
    )


async def required_fields(api: MailchimpAPI, list_id: str, field_map: FieldMap) -> tuple[RequiredField, ...]:
    """Fields of others that are marked required, to be named before a sync starts (C2).

    They do not stop the sync: our writes say `skip_merge_validation` (contract 3.2). People
    should know all the same, because the contacts that we add will have nothing in them.
    """
    ours = frozenset(field_map.tags)
    with translated():
        found = await api.merge_fields(list_id)
    return tuple(
        RequiredField(field.tag, field.name, field.type)
        for field in found
        if field.required and field.tag not in ours
    )


async def make_optional(api: MailchimpAPI, list_id: str, tags: Collection[str]) -> tuple[str, ...]:
    """Take the required mark off the fields that a person named; returns those that had it.

    The one write to fields of others, and nothing else of them changes.
    """
    changed: list[str] = []
    with translated():
        for field in await api.merge_fields(list_id):
            if field.tag in tags and field.required:
                await api.patch_merge_field(
                    list_id, field.merge_id, MergeFieldPatch(name=field.name, required=False)
                )
                changed.append(field.tag)
    return tuple(changed)


async def _create(api: MailchimpAPI, list_id: str, tag: str, label: str) -> MergeField:
    """Make a field; where the answer is lost, look before making it again."""
    field = NewMergeField(tag=tag, name=label, type=TEXT, required=False, public=False)
    try:
        return await api.create_merge_field(list_id, field)
    except MailchimpError as error:
        if error.applied is not Applied.UNKNOWN:
            raise
        found = _by_tag(await api.merge_fields(list_id)).get(tag)
        return found or await api.create_merge_field(list_id, field)


def _by_tag(found: Sequence[MergeField]) -> dict[str, MergeField]:
    return {field.tag.upper(): field for field in found}


def _reset_needed(field: MergeField, label: str) -> bool:
    return field.type == TEXT and (field.name != label or field.required or field.public)


def _report(field_map: FieldMap, found: Sequence[MergeField], *, limit: int | None) -> FieldsReport:
    there = _by_tag(found)
    return FieldsReport(
        wanted=field_map.tags,
        missing=tuple(tag for tag in field_map.tags if tag not in there),
        wrong_type=tuple(
            (tag, there[tag].type) for tag in field_map.tags if tag in there and there[tag].type != TEXT
        ),
        used=len(found) + 1,
        limit=limit,
    )
