"""The rules of single writes: POST, PUT, PATCH, DELETE, delete-permanent (contract, 4.3 to 4.6).

All checks of a write come before its first effect, so a refused write changes nothing. `last_changed` moves
only when something really changes (contract, 4.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from . import problems
from .address import is_fake, is_valid
from .audience import Audience
from .events import Source
from .ids import Ids, unique_email_id
from .member import ADMIN_REASON, Member, SetBy, hash_of
from .member_body import attributes, has_incomplete_address
from .merge_values import written_values
from .switches import Switches
from .tag import add_tag

__all__ = [
    "Doing",
    "archive",
    "check_new_address",
    "create",
    "delete_permanently",
    "patch",
    "post",
    "put",
    "return_archived",
    "update",
]

JSON = Any
_STATUS_WORDS = {
    "subscribed": "Subscribed",
    "unsubscribed": "Unsubscribed",
    "cleaned": "Cleaned",
    "pending": "Pending",
    "transactional": "Non-Subscribed",
    "archived": "Deleted",
}


@dataclass(frozen=True, slots=True)
class Doing:
    """Who writes, when and from where; and what the write may use.

    `at` is the current second, `label` what goes into a new member's `source`, `has_room` says whether the
    account's plan takes one more contact.
    """

    at: int
    ids: Ids
    switches: Switches
    ip: str = ""
    label: str = "API - Generic"
    source: Source = "api"
    set_by: SetBy = "api"
    skip_merge_validation: bool = False
    has_room: Callable[[], bool] = lambda: True


def post(audience: Audience, body: dict[str, JSON], doing: Doing) -> Member:
    """Add a member; an archived one comes back (contract, 4.4). Raises Problem."""
    address, status = str(body["email_address"]), str(body["status"])
    member = audience.get(hash_of(address))
    if member is None:
        check_new_address(audience, address, status, doing)
        return create(audience, address, status, body, doing)
    if member.archived:
        returned = return_archived(audience, member, status, body, doing, reset_opt_in=True)
        _tag(audience, returned, body.get("tags"), doing)
        return returned
    if member.refusal and status == "subscribed":
        raise problems.compliance_state(address)
    raise problems.member_exists(address)


def put(audience: Audience, name: str, body: dict[str, JSON], doing: Doing) -> Member:
    """Add or update the member that the path calls `name` (contract, 4.3, 4.4). Raises Problem."""
    member = audience.find(name)
    if member is not None:
        return update(audience, member, body, doing, method="PUT")
    address = body.get("email_address") or (name if "@" in name else None)
    if address is None:
        if name.lower() in audience.forgotten:
            raise problems.forgotten(name)
        raise problems.required("email_address")
    status = body.get("status_if_new") or body.get("status")
    if audience.get(hash_of(address)) is not None:
        raise problems.member_exists(address)
    if status is None:
        raise problems.required("status_if_new")
    check_new_address(audience, address, status, doing)
    return create(audience, address, status, body, doing)


def patch(audience: Audience, name: str, body: dict[str, JSON], doing: Doing) -> Member:
    """Update the member that the path calls `name`. Raises Problem, 404 if there is none."""
    member = audience.find(name)
    if member is not None:
        return update(audience, member, body, doing, method="PATCH")
    key = hash_of(name) if "@" in name else name.lower()
    if key in audience.forgotten and "status" in body:
        raise problems.forgotten(str(body.get("email_address", name)))
    raise problems.not_found()


def archive(audience: Audience, name: str, doing: Doing) -> None:
    """Archive a member (DELETE). Raises Problem: 404, or 405 for cleaned, pending and archived ones."""
    member = audience.find(name)
    if member is None:
        raise problems.not_found()
    if member.archived or member.status in ("cleaned", "pending"):
        raise problems.cannot_archive()
    was = member.status
    audience.change(member, doing.at, archived=True)
    if was == "subscribed":
        audience.tell("delete", doing.at, doing.source, member, "archived", reason="manual")
    else:
        member.note(doing.at, "archived")


def delete_permanently(audience: Audience, name: str, doing: Doing) -> None:
    """Forget a member for good; only the hosted form brings the address back (contract, 4.4; trap 19)."""
    member = audience.find(name)
    if member is None:
        raise problems.not_found()
    audience.forgotten.add(member.id)
    audience.remove(member, doing.at)
    if not member.archived:
        audience.tell("delete", doing.at, doing.source, member, reason="manual")


def check_new_address(audience: Audience, address: str, status: str, doing: Doing) -> None:
    """Raise the refusal that stands against adding `address` with `status`, if any (contract, 4.5)."""
    if not is_valid(address):
        raise problems.invalid_address()
    key = hash_of(address)
    if key in audience.forgotten:
        raise problems.forgotten(address)
    if doing.switches.refuse_fake_addresses and is_fake(address):
        raise problems.fake_address(address)
    if key in audience.too_recent and status in ("subscribed", "pending"):
        raise problems.too_many_signups(address)
    if key in audience.barred and status == "subscribed":
        raise problems.compliance_state(address)
    if not doing.has_room():
        raise problems.plan_limit()


def create(audience: Audience, address: str, status: str, body: dict[str, JSON], doing: Doing) -> Member:
    """A new member with the attributes of `body`; the address must have been checked. Raises Problem."""
    values = written_values(
        audience, None, body.get("merge_fields"), doing.switches, skip_required=doing.skip_merge_validation
    )
    member = Member(
        serial=doing.ids.number(),
        email=address,
        id=hash_of(address),
        status=status,
        set_by=doing.set_by,
        last_changed=doing.at,
        values=values,
        source=doing.label,
    )
    if status == "subscribed":
        member.timestamp_opt, member.ip_opt = doing.at, doing.ip
    elif status == "unsubscribed":
        member.unsubscribe_reason, member.unsubscribed_at = ADMIN_REASON, doing.at
    for name, value in attributes(audience, member, body).items():
        setattr(member, name, value)
    audience.add(member)
    _tag(audience, member, body.get("tags"), doing)
    if status == "subscribed":
        audience.tell("subscribe", doing.at, doing.source, member)
    elif status == "pending":
        audience.tell("confirmation_mail", doing.at, doing.source, member, "confirmation mail sent")
    return member


def update(
    audience: Audience,
    member: Member,
    body: dict[str, JSON],
    doing: Doing,
    *,
    method: Literal["PUT", "PATCH"],
) -> Member:
    """Write to an existing member (contract, 4.4 and 4.6). Raises Problem."""
    status = body.get("status")
    if member.archived and method == "PATCH":
        raise problems.patch_of_archived()
    address = _new_address(audience, member, body, doing, method)
    if member.archived and status is not None:
        return return_archived(audience, member, status, body, doing, reset_opt_in=False)
    if status == "subscribed" and member.status != "subscribed" and member.refusal:
        raise problems.compliance_state(member.email)
    if status == "pending" and member.refusal == "bounce":
        raise problems.compliance_state(member.email)
    if status in ("subscribed", "pending") and member.id in audience.too_recent and status != member.status:
        raise problems.too_many_signups(member.email)
    changes = _changes(audience, member, body, doing)
    if doing.switches.stored_address == "ignore" and has_incomplete_address(audience, member, body):
        return member  # "200 but not updated" (contract, 3.2; trap 6)
    if address is not None:
        changes["email"] = address
    changes |= _status_changes(member, status, body, doing)
    _apply(audience, member, changes, doing)
    if status == "pending":
        # Whether a repeated pending mails again is disputed (contract, 4.4); here every one is on record.
        audience.tell("confirmation_mail", doing.at, doing.source, member, "confirmation mail sent")
    return member


def return_archived(
    audience: Audience,
    member: Member,
    status: str,
    body: dict[str, JSON],
    doing: Doing,
    *,
    reset_opt_in: bool,
) -> Member:
    """An archived member comes back as `status`, keeping identity, tags and what is not sent (contract, 4.4).

    Archiving hides the former status, an unsubscribe of their own too. POST resets `timestamp_opt`, PUT was
    seen not to.
    """
    if not doing.has_room():
        raise problems.plan_limit()
    changes = _changes(audience, member, body, doing)
    changes |= {"archived": False, "status": status, "set_by": doing.set_by, "refusal": ""}
    if status == "unsubscribed":
        changes |= {"unsubscribe_reason": ADMIN_REASON, "unsubscribed_at": doing.at}
    if status == "subscribed" and reset_opt_in:
        changes = {"timestamp_opt": doing.at, "ip_opt": doing.ip} | changes
    audience.change(member, doing.at, **changes)
    member.note(doing.at, f"came back as {status}")
    if status == "subscribed":
        audience.tell("subscribe", doing.at, doing.source, member)
    elif status == "pending":
        audience.tell("confirmation_mail", doing.at, doing.source, member, "confirmation mail sent")
    return member


def _new_address(
    audience: Audience, member: Member, body: dict[str, JSON], doing: Doing, method: str
) -> str | None:
    """The address to rename to, if the write asks for that; raises the refusals of contract 4.6."""
    address = body.get("email_address")
    if not address or hash_of(address) == member.id:
        return None
    if not is_valid(address):
        raise problems.invalid_address()
    if member.shown_status != "subscribed":
        raise problems.rename_refused(member.shown_status)
    taken = audience.get(hash_of(address))
    if taken is not None:
        if method == "PUT":
            raise problems.member_exists(address)
        raise problems.rename_target_taken(address, _STATUS_WORDS[taken.shown_status])
    if hash_of(address) in audience.forgotten:
        raise problems.forgotten(address)
    if doing.switches.refuse_fake_addresses and is_fake(address):
        raise problems.fake_address(address)
    return str(address)


def _status_changes(
    member: Member, status: str | None, body: dict[str, JSON], doing: Doing
) -> dict[str, JSON]:
    if status is None or status == member.status or member.archived:
        return {}
    changes: dict[str, JSON] = {"status": status, "set_by": doing.set_by}
    if status == "unsubscribed":
        changes |= {"unsubscribe_reason": ADMIN_REASON, "unsubscribed_at": doing.at}
    if status == "subscribed" and "timestamp_opt" not in body:
        changes |= {"timestamp_opt": doing.at, "ip_opt": doing.ip}
    return changes


def _changes(audience: Audience, member: Member, body: dict[str, JSON], doing: Doing) -> dict[str, JSON]:
    """The attributes that `body` changes, status and address apart; checks the merge fields."""
    values = written_values(
        audience, member, body.get("merge_fields"), doing.switches, skip_required=doing.skip_merge_validation
    )
    wanted = attributes(audience, member, body) | {"values": values}
    return {name: value for name, value in wanted.items() if getattr(member, name) != value}


def _apply(audience: Audience, member: Member, changes: dict[str, JSON], doing: Doing) -> None:
    """Make the changes and tell who listens: one event for the status, one for the rest."""
    if not changes:
        return
    old_email, old_id = member.email, unique_email_id(member.id)
    audience.change(member, doing.at, **changes)
    if "email" in changes:
        member.note(doing.at, "address changed", old_email)
        audience.tell(
            "upemail", doing.at, doing.source, member,
            old_email=old_email, old_id=old_id, new_id=unique_email_id(member.id),
        )  # fmt: skip
    match changes.get("status"):
        case "subscribed":
            audience.tell("subscribe", doing.at, doing.source, member, f"subscribed by {doing.set_by}")
        case "unsubscribed":
            member.note(doing.at, f"unsubscribed by {doing.set_by}")
            audience.tell("unsubscribe", doing.at, doing.source, member, reason="manual", campaign_id="")
        case "cleaned":
            member.note(doing.at, f"cleaned by {doing.set_by}")
            audience.tell("cleaned", doing.at, doing.source, member, reason="hard", campaign_id="")
        case None:
            audience.tell("profile", doing.at, doing.source, member)


def _tag(audience: Audience, member: Member, names: list[str] | None, doing: Doing) -> None:
    for name in names or ():
        if name.strip():
            add_tag(member, audience.tag_named(name.strip(), doing.ids, doing.at).id, doing.at)
