"""Make and revoke access tokens; let in who holds one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.services import history
from lockstep.apps.book.services.fields import FieldCheck
from lockstep.apps.integrations.models import AccessToken
from lockstep.apps.integrations.scopes import Scope, permissions_of

SECRET_PREFIX = "lockstep_"  # noqa: S105 - how every secret begins, so that scanners of leaked secrets know ours
HINT_LENGTH = len(SECRET_PREFIX) + 6
LONGEST_DAYS = 730


@dataclass(frozen=True, slots=True)
class Grant:
    """Who a token lets in, and what for."""

    token_id: int
    actor: Actor
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Allowance:
    """Calls that a token may make: `left` now; `wait` is seconds until the next one, 0 if there is one."""

    limit: int
    left: int
    wait: float


@transaction.atomic
def create_token(
    actor: Actor,
    *,
    name: str,
    scopes: Iterable[str],
    days: int | None,
    make_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
) -> tuple[AccessToken, str]:
    """A new token and its secret, which is told this once. `days` until it expires; None is never.

    Raises `NotPermitted`, or `Invalid` with all fields that are wrong.
    """
    actor.require(Permission.MANAGE_COMPANY)
    if actor.user is None:
        raise Invalid({"": "A token acts for a person; sign in to make one."})
    check = FieldCheck()
    texts = check.texts(AccessToken, {"name": name}, ["name"])
    if not texts["name"]:
        check.complain("name", "Give the token a name, such as that of the system that will use it.")
    wanted = [scope.value for scope in Scope if scope.value in set(scopes)]
    if not wanted:
        check.complain("scopes", "Choose at least one thing that the token may do.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        check.complain("days", f"Choose from 1 to {LONGEST_DAYS} days.")
    check.finish()
    now = timezone.now()
    secret = SECRET_PREFIX + make_secret()
    token = AccessToken.objects.create(
        company=actor.company,
        user=actor.user,
        name=texts["name"],
        hint=secret[:HINT_LENGTH],
        digest=_digest(secret),
        scopes=wanted,
        created_at=now,
        expires_at=now + timedelta(days=days) if days is not None else None,
    )
    _note(actor, token, "created", now)
    return token, secret


@transaction.atomic
def revoke_token(actor: Actor, *, token_id: int) -> AccessToken:
    """From now on the token opens nothing. Revoking one twice changes nothing. Raises `NotFound`."""
    actor.require(Permission.MANAGE_COMPANY)
    token = AccessToken.objects.select_for_update().filter(company=actor.company, pk=token_id).first()
    if token is None:
        raise NotFound("token")
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        _note(actor, token, "revoked", token.revoked_at)
    return token


def grant(secret: str, now: datetime) -> Grant | None:
    """Whom the secret lets in; None for one that is unknown, revoked or expired, or whose person left.

    The actor may do what the scopes say and the person's own seat allows.
    """
    if not secret.startswith(SECRET_PREFIX) or len(secret) > 200:
        return None
    unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
    token = AccessToken.objects.filter(unexpired, digest=_digest(secret), revoked_at=None).first()
    if token is None:
        return None
    seat = (
        Seat.objects.filter(
            company_id=token.company_id, user_id=token.user_id, user__is_active=True, deactivated_at=None
        )
        .select_related("company", "user")
        .first()
    )
    if seat is None:
        return None
    actor = seat.actor()
    allowed = replace(actor, permissions=actor.permissions & permissions_of(token.scopes))
    return Grant(token.pk, allowed, frozenset(token.scopes))


_SPEND = """
WITH bucket AS (
    SELECT id, LEAST(%(burst)s, CASE WHEN allowance_at IS NULL THEN %(burst)s
        ELSE allowance + GREATEST(0, EXTRACT(EPOCH FROM %(now)s - allowance_at)) * %(rate)s END) AS level
    FROM integrations_accesstoken WHERE id = %(token)s FOR UPDATE)
UPDATE integrations_accesstoken t SET last_used_at = %(now)s, allowance_at = %(now)s,
    allowance = CASE WHEN b.level >= 1 THEN b.level - 1 ELSE b.level END
FROM bucket b WHERE t.id = b.id
RETURNING b.level
"""


def spend_call(token_id: int, now: datetime, *, a_minute: int) -> Allowance:
    """Count one call against the token's allowance: `a_minute` on average, a sixth of that at once."""
    burst, rate = max(1.0, a_minute / 6), a_minute / 60
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, {"burst": burst, "rate": rate, "now": now, "token": token_id})
        (level,) = cursor.fetchone()
    if level >= 1:
        return Allowance(a_minute, int(level - 1), 0)
    return Allowance(a_minute, 0, (1 - level) / rate)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _note(actor: Actor, token: AccessToken, action: str, at: datetime) -> None:
    changes = {"name": ["", token.name], "scopes": ["", ", ".join(token.scopes)]}
    history.record(
        actor,
        subject="token",
        subject_id=token.pk,
        action=action,
        changes=changes if action == "created" else {"name": [token.name, ""]},
        at=at,
    )
