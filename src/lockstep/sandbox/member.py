"""One contact of an audience, small enough to have a million, and its answer (contract, 4.1, 4.2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .clock import iso
from .ids import contact_id, unique_email_id
from .merge_field import ADDRESS_PARTS, MergeValue
from .selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from .audience import Audience

__all__ = [
    "BATCH_FIELDS",
    "MEMBER_FIELDS",
    "STATUSES",
    "HistoryEntry",
    "Member",
    "Refusal",
    "SetBy",
    "describe",
    "hash_of",
]

#: What a write may say. `archived` is only ever answered (contract, 4.2).
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")

#: Who put the contact into its status (contract, 4.4).
SetBy = Literal["api", "admin", "person", "bounce", "complaint"]

#: Why the API may not subscribe the contact: their own unsubscribe, a bounce, a complaint; "" if it may
#: (contract, 4.5: the compliance state).
Refusal = Literal["", "person", "bounce", "complaint"]

ADMIN_REASON = "N/A (Unsubscribed by admin)"

#: Keys of a member in the order in which they are answered.
MEMBER_FIELDS = (
    "id", "email_address", "unique_email_id", "contact_id", "full_name", "web_id", "email_type",
    "status", "unsubscribe_reason", "consents_to_one_to_one_messaging", "merge_fields", "interests",
    "stats", "ip_signup", "timestamp_signup", "ip_opt", "timestamp_opt", "member_rating",
    "last_changed", "language", "vip", "email_client", "location", "marketing_permissions", "last_note",
    "source", "tags_count", "tags", "list_id", "_links",
)  # fmt: skip
#: Described, but never answered by the sandbox; asking for them is no error.
SILENT_FIELDS = ("sms_phone_number", "sms_subscription_status", "sms_subscription_last_updated")
_NOT_IN_BATCH = {
    "contact_id", "full_name", "web_id", "unsubscribe_reason", "consents_to_one_to_one_messaging",
    "marketing_permissions", "source",
}  # fmt: skip
#: Batch subscribe answers fewer (contract, section 5).
BATCH_FIELDS = tuple(name for name in MEMBER_FIELDS if name not in _NOT_IN_BATCH)

_TAGS_SHOWN = 50


def hash_of(address: str) -> str:
    """MD5 of the lower-cased address: Mailchimp's subscriber hash (contract, 4.1)."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True, frozen=True)
class HistoryEntry:
    """One line of a member's history."""

    at: int
    what: str
    detail: str = ""


@dataclass(slots=True, eq=False)
class Member:
    """A contact. Times are seconds since 1970. `values` is parallel to the audience's merge-field columns and
    may be shorter. `tags` are (tag id, second added). `history` stays None until something happens."""

    serial: int
    email: str
    id: str
    status: str
    set_by: SetBy
    last_changed: int
    archived: bool = False
    refusal: Refusal = ""
    values: tuple[MergeValue, ...] = ()
    tags: tuple[tuple[int, int], ...] = ()
    interests: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    email_type: str = "html"
    language: str = ""
    vip: bool = False
    unsubscribe_reason: str = ""
    unsubscribed_at: int | None = None
    ip_signup: str = ""
    timestamp_signup: int | None = None
    ip_opt: str = ""
    timestamp_opt: int | None = None
    location: tuple[float, float] = (0, 0)
    source: str = "API - Generic"
    rating: int = 2
    open_rate: float = 0.0
    click_rate: float = 0.0
    email_client: str = ""
    history: list[HistoryEntry] | None = None

    @property
    def shown_status(self) -> str:
        """What the API says: archiving hides the status (contract, 4.4)."""
        return "archived" if self.archived else self.status

    def note(self, at: int, what: str, detail: str = "") -> None:
        """Write a line of history."""
        if self.history is None:
            self.history = []
        self.history.append(HistoryEntry(at, what, detail))


def answered_value(value: MergeValue) -> Any:
    """A stored merge value as JSON: addresses are objects (contract, 3.2)."""
    return dict(zip(ADDRESS_PARTS, value, strict=True)) if isinstance(value, tuple) else value


def merge_values(member: Member, audience: Audience) -> dict[str, Any]:
    """All merge fields of the audience with the member's values; `""` for what is not set."""
    values, size = member.values, len(member.values)
    return {
        tag: (values[column] if type(values[column]) is not tuple else answered_value(values[column]))
        if column < size
        else ""
        for tag, column in audience.columns
    }


def full_name(member: Member, audience: Audience) -> str:
    """First and last name, as far as there are any."""
    merges = {tag: member.values[column] for tag, column in audience.columns if column < len(member.values)}
    return " ".join(str(merges[tag]) for tag in ("FNAME", "LNAME") if merges.get(tag))


def describe(
    member: Member,
    audience: Audience,
    base: str,
    selection: Selection = EVERYTHING,
    fields: tuple[str, ...] = MEMBER_FIELDS,
) -> dict[str, Any]:
    """The member as the API answers it; only what `selection` keeps is built at all.

    `base` is the address of the API, for `_links`.
    """
    answer: dict[str, Any] = {}
    for name in selection.keys(fields):
        build = _BUILDERS.get(name)
        if build is not None:
            value = build(member, audience, base)
            if value is None:
                continue
            answer[name] = selection.within(name).apply(value) if selection is not EVERYTHING else value
    return answer


def _links(member: Member, audience: Audience, base: str) -> list[dict[str, str]]:
    here = f"{base}/lists/{audience.id}/members/{member.id}"
    return [
        {"rel": "self", "href": here, "method": "GET"},
        {"rel": "parent", "href": f"{base}/lists/{audience.id}/members", "method": "GET"},
        {"rel": "update", "href": here, "method": "PATCH"},
        {"rel": "upsert", "href": here, "method": "PUT"},
        {"rel": "delete", "href": here, "method": "DELETE"},
        {"rel": "delete_permanent", "href": f"{here}/actions/delete-permanent", "method": "POST"},
        {"rel": "activity", "href": f"{here}/activity", "method": "GET"},
    ]


def _tags(member: Member, audience: Audience) -> list[dict[str, Any]]:
    return [
        {"id": tag_id, "name": audience.tags.by_id[tag_id].name} for tag_id, _ in member.tags[-_TAGS_SHOWN:]
    ]


def _permissions(member: Member, audience: Audience) -> list[dict[str, Any]] | None:
    if not audience.marketing_permissions:
        return None
    return [
        {"marketing_permission_id": key, "text": text, "enabled": key in member.permissions}
        for key, text in audience.permission_texts.items()
    ]


# A builder that gives None leaves its key out. Each takes (member, audience, base).
_BUILDERS = {
    "id": lambda m, a, b: m.id,
    "email_address": lambda m, a, b: m.email,
    "unique_email_id": lambda m, a, b: unique_email_id(m.id),
    "contact_id": lambda m, a, b: contact_id(m.serial, a.salt),
    "full_name": lambda m, a, b: full_name(m, a),
    "web_id": lambda m, a, b: a.web_id_base + m.serial,
    "email_type": lambda m, a, b: m.email_type,
    "status": lambda m, a, b: m.shown_status,
    "unsubscribe_reason": lambda m, a, b: (
        m.unsubscribe_reason if m.status == "unsubscribed" and not m.archived else None
    ),
    "consents_to_one_to_one_messaging": lambda m, a, b: True,
    "merge_fields": lambda m, a, b: merge_values(m, a),
    "interests": lambda m, a, b: (
        {interest: interest in m.interests for interest in a.interests} if a.interests else None
    ),
    "stats": lambda m, a, b: {"avg_open_rate": m.open_rate, "avg_click_rate": m.click_rate},
    "ip_signup": lambda m, a, b: m.ip_signup,
    "timestamp_signup": lambda m, a, b: iso(m.timestamp_signup),
    "ip_opt": lambda m, a, b: m.ip_opt,
    "timestamp_opt": lambda m, a, b: iso(m.timestamp_opt),
    "member_rating": lambda m, a, b: m.rating,
    "last_changed": lambda m, a, b: iso(m.last_changed),
    "language": lambda m, a, b: m.language,
    "vip": lambda m, a, b: m.vip,
    "email_client": lambda m, a, b: m.email_client,
    "location": lambda m, a, b: {
        "latitude": m.location[0],
        "longitude": m.location[1],
        "gmtoff": 0,
        "dstoff": 0,
        "country_code": "",
        "timezone": "",
        "region": "",
    },
    "marketing_permissions": lambda m, a, b: _permissions(m, a),
    "last_note": lambda m, a, b: None,
    "source": lambda m, a, b: m.source,
    "tags_count": lambda m, a, b: len(m.tags),
    "tags": lambda m, a, b: _tags(m, a),
    "list_id": lambda m, a, b: a.id,
    "_links": _links,
}
