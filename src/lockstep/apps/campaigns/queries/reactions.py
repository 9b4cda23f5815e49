"""Contacts by how they reacted: what lists, files and the Mailing List report are made of."""

from __future__ import annotations

import enum

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import Contact, HistoryEntry
from lockstep.apps.book.queries.scope import contacts_of
from lockstep.apps.campaigns.models import Campaign, Person, Recipient
from lockstep.apps.campaigns.models import Reaction as Event

__all__ = ["QUIET_CAMPAIGNS", "REACTIONS", "Reaction", "contacts_who", "quiet_contacts"]


class Reaction(enum.StrEnum):
    """What somebody did with one campaign. The names go into addresses of pages."""

    CLICKED = "clicked"
    CLICKED_UNTOUCHED = "clicked-untouched"
    """Clicked, and nobody has changed anything about the contact or their client since it was sent."""
    OPENED = "opened"
    """Opened themselves, as far as that can be told."""
    OPENED_NOT_CLICKED = "opened-not-clicked"
    SILENT = "silent"
    """It reached them, and they did nothing."""
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    SENT = "sent"


REACTIONS: dict[Reaction, str] = {
    Reaction.CLICKED: "Clicked",
    Reaction.CLICKED_UNTOUCHED: "Clicked, nothing noted since",
    Reaction.OPENED: "Opened",
    Reaction.OPENED_NOT_CLICKED: "Opened, did not click",
    Reaction.SILENT: "Did nothing",
    Reaction.BOUNCED: "Bounced",
    Reaction.UNSUBSCRIBED: "Unsubscribed",
    Reaction.SENT: "Sent",
}

_NARROW = {
    Reaction.CLICKED: {"clicks__gt": 0},
    Reaction.CLICKED_UNTOUCHED: {"clicks__gt": 0},
    Reaction.OPENED: {"opens__gt": F("machine_opens")},
    Reaction.OPENED_NOT_CLICKED: {"opens__gt": F("machine_opens"), "clicks": 0},
    Reaction.SILENT: {"opens": F("machine_opens"), "clicks": 0, "bounce": 0},
    Reaction.BOUNCED: {"bounce__gt": 0},
    Reaction.UNSUBSCRIBED: {"unsubscribed": True},
    Reaction.SENT: {},
}


def contacts_who(
    actor: Actor, campaign_id: int, reaction: Reaction, *, link: int | None = None
) -> QuerySet[Contact]:
    """The contacts that the actor may see who reacted so to the campaign; unsorted, deleted ones left out.

    `link` is the number of a link (`queries.LinkRow.number`) that they clicked. Made to be used as
    `Contact.objects.filter(pk__in=contacts_who(…).values("pk"))` by lists that narrow further. Raises
    `NotFound`, `NotPermitted`.
    """
    actor.require(Permission.VIEW_SYNC)
    campaign = Campaign.objects.filter(company=actor.company, pk=campaign_id).first()
    if campaign is None:
        raise NotFound("campaign")
    recipients = Recipient.objects.filter(campaign=campaign, **_NARROW[reaction])
    if link is not None:
        clicked = Event.objects.filter(campaign=campaign, what=Event.CLICK + link)
        recipients = recipients.filter(person__in=clicked.values("person_id"))
    people = Person.objects.filter(
        connection=campaign.connection_id, pk__in=recipients.values("person_id"), contact__isnull=False
    )
    found = contacts_of(actor).filter(pk__in=people.values("contact_id"))
    if reaction is Reaction.CLICKED_UNTOUCHED:
        touched = HistoryEntry.objects.filter(
            company=actor.company, at__gte=campaign.send_time, user__isnull=False
        )
        found = found.exclude(
            Exists(touched.filter(subject_kind="contact", subject_id=OuterRef("pk")))
        ).exclude(Exists(touched.filter(subject_kind="client", subject_id=OuterRef("client_id"))))
    return found


QUIET_CAMPAIGNS = 5


def quiet_contacts(actor: Actor, *, campaigns: int = QUIET_CAMPAIGNS) -> QuerySet[Contact]:
    """Contacts who were sent each of the last `campaigns` campaigns of an audience and reacted to none.

    An open that a program made is no reaction. Empty while there were fewer campaigns. Raises `NotPermitted`.
    """
    actor.require(Permission.VIEW_SYNC)
    campaigns = max(1, min(campaigns, 52))
    quiet = Q(pk__in=())
    audiences = Campaign.objects.filter(company=actor.company).order_by().values_list("connection", flat=True)
    for connection in audiences.distinct():
        read = Campaign.objects.filter(
            connection=connection, reading__first_read_at__isnull=False, forgotten_at=None
        )
        latest = list(read.order_by("-send_time", "-id").values_list("pk", flat=True)[:campaigns])
        if len(latest) < campaigns:
            continue
        silent = (
            Recipient.objects.filter(campaign__in=latest, bounce=0)
            .values("person_id")
            .annotate(reactions=Sum(F("opens") - F("machine_opens") + F("clicks")), mails=Count("*"))
            .filter(reactions=0, mails=campaigns)
        )
        people = Person.objects.filter(
            connection=connection, contact__isnull=False, pk__in=silent.values("person_id")
        )
        quiet |= Q(pk__in=people.values("contact_id"))
    return contacts_of(actor).filter(quiet)
