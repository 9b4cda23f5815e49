"""Wishes of people who look at pages: read this campaign, read them all, now."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.campaigns.models import Campaign
from lockstep.apps.campaigns.reading import index
from lockstep.apps.campaigns.waking import ask_for, wake_reader
from lockstep.apps.connections.models import MailchimpAccount

__all__ = ["look_at", "refresh_campaigns"]

JUST_READ = timedelta(seconds=60)
"""A page that is opened again so soon asks for nothing new."""


def look_at(actor: Actor, campaign_id: int) -> None:
    """Somebody opened the campaign's page: it is read before all others. Raises `NotFound`, `NotPermitted`.

    Nothing happens for one that was read within the last minute, that is forgotten, or whose audience can't
    be read now.
    """
    actor.require(Permission.VIEW_SYNC)
    campaign = (
        Campaign.objects.filter(company=actor.company, pk=campaign_id)
        .select_related("reading", "connection__account")
        .first()
    )
    if campaign is None:
        raise NotFound("campaign")
    now = timezone.now()
    read_at = campaign.reading.read_at
    if campaign.forgotten_at is not None or (read_at is not None and now - read_at < JUST_READ):
        return
    if campaign.connection in index.readable(campaign.connection.account):
        ask_for(campaign, now)


def refresh_campaigns(actor: Actor) -> bool:
    """Read the list of reports of all the company's accounts now; whether there is any to read.

    Raises `NotPermitted`.
    """
    actor.require(Permission.VIEW_SYNC)
    accounts = [
        account
        for account in MailchimpAccount.objects.filter(company=actor.company, disconnected_at=None)
        if index.readable(account)
    ]
    for account in accounts:
        wake_reader(account.pk, index_now=True)
    return bool(accounts)
