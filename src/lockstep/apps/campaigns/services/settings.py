"""How long who did what is kept, and who gets the digest."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.services.history import record
from lockstep.apps.campaigns.models import CampaignSettings, DigestChoice

__all__ = ["KEPT", "Settings", "campaign_settings", "choose_digest", "save_settings", "wants_digest"]

#: Months for which who did what may be kept, and how pages name them; 0 is for ever.
KEPT = {6: "6 months", 12: "1 year", 24: "2 years", 36: "3 years", 60: "5 years", 0: "For ever"}


@dataclass(frozen=True, slots=True)
class Settings:
    """A company's choices. `keep_months` 0: nothing is ever forgotten."""

    keep_months: int
    digest: bool


def campaign_settings(actor: Actor) -> Settings:
    """What holds for the company; the defaults where nobody chose. Raises `NotPermitted`."""
    actor.require(Permission.VIEW_SYNC)
    row = CampaignSettings.objects.filter(pk=actor.company.pk).first() or CampaignSettings()
    return Settings(row.keep_months, row.digest)


@transaction.atomic
def save_settings(actor: Actor, *, keep_months: int, digest: bool) -> None:
    """Keep who did what for so many months (0: for ever), and mail reps a digest or not.

    What is older is deleted the next night and can't be brought back, but for what Mailchimp still has and a
    longer time chosen later does not bring back either. Raises `NotPermitted`; ValueError for months that are
    not among `KEPT`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    if keep_months not in KEPT:
        raise ValueError("Choose one of the times given.")
    before = campaign_settings(actor)
    CampaignSettings.objects.update_or_create(
        pk=actor.company.pk, defaults={"keep_months": keep_months, "digest": digest}
    )
    changes = {
        name: [str(old), str(new)]
        for name, old, new in (
            ("keep campaigns", KEPT.get(before.keep_months, before.keep_months), KEPT[keep_months]),
            ("digest", "on" if before.digest else "off", "on" if digest else "off"),
        )
        if old != new
    }
    if changes:
        record(
            actor,
            subject="company",
            subject_id=actor.company.pk,
            action="campaign_settings",
            changes=changes,
            at=timezone.now(),
        )


def wants_digest(actor: Actor) -> bool:
    """Whether the actor's own digest is on, should the company's be."""
    actor.require(Permission.VIEW_SYNC)
    return not DigestChoice.objects.filter(
        seat__company=actor.company, seat__user=actor.user, wanted=False
    ).exists()


def choose_digest(actor: Actor, *, wanted: bool) -> None:
    """Take the digest, or leave it: everybody's own choice. Raises `NotPermitted`."""
    actor.require(Permission.VIEW_SYNC)
    for seat in Seat.objects.filter(company=actor.company, user=actor.user):
        DigestChoice.objects.update_or_create(
            pk=seat.pk, defaults={"wanted": wanted, "chosen_at": timezone.now()}
        )
