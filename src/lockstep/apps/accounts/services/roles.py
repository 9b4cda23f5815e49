"""What each role may do in a company (A1)."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.errors import Refused
from lockstep.apps.accounts.models import Company
from lockstep.apps.accounts.permissions import (
    ALWAYS,
    PERMISSION_LABELS,
    ROLE_LABELS,
    ROLE_PERMISSIONS,
    Actor,
    Permission,
    Role,
)
from lockstep.apps.accounts.services.noting import note


def check_not_above(actor: Actor, permissions: Collection[Permission], field: str) -> None:
    """Raise `Refused` where this would give, or touch, more than the actor may do."""
    beyond = [PERMISSION_LABELS[one] for one in Permission if one in permissions and not actor.may(one)]
    if beyond:
        raise Refused({field: f"Your own role does not include “{beyond[0]}”, so you can't decide about it."})


@transaction.atomic
def save_role(actor: Actor, *, role: Role, permissions: Collection[Permission]) -> frozenset[Permission]:
    """Set what a role may do, for everybody who has it, from their next click on. Returns what it may now.

    What no company can take away (`ALWAYS`) stays, whether named or not. Raises
    `NotPermitted`, and `Refused` where the role has, had or gets a permission
    that the actor lacks.
    """
    actor.require(Permission.MANAGE_COMPANY)
    company = Company.objects.select_for_update().get(pk=actor.company.pk)
    before, after = company.permissions_of(role), frozenset(permissions) | ALWAYS[role]
    check_not_above(actor, before ^ after, "permissions")
    if before == after:
        return after
    kept = {name: names for name, names in company.role_permissions.items() if name != role.value}
    if after != ROLE_PERMISSIONS[role]:
        kept[role.value] = sorted(permission.value for permission in after)
    company.role_permissions = actor.company.role_permissions = kept
    company.save(update_fields=["role_permissions"])
    note(
        actor,
        subject="role",
        subject_id=company.pk,
        label=ROLE_LABELS[role],
        action="changed",
        changes={
            PERMISSION_LABELS[one]: ["yes", "no"] if one in before else ["no", "yes"]
            for one in Permission
            if one in before ^ after
        },
        at=timezone.now(),
    )
    return after
