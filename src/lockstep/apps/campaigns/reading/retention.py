"""How long who did what is kept: after that only a campaign's totals stay."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from lockstep.apps.campaigns.models import (
    Campaign,
    CampaignSettings,
    ClientFigure,
    Link,
    Person,
    Reaction,
    Reading,
    Recipient,
    Unsubscribe,
)
from lockstep.apps.connections.models import Connection

__all__ = ["forget_old", "keep_after"]


def keep_after(company_id: int, now: datetime) -> datetime | None:
    """Campaigns sent before this are forgotten; None keeps all."""
    row = CampaignSettings.objects.filter(pk=company_id).first()
    months = row.keep_months if row else CampaignSettings.KEPT_MONTHS
    if months == 0:
        return None
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return now.replace(year=year, month=month + 1, day=min(now.day, 28))


def forget_old(company_id: int, now: datetime) -> int:
    """Delete who got, opened and clicked the campaigns that are older than the company keeps.

    Titles and totals stay. People whom no campaign knows any more go, too. Returns how many campaigns were
    forgotten.
    """
    limit = keep_after(company_id, now)
    if limit is None:
        return 0
    old = Campaign.objects.filter(company=company_id, send_time__lt=limit, forgotten_at=None)
    forgotten = 0
    for campaign in old.order_by("send_time"):
        with transaction.atomic():
            for model in (Reaction, Recipient, ClientFigure, Unsubscribe, Link):
                model.objects.filter(campaign_id=campaign.pk).delete()
            Reading.objects.filter(pk=campaign.pk).update(pass_began_at=None, asked_at=None)
            Campaign.objects.filter(pk=campaign.pk).update(forgotten_at=now)
        forgotten += 1
    if forgotten:
        for link in Connection.objects.filter(company=company_id):
            mailed = Recipient.objects.values("person_id")
            Person.objects.filter(connection=link).exclude(pk__in=mailed).delete()
    return forgotten
