"""What the Mailing List report may be narrowed to here: who reacted to a campaign, and who went quiet."""

from __future__ import annotations

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.campaigns.models import Campaign
from lockstep.apps.campaigns.queries import REACTIONS, Reaction, contacts_who, quiet_contacts
from lockstep.apps.reports.sets import ContactSet, address_of, register

__all__ = ["address_of_quiet", "address_of_reaction", "register_sets"]

REACTED, QUIET = "campaign", "quiet"


def address_of_reaction(campaign_id: int, reaction: Reaction, link: int | None = None) -> str:
    """The report of the contacts that `contacts_who` gives."""
    parts = [str(campaign_id), reaction.value, *([] if link is None else [str(link)])]
    return address_of(REACTED, ":".join(parts))


def address_of_quiet(campaigns: int) -> str:
    """The report of the contacts that `quiet_contacts` gives."""
    return address_of(QUIET, campaigns)


def reacted(actor: Actor, value: str) -> ContactSet | None:
    """`value` is campaign:reaction or campaign:reaction:link."""
    number, _, rest = value.partition(":")
    name, _, link = rest.partition(":")
    if not actor.may(Permission.VIEW_SYNC) or not _small(number) or name not in set(Reaction):
        return None
    reaction = Reaction(name)
    try:
        found = contacts_who(
            actor, int(number), reaction, link=int(link) if _small(link) and int(link) < 2**15 - 16 else None
        )
    except NotFound:
        return None
    title = Campaign.objects.values_list("title", "subject").get(pk=int(number))
    return ContactSet(
        f"“{REACTIONS[reaction]}” in {title[0] or title[1]}", list(found.values_list("pk", flat=True))
    )


def quiet(actor: Actor, value: str) -> ContactSet | None:
    """`value` is how many campaigns."""
    if not actor.may(Permission.VIEW_SYNC) or not _small(value):
        return None
    found = quiet_contacts(actor, campaigns=int(value))
    return ContactSet(
        f"contacts who reacted to none of the last {int(value)} campaigns",
        list(found.values_list("pk", flat=True)),
    )


def _small(text: str) -> bool:
    """Whether it is a number that fits wherever ids are kept."""
    return text.isascii() and text.isdigit() and len(text) < 10


def register_sets() -> None:
    """Make both known to the report; once, when the application starts."""
    register(REACTED, reacted)
    register(QUIET, quiet)
