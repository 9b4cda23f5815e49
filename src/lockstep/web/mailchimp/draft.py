"""What the configure form holds, before it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import KINDS, Preferences
from lockstep.apps.connections.queries import Choice
from lockstep.apps.connections.services import OFFERED, TagSettings
from lockstep.core.consent import NewStatus
from lockstep.web.filters import chosen_ids

__all__ = ["Draft", "PickGroup", "draft_of", "pick_groups", "saved_draft"]

SHOWN = 8
"""Choices shown at once; the others are behind “12 more industries”."""

_LABELS = {
    "status_ids": ("Client Status", "client statuses"),
    "department_ids": ("Department", "departments"),
    "industry_ids": ("Industry", "industries"),
    "client_tag_ids": ("Client tags", "client tags"),
    "contact_tag_ids": ("Contact tags", "contact tags"),
}


@dataclass(frozen=True, slots=True)
class Draft:
    preferences: Preferences
    new_status: NewStatus
    tags: TagSettings


def draft_of(posted: QueryDict, connection: Connection) -> Draft:
    """What a form was sent with; an unknown status is the careful one: Pending mails nobody a campaign.

    A form without the tags' part leaves them as they are saved.
    """
    ids = {kind: chosen_ids(posted, kind) for kind in KINDS}
    wanted = posted.get("new_status", "")
    status = next((status for status in OFFERED if status.value == wanted), NewStatus.PENDING)
    return Draft(Preferences.from_json(ids), status, _tags_of(posted, connection))


def _tags_of(posted: QueryDict, connection: Connection) -> TagSettings:
    saved = TagSettings.of(connection)
    wanted = posted.get("member_tags", "")
    if wanted not in ("on", "off", "remove"):
        return saved
    if wanted != "on":
        return replace(saved, on=False, removal=wanted == "remove")
    return TagSettings(
        on=True,
        prefix=posted.get("tag_prefix", "").lstrip(),
        contacts="tag_contacts" in posted,
        clients="tag_clients" in posted,
    )


def saved_draft(connection: Connection) -> Draft:
    return Draft(
        Preferences.from_json(connection.preferences),
        NewStatus(connection.new_status),
        TagSettings.of(connection),
    )


@dataclass(frozen=True, slots=True)
class PickGroup:
    name: str
    label: str
    shown: list[tuple[Choice, bool]]
    more: list[tuple[Choice, bool]]
    more_label: str


def pick_groups(choices: Mapping[str, Sequence[Choice]], preferences: Preferences) -> list[PickGroup]:
    """The groups in the order of the page; whatever is chosen is never hidden behind “more”."""
    groups = []
    for name, (label, many) in _LABELS.items():
        chosen = set(getattr(preferences, name))
        rows = [(choice, choice.id in chosen) for choice in choices[name]]
        if not rows:
            continue
        shown = [row for place, row in enumerate(rows) if place < SHOWN or row[1]]
        more = [row for place, row in enumerate(rows) if place >= SHOWN and not row[1]]
        groups.append(PickGroup(name, label, shown, more, f"{len(more)} more {many}"))
    return groups
