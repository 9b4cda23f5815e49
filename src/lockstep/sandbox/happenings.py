"""What the control door can make happen to a contact, a key or a user."""

from __future__ import annotations

from typing import Any

from . import subscriber
from .account import ROLES
from .audience import Audience
from .clock import iso
from .ids import contact_id
from .member import Member, answered_value, hash_of
from .sandbox import Sandbox
from .subscriber import CannotHappen
from .subscription import delete_permanently

__all__ = ["WHAT", "happen", "look", "revoke", "set_user"]

#: What can happen, for messages and the page.
WHAT = (
    "unsubscribe", "complain", "bounce", "confirm", "admin_unsubscribe", "archive", "delete", "edit",
    "sign_up", "bar", "too_many_signups", "calm_down",
)  # fmt: skip


def happen(
    sandbox: Sandbox,
    audience: str,
    email: str,
    what: str,
    merges: dict[str, Any] | None = None,
    new_email: str | None = None,
    reason: str = "None given",
    campaign_id: str = "",
    by: str = "admin",
) -> dict[str, Any]:
    """Make `what` happen to the contact with `email`; answers what `look` sees afterwards.

    `sign_up` needs no contact; `edit` takes `merges`, `new_email` and `by` (admin or user). Raises
    CannotHappen.
    """
    found = sandbox.find_audience(audience)
    if found is None:
        raise CannotHappen(f"there is no audience {audience}")
    account, held = found
    at = sandbox.clock.second()
    key = hash_of(email)
    if what == "sign_up":
        subscriber.sign_up(held, email, merges or {}, at, sandbox.ids, sandbox.switches)
    elif what == "bar":
        held.barred.add(key)
    elif what == "too_many_signups":
        held.too_recent.add(key)
    elif what == "calm_down":
        held.too_recent.discard(key)
        held.barred.discard(key)
    else:
        member = held.get(key)
        if member is None:
            raise CannotHappen(f"{email} is not in the audience {held.name}")
        match what:
            case "unsubscribe":
                subscriber.unsubscribe(held, member, at, reason=reason, campaign_id=campaign_id)
            case "complain":
                subscriber.complain(held, member, at, campaign_id=campaign_id)
            case "bounce":
                subscriber.bounce(held, member, at, campaign_id=campaign_id)
            case "confirm":
                subscriber.confirm(held, member, at)
            case "admin_unsubscribe":
                subscriber.admin_unsubscribes(held, member, at)
            case "archive":
                subscriber.archive_by_hand(held, member, at)
            case "delete":
                delete_permanently(held, member.id, sandbox.doing(account, source="admin", set_by="admin"))
            case "edit":
                subscriber.edit_by_hand(
                    held, member, at, sandbox.switches, merges=merges, email=new_email, by=by
                )
                email = new_email or email
            case _:
                raise CannotHappen(f"{what!r} cannot happen; there are {', '.join(WHAT)}")
    member = held.get(hash_of(email))
    return {"email_address": email, "status": None} if member is None else _inside(held, member)


def look(sandbox: Sandbox, audience: str, email: str) -> dict[str, Any]:
    """A contact as the sandbox knows it, more than the API tells. Raises CannotHappen."""
    found = sandbox.find_audience(audience)
    member = found[1].get(hash_of(email)) if found else None
    if found is None or member is None:
        raise CannotHappen(f"{email} is not in this audience")
    return _inside(found[1], member)


def _inside(audience: Audience, member: Member) -> dict[str, Any]:
    values = member.values
    return {
        "email_address": member.email,
        "id": member.id,
        "contact_id": contact_id(member.serial, audience.salt),
        "status": member.shown_status,
        "former_status": member.status,
        "set_by": member.set_by,
        "refusal": member.refusal,
        "last_changed": iso(member.last_changed),
        "merge_fields": {
            tag: answered_value(values[column]) if column < len(values) else ""
            for tag, column in audience.columns
        },
        "tags": [audience.tags.by_id[tag_id].name for tag_id, _ in member.tags],
        "history": [
            {"at": iso(entry.at), "what": entry.what, "detail": entry.detail}
            for entry in member.history or ()
        ],
    }


def revoke(sandbox: Sandbox, secret: str | None = None, client_id: str | None = None) -> dict[str, Any]:
    """Take back one key or token, or all tokens of an application (contract, 1.2: revocation)."""
    if (secret is None) == (client_id is None):
        raise ValueError("say either secret or client_id")
    revoked = 0
    for account in sandbox.accounts.values():
        for credential in account.credentials.values():
            if credential.secret == secret or (client_id and credential.client_id == client_id):
                credential.revoked = True
                revoked += 1
    return {"revoked": revoked}


def set_user(
    sandbox: Sandbox, account: str | None = None, role: str | None = None, enabled: bool | None = None
) -> dict[str, Any]:
    """Change the role of an account's user, or disable the user (contract, 1.3). Raises ValueError."""
    user = (sandbox.accounts[account] if account else next(iter(sandbox.accounts.values()))).owner
    if role is not None:
        if role not in ROLES:
            raise ValueError(f"there is no role {role!r}; there are {', '.join(ROLES)}")
        user.role = role
    if enabled is not None:
        user.enabled = enabled
    return {"id": user.id, "role": user.role, "enabled": user.enabled}
