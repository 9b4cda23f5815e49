"""Reads what Mailchimp posts to a webhook (contract 8), and checks its signature. Pure; the clock is
passed in.

An event is a hint that a member should be looked at again. It is never data to store: events come late,
twice, out of order or not at all, and older webhooks carry no signature.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias, TypedDict
from urllib.parse import parse_qsl

from lockstep.mailchimp.errors import MalformedHook
from lockstep.mailchimp.times import read_moment

#: larger than any event with 80 merge fields
MAX_BODY_BYTES = 256 * 1024
MAX_FORM_FIELDS = 1000
#: how far the time in a signature may be from now, in seconds (contract 8)
TOLERANCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """What all events have: the audience ("" if absent), and when it happened (None if absent)."""

    list_id: str
    fired_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _MemberEvent(_Event):
    """An event about one member. `unique_email_id` is what the body calls `data[id]`: ten hex digits, not the
    subscriber hash."""

    email: str = field(repr=False)
    unique_email_id: str
    web_id: str
    merges: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed(_MemberEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(_MemberEvent):
    """Also fires beside a change of address, and for unsubscribed members whom an admin edits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed(_MemberEvent):
    """`action` is unsub or delete, `reason` manual or abuse; both are "" when absent, which does happen."""

    action: str
    reason: str
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChanged(_Event):
    """Comes together with `ProfileChanged`, in any order."""

    old_email: str = field(repr=False)
    new_email: str = field(repr=False)
    new_unique_email_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned(_Event):
    """`reason` is hard or abuse."""

    email: str = field(repr=False)
    reason: str
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignSent(_Event):
    """Sent, or cancelled: `campaign_status` tells."""

    campaign_id: str
    subject: str
    campaign_status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCompleted(_Event):
    """From a batch webhook. The results' link is not taken from here but from the batch itself."""

    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(_Event):
    """An event of a kind this client has no name for."""

    kind: str


HookEvent: TypeAlias = (
    Subscribed
    | Unsubscribed
    | ProfileChanged
    | AddressChanged
    | Cleaned
    | CampaignSent
    | BatchCompleted
    | UnknownEvent
)


def read_event(body: bytes) -> HookEvent:
    """The event in a form-encoded body. Absent values are "".

    Raises `MalformedHook` for a body that is too large, is no form, or names no type.
    """
    form = _form(body)
    kind = form.get("type", "")
    if not kind:
        raise MalformedHook("The body of a webhook names no type of event.")

    def data(name: str) -> str:
        return form.get(f"data[{name}]", "")

    list_id, fired_at = data("list_id"), read_moment(form.get("fired_at", ""))
    match kind:
        case "subscribe":
            return Subscribed(list_id=list_id, fired_at=fired_at, **_member(form))
        case "profile":
            return ProfileChanged(list_id=list_id, fired_at=fired_at, **_member(form))
        case "unsubscribe":
            return Unsubscribed(
                list_id=list_id,
                fired_at=fired_at,
                action=data("action"),
                reason=data("reason"),
                campaign_id=data("campaign_id"),
                **_member(form),
            )
        case "upemail":
            return AddressChanged(
                list_id=list_id,
                fired_at=fired_at,
                old_email=data("old_email"),
                new_email=data("new_email"),
                new_unique_email_id=data("new_id"),
            )
        case "cleaned":
            return Cleaned(
                list_id=list_id,
                fired_at=fired_at,
                email=data("email"),
                reason=data("reason"),
                campaign_id=data("campaign_id"),
            )
        case "campaign":
            return CampaignSent(
                list_id=list_id,
                fired_at=fired_at,
                campaign_id=data("id"),
                subject=data("subject"),
                campaign_status=data("status"),
                reason=data("reason"),
            )
        case "batch_operation_completed":
            return BatchCompleted(list_id=list_id, fired_at=fired_at, batch_id=data("id"))
        case _:
            return UnknownEvent(list_id=list_id, fired_at=fired_at, kind=kind[:50])


def signature_matches(
    secret: str, header: str, body: bytes, *, now: float, tolerance: float = TOLERANCE_SECONDS
) -> bool:
    """Whether `header` (`X-Mailchimp-Signature: t=<unix>,v1=<hex>`) signs this raw body with `secret`.

    `now` is in seconds since 1970. False for a missing, malformed, old or future signature, and for an empty
    secret; the comparison takes the same time whatever differs.
    """
    moments: list[str] = []
    signatures: list[str] = []
    for part in header[:2000].split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            moments.append(value)
        elif name == "v1":
            signatures.append(value)
    if not secret or len(moments) != 1 or not signatures:
        return False
    moment = moments[0]
    if not (moment.isascii() and moment.isdigit()) or len(moment) > 12 or abs(now - int(moment)) > tolerance:
        return False
    wanted = hmac.new(secret.encode(), moment.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")) for given in signatures)


def _form(body: bytes) -> dict[str, str]:
    if len(body) > MAX_BODY_BYTES:
        raise MalformedHook("The body of a webhook is too large.")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError:
        raise MalformedHook("The body of a webhook is no form in UTF-8.") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        form.setdefault(name, value)
    return form


class _MemberData(TypedDict):
    email: str
    unique_email_id: str
    web_id: str
    merges: dict[str, str]


def _member(form: Mapping[str, str]) -> _MemberData:
    start, end = "data[merges][", "]"
    merges = {
        name[len(start) : -len(end)]: value
        for name, value in form.items()
        if name.startswith(start) and name.endswith(end)
    }
    return _MemberData(
        email=form.get("data[email]") or merges.get("EMAIL", ""),
        unique_email_id=form.get("data[id]", ""),
        web_id=form.get("data[web_id]", ""),
        merges=merges,
    )
