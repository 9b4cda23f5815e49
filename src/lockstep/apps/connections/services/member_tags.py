"""Whether tags of the book go out as real Mailchimp tags, and under which prefix (S5)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.services.history import differences, record
from lockstep.apps.connections.errors import SyncIsOn, TagsRefused
from lockstep.apps.connections.models import Connection
from lockstep.core.tags import TagRule

PREFIX_LENGTH = 20


@dataclass(frozen=True, slots=True)
class TagSettings:
    """The setting as a person sees it. `removal` matters only while `on` is false."""

    on: bool
    prefix: str
    contacts: bool
    clients: bool
    removal: bool = False

    @classmethod
    def of(cls, connection: Connection) -> TagSettings:
        return cls(
            on=connection.member_tags,
            prefix=connection.member_tag_prefix,
            contacts=connection.member_tag_contacts,
            clients=connection.member_tag_clients,
            removal=connection.clears_tags,
        )


@transaction.atomic
def save_member_tags(actor: Actor, connection: Connection, settings: TagSettings) -> Connection:
    """From the next start on, these tags are put on members, or taken off them (`removal`).

    A start reads the whole audience first: what a marketer put there by hand is known before
    anything is written. Nothing is written where nothing changes. Raises `NotPermitted`,
    `NotFound`, `SyncIsOn`, `TagsRefused`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    found = (
        Connection.objects.select_for_update(of=("self",))
        .filter(pk=connection.pk, company=actor.company, account__disconnected_at=None)
        .first()
    )
    if found is None:
        raise NotFound("audience")
    if found.mode != Connection.Mode.OFF:
        raise SyncIsOn(found)
    if settings.on:
        _check(settings)
    before = TagSettings.of(found)
    if settings == before:
        return found
    found.member_tags = settings.on
    found.member_tag_removal = settings.removal and not settings.on
    if settings.on:
        found.member_tag_prefix = settings.prefix
        found.member_tag_contacts = settings.contacts
        found.member_tag_clients = settings.clients
    found.save(
        update_fields=[
            "member_tags",
            "member_tag_prefix",
            "member_tag_contacts",
            "member_tag_clients",
            "member_tag_removal",
        ]
    )
    words = {f"member_tags_{name}": value for name, value in asdict(before).items()}
    after = {f"member_tags_{name}": value for name, value in asdict(TagSettings.of(found)).items()}
    changes = differences(words, after)
    record(
        actor,
        subject="connection",
        subject_id=found.pk,
        action="configure",
        changes=changes,
        at=timezone.now(),
    )
    return found


def _check(settings: TagSettings) -> None:
    if len(settings.prefix) > PREFIX_LENGTH:
        raise TagsRefused(f"The prefix of the tags may have {PREFIX_LENGTH} characters.")
    try:
        TagRule(settings.prefix)
    except ValueError:
        raise TagsRefused(
            "The prefix of the tags needs at least one letter: without it no tag in Mailchimp is ours."
        ) from None
    if not (settings.contacts or settings.clients):
        raise TagsRefused("Choose contact tags, client tags, or both to go out as tags in Mailchimp.")
