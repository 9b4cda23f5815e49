"""Tells whoever keeps the history (B6) what a service of accounts did."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.accounts.signals import settings_changed


def note(
    actor: Actor,
    *,
    subject: str,
    subject_id: int,
    label: str,
    action: str,
    at: datetime.datetime,
    changes: Mapping[str, list[str]] | None = None,
) -> None:
    """Send `settings_changed`; the caller's transaction holds whatever hears it."""
    settings_changed.send(
        sender=Actor,
        actor=actor,
        subject=subject,
        subject_id=subject_id,
        label=label,
        action=action,
        changes=dict(changes or {}),
        at=at,
    )


def yes_no(value: bool) -> str:
    return "yes" if value else "no"


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, list[str]]:
    """The fields of `new` that differ in `old`, as [old, new]."""
    return {field: [old[field], value] for field, value in new.items() if old[field] != value}
