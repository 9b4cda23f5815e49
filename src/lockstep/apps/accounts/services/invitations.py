"""Invite people by a link in a mail, and let who follows it take a seat (A1)."""

from __future__ import annotations

import datetime
import hashlib
import logging
import secrets
import smtplib
from collections.abc import Callable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from lockstep.apps.accounts.errors import MailNotSent, NotFound, Refused
from lockstep.apps.accounts.models import Company, Invitation, Seat, User
from lockstep.apps.accounts.permissions import ROLE_LABELS, Actor, Permission, Role
from lockstep.apps.accounts.services.noting import note, yes_no
from lockstep.apps.accounts.services.roles import check_not_above
from lockstep.apps.accounts.services.seats import check_place

GOOD_FOR = datetime.timedelta(days=7)
"""How long a link works."""

MOST_OPEN = 200
"""Invitations of one company that may wait at a time: nobody mails strangers through Lockstep."""

AddressOf = Callable[[str], str]
"""Makes the link out of the token; given by the door, which knows its addresses."""

logger = logging.getLogger(__name__)


def invite(
    actor: Actor,
    *,
    email: str,
    role: Role,
    own_clients_only: bool = False,
    address_of: AddressOf,
) -> Invitation:
    """Mail somebody a link that gives them a seat in the actor's company.

    Whether the address signs in to other companies already is neither looked
    at nor told. Raises `NotPermitted`; `Refused` for an address that is no
    address, sits here or is invited already; `MailNotSent`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    email = email.strip()
    check_place(role, own_clients_only=own_clients_only)
    try:
        validate_email(email)
    except ValidationError as error:
        raise Refused({"email": "This is not an e-mail address. Correct it."}) from error
    now, token = timezone.now(), _new_token()
    with transaction.atomic():
        company = Company.objects.select_for_update().get(pk=actor.company.pk)
        check_not_above(actor, company.permissions_of(role), "role")
        _check_free(company, email)
        invitation = Invitation.objects.create(
            company=company,
            email=email,
            role=role,
            own_clients_only=own_clients_only,
            digest=_digest(token),
            invited_by=actor.user,
            created_at=now,
            expires_at=now + GOOD_FOR,
        )
        changes = {"role": ["", ROLE_LABELS[role]], "own_clients_only": ["", yes_no(own_clients_only)]}
        _note(actor, invitation, "invited", now, changes)
    _send(actor, invitation, address_of(token))
    return invitation


def resend_invitation(actor: Actor, *, invitation_id: int, address_of: AddressOf) -> Invitation:
    """Mail a new link and begin its time anew; the former link no longer works.

    Raises `NotPermitted`, `NotFound` (also where it was used or withdrawn), `MailNotSent`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    now, token = timezone.now(), _new_token()
    with transaction.atomic():
        invitation = _open(actor, invitation_id)
        check_not_above(actor, invitation.company.permissions_of(invitation.role), "")
        invitation.digest, invitation.expires_at, invitation.sent_at = _digest(token), now + GOOD_FOR, None
        invitation.save(update_fields=["digest", "expires_at", "sent_at"])
        _note(actor, invitation, "sent again", now)
    _send(actor, invitation, address_of(token))
    return invitation


@transaction.atomic
def revoke_invitation(actor: Actor, *, invitation_id: int) -> Invitation:
    """Withdraw an invitation: its link no longer works. Raises `NotPermitted`, `NotFound`."""
    actor.require(Permission.MANAGE_COMPANY)
    invitation = _open(actor, invitation_id)
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    _note(actor, invitation, "withdrawn", invitation.revoked_at)
    return invitation


def find_invitation(token: str) -> Invitation | None:
    """The invitation that this link is of, while the link works; for who follows it."""
    return (
        Invitation.objects.filter(
            digest=_digest(token),
            accepted_at=None,
            revoked_at=None,
            expires_at__gt=timezone.now(),
        )
        .select_related("company", "invited_by")
        .first()
    )


@transaction.atomic
def accept_as_newcomer(token: str, *, first_name: str, last_name: str, password: str) -> Seat:
    """Make an account for the invited address and take the seat. Works once.

    Raises `NotFound` where the link does not work (any more), and `Refused`
    for a password that is too weak, a missing name, or an address that has an
    account: that person signs in first and then joins.
    """
    invitation = _claim(token)
    first_name, last_name = first_name.strip(), last_name.strip()
    if not first_name:
        raise Refused({"first_name": "Say how colleagues know you."})
    if account_of(invitation.email) is not None:
        raise Refused({"": "This address has an account here. Sign in with it, then join."})
    try:
        validate_password(password, User(email=invitation.email, first_name=first_name, last_name=last_name))
    except ValidationError as error:
        raise Refused({"password": " ".join(error.messages)}) from error
    user = User.objects.create_user(invitation.email, password, first_name=first_name, last_name=last_name)
    return _seat(invitation, user)


@transaction.atomic
def accept_as(token: str, user: User) -> Seat:
    """Take the seat with the account that one is signed in with; it must be of the invited address.

    Raises `NotFound` where the link does not work (any more), `Refused` for another person's.
    """
    invitation = _claim(token)
    if user.email.lower() != invitation.email.lower():
        raise Refused({"": "This invitation is for another address. Sign out, then follow the link again."})
    return _seat(invitation, user)


def account_of(email: str) -> User | None:
    """Who signs in with this address, in whatever company."""
    return User.objects.filter(email__iexact=email).first()


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _digest(token: str) -> bytes:
    # 256 random bits need no salt and no slow hash.
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _check_free(company: Company, email: str) -> None:
    seat = Seat.objects.filter(company=company, user__email__iexact=email).first()
    if seat is not None and seat.deactivated_at is None:
        raise Refused({"email": "Somebody with this address is a user here already."})
    if seat is not None:
        raise Refused({"email": "This user was deactivated. Open them in the list and let them in again."})
    waiting = Invitation.objects.filter(company=company, accepted_at=None, revoked_at=None)
    if waiting.filter(email__iexact=email).exists():
        raise Refused({"email": "This address is invited already. Choose Send again in the list."})
    if waiting.count() >= MOST_OPEN:
        raise Refused({"": f"{MOST_OPEN} invitations are waiting. Withdraw some of them first."})


def _open(actor: Actor, invitation_id: int) -> Invitation:
    found = (
        Invitation.objects.select_for_update(of=("self",))
        .filter(company=actor.company, pk=invitation_id, accepted_at=None, revoked_at=None)
        .select_related("company")
        .first()
    )
    if found is None:
        raise NotFound("invitation")
    return found


def _claim(token: str) -> Invitation:
    """The invitation, locked until it is used up: of two that follow the link at once, one gets in."""
    found = (
        Invitation.objects.select_for_update(of=("self",))
        .filter(digest=_digest(token), accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())
        .select_related("company")
        .first()
    )
    if found is None:
        raise NotFound("invitation")
    return found


def _seat(invitation: Invitation, user: User) -> Seat:
    now = timezone.now()
    seat, _ = Seat.objects.get_or_create(
        company=invitation.company,
        user=user,
        defaults={"role": invitation.role, "own_clients_only": invitation.own_clients_only},
    )
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    actor = Actor(company=invitation.company, user=user, permissions=frozenset())
    note(
        actor,
        subject="user",
        subject_id=seat.pk,
        label=user.full_name,
        action="joined",
        changes={"role": ["", ROLE_LABELS[Role(seat.role)]]},
        at=now,
    )
    return seat


def _send(actor: Actor, invitation: Invitation, address: str) -> None:
    """Hand the mail over and note when; outside any transaction, since a mail can't be taken back."""
    context = {
        "company": actor.company.name,
        "by": actor.name,
        "address": address,
        "days": GOOD_FOR.days,
        "role": ROLE_LABELS[Role(invitation.role)],
    }
    try:
        send_mail(
            " ".join(render_to_string("account/email/invitation_subject.txt", context).split()),
            render_to_string("account/email/invitation_message.txt", context),
            None,
            [invitation.email],
        )
    except (OSError, smtplib.SMTPException) as error:
        logger.warning(
            "invitation not sent", extra={"invitation": invitation.pk, "error": type(error).__name__}
        )
        raise MailNotSent from error
    invitation.sent_at = timezone.now()
    invitation.save(update_fields=["sent_at"])


def _note(
    actor: Actor,
    invitation: Invitation,
    action: str,
    at: datetime.datetime,
    changes: dict[str, list[str]] | None = None,
) -> None:
    note(
        actor,
        subject="invitation",
        subject_id=invitation.pk,
        label=invitation.email,
        action=action,
        changes=changes,
        at=at,
    )
