"""After which campaign people unsubscribed, for the sync window and for the reason of a No Marketing flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.apps.campaigns.models import Campaign, Unsubscribe
from lockstep.apps.campaigns.moments import moment_of


@dataclass(frozen=True, slots=True)
class Departure:
    """One unsubscribe as a campaign's report tells of it; `reason` in the person's or Mailchimp's words."""

    campaign_id: int
    title: str
    at: datetime
    reason: str


def departures(company_id: int, connection_id: int, contact_ids: Sequence[int]) -> Mapping[int, Departure]:
    """By contact, the latest unsubscribe that a campaign's report tells of; one query."""
    rows = (
        Unsubscribe.objects.filter(
            campaign__company_id=company_id,
            campaign__connection_id=connection_id,
            person__contact_id__in=list(contact_ids),
        )
        .order_by("at")
        .values_list(
            "person__contact_id", "campaign_id", "campaign__title", "campaign__subject", "at", "reason"
        )
    )
    return {
        contact: Departure(campaign, title or subject, moment_of(at), reason)
        for contact, campaign, title, subject, at, reason in rows
        if contact is not None
    }


def campaigns_by_mailchimp_id(
    connection_id: int, campaign_ids: Sequence[str]
) -> Mapping[str, tuple[int, str]]:
    """(our id, name) by Mailchimp's id, for those that were read; one query, none for no ids."""
    wanted = {campaign for campaign in campaign_ids if campaign}
    if not wanted:
        return {}
    rows = Campaign.objects.filter(connection_id=connection_id, mailchimp_id__in=wanted)
    return {
        theirs: (ours, title or subject)
        for theirs, ours, title, subject in rows.values_list("mailchimp_id", "id", "title", "subject")
    }


def campaign_names(connection_id: int, campaign_ids: Sequence[str]) -> Mapping[str, str]:
    """See `apps.sync.opting_out.CampaignNames`."""
    return {
        theirs: name for theirs, (_, name) in campaigns_by_mailchimp_id(connection_id, campaign_ids).items()
    }
