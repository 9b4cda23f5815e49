"""What subscribers, bounces and the account's people do outside the API.

These are the facts that an engine must respect: somebody who unsubscribed themselves is in a compliance state
and stays out whatever the API says (contract, 4.4, 4.5). The hosted form is the only way back for somebody
who was permanently deleted.
"""

from __future__ import annotations

from typing import Any

from .address import is_valid
from .audience import Audience
from .events import Source
from .ids import Ids, unique_email_id
from .member import Member, hash_of
from .merge_field import ADDRESS_PARTS, BadValue, MergeValue, accept
from .switches import Switches

__all__ = [
    "CannotHappen",
    "admin_unsubscribes",
    "archive_by_hand",
    "bounce",
    "complain",
    "confirm",
    "edit_by_hand",
    "sign_up",
    "unsubscribe",
]


class CannotHappen(ValueError):
    """What was asked for makes no sense for this contact now; the message says why."""


def unsubscribe(
    audience: Audience, member: Member, at: int, *, reason: str = "None given", campaign_id: str = ""
) -> None:
    """The person clicks "unsubscribe": from now on only the person can come back."""
    if member.archived or member.status == "cleaned":
        raise CannotHappen(f"a contact that is {member.shown_status} gets no mail to unsubscribe from")
    if member.status == "unsubscribed" and member.refusal:
        return
    audience.change(
        member, at, status="unsubscribed", set_by="person", refusal="person",
        unsubscribe_reason=reason, unsubscribed_at=at,
    )  # fmt: skip
    member.note(at, "unsubscribed themselves", reason)
    audience.tell("unsubscribe", at, "user", member, reason="manual", campaign_id=campaign_id)


def complain(audience: Audience, member: Member, at: int, *, campaign_id: str = "") -> None:
    """The person marks a mail as spam: unsubscribed, with `reason=abuse`."""
    if member.archived or member.status == "cleaned":
        raise CannotHappen(f"a contact that is {member.shown_status} gets no mail to complain about")
    audience.change(
        member, at, status="unsubscribed", set_by="complaint", refusal="complaint",
        unsubscribe_reason="Reported as spam", unsubscribed_at=at,
    )  # fmt: skip
    member.note(at, "complained")
    audience.tell("unsubscribe", at, "user", member, reason="abuse", campaign_id=campaign_id)


def bounce(audience: Audience, member: Member, at: int, *, campaign_id: str = "") -> None:
    """The address bounced for good: cleaned."""
    if member.archived:
        raise CannotHappen("an archived contact gets no mail that could bounce")
    if member.status == "cleaned":
        return
    audience.change(member, at, status="cleaned", set_by="bounce", refusal="bounce")
    member.note(at, "cleaned after a bounce")
    audience.tell("cleaned", at, "admin", member, reason="hard", campaign_id=campaign_id)


def admin_unsubscribes(audience: Audience, member: Member, at: int) -> None:
    """Somebody in the account unsubscribes the contact; the API may undo that."""
    if member.archived:
        raise CannotHappen("an archived contact cannot be unsubscribed; bring it back first")
    if member.status == "unsubscribed":
        return
    audience.change(
        member, at, status="unsubscribed", set_by="admin",
        unsubscribe_reason="N/A (Unsubscribed by admin)", unsubscribed_at=at,
    )  # fmt: skip
    member.note(at, "unsubscribed by an admin")
    audience.tell("unsubscribe", at, "admin", member, reason="manual", campaign_id="")


def confirm(audience: Audience, member: Member, at: int, *, ip: str = "") -> None:
    """The person follows the link in the confirmation mail: pending becomes subscribed."""
    if member.archived or member.status != "pending":
        raise CannotHappen(f"there is nothing to confirm: the contact is {member.shown_status}")
    audience.change(
        member, at, status="subscribed", set_by="person", refusal="", timestamp_opt=at, ip_opt=ip,
        unsubscribe_reason="",
    )  # fmt: skip
    audience.tell("subscribe", at, "user", member, "confirmed")


def sign_up(
    audience: Audience,
    address: str,
    merges: dict[str, Any],
    at: int,
    ids: Ids,
    switches: Switches,
    *,
    ip: str = "",
) -> Member:
    """The hosted form: subscribes anybody, also those who unsubscribed, bounced, were archived or forgotten.

    Raises CannotHappen for an address that is none, BadValue for a merge value that does not fit.
    """
    if not is_valid(address):
        raise CannotHappen(f"{address!r} is not an e-mail address")
    member = audience.get(hash_of(address))
    audience.forgotten.discard(hash_of(address))
    audience.barred.discard(hash_of(address))
    status = "pending" if audience.settings.get("double_optin") else "subscribed"
    values = _with(audience, member.values if member else (), merges, switches)
    if member is None:
        member = Member(
            serial=ids.number(), email=address, id=hash_of(address), status=status, set_by="person",
            last_changed=at, values=values, source="Hosted Signup Form", ip_signup=ip, timestamp_signup=at,
        )  # fmt: skip
        if status == "subscribed":
            member.timestamp_opt, member.ip_opt = at, ip
        audience.add(member)
    else:
        audience.change(
            member, at, archived=False, status=status, set_by="person", refusal="", values=values,
            unsubscribe_reason="", ip_signup=ip, timestamp_signup=at,
            timestamp_opt=at if status == "subscribed" else member.timestamp_opt,
        )  # fmt: skip
    member.note(at, "signed up on the hosted form")
    audience.tell("subscribe" if status == "subscribed" else "confirmation_mail", at, "user", member)
    return member


def archive_by_hand(audience: Audience, member: Member, at: int) -> None:
    """Somebody in the account archives the contact; the web application can archive cleaned ones too."""
    if member.archived:
        return
    audience.change(member, at, archived=True)
    member.note(at, "archived by an admin")
    audience.tell("delete", at, "admin", member, reason="manual")


def edit_by_hand(
    audience: Audience, member: Member, at: int, switches: Switches, *,
    merges: dict[str, Any] | None = None, email: str | None = None, by: str = "admin",
) -> None:  # fmt: skip
    """Somebody in the account (`admin`) or the person (`user`) edits the contact on a page.

    Unlike the API the web application stores incomplete addresses (contract, 3.2). Raises CannotHappen,
    BadValue.
    """
    source: Source = "user" if by == "user" else "admin"
    changes: dict[str, Any] = {}
    values = _with(audience, member.values, merges or {}, switches)
    if values != member.values:
        changes["values"] = values
    old_email, old_id = member.email, member.id
    if email and email != member.email:
        if not is_valid(email):
            raise CannotHappen(f"{email!r} is not an e-mail address")
        if audience.get(hash_of(email)) not in (None, member):
            raise CannotHappen(f"{email} belongs to another contact of this audience")
        changes["email"] = email
    audience.change(member, at, **changes)
    if changes:
        member.note(at, f"edited by {'the person' if source == 'user' else 'an admin'}")
        if "email" in changes:
            audience.tell(
                "upemail", at, source, member, old_email=old_email,
                old_id=unique_email_id(old_id), new_id=unique_email_id(member.id),
            )  # fmt: skip
        audience.tell("profile", at, source, member)


def _with(
    audience: Audience, before: tuple[MergeValue, ...], merges: dict[str, Any], switches: Switches
) -> tuple[MergeValue, ...]:
    values = list(before)
    values += [""] * (max((column for _, column in audience.columns), default=-1) + 1 - len(values))
    for tag, sent in merges.items():
        field = audience.merge_field(tag)
        if field is None:
            raise BadValue(f"this audience has no merge field {tag}")
        if field.type == "address" and isinstance(sent, dict):
            parts = tuple(str(sent.get(name, "")) for name in ADDRESS_PARTS)
            values[field.column] = parts if any(parts) else ""
        else:
            values[field.column] = audience.shared(accept(field, sent, switches))
    while values and values[-1] == "":
        values.pop()
    return tuple(values)
