"""Choose an audience, say who is synced and how (S1, S2, S12), mend its required fields (C2)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields as columns_of

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.services.history import differences, record
from lockstep.apps.connections.asking import ask
from lockstep.apps.connections.errors import MailchimpRefused, SyncIsOn
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.opening import access_to
from lockstep.apps.connections.preferences import NONE_GIVEN, Preferences
from lockstep.bridge.account import audience_facts
from lockstep.bridge.audience_fields import make_optional
from lockstep.core.consent import NewStatus
from lockstep.core.errors import BrokenKind, ConnectionBroken

OFFERED = (NewStatus.SUBSCRIBED, NewStatus.PENDING, NewStatus.TRANSACTIONAL)
"""What people new to the audience may become (S2)."""

_TAGGED = {"client_tag_ids": Tag.Kind.CLIENT, "contact_tag_ids": Tag.Kind.CONTACT}
_LISTED = {
    "status_ids": ListValue.Kind.STATUS,
    "industry_ids": ListValue.Kind.INDUSTRY,
    "department_ids": ListValue.Kind.DEPARTMENT,
}


def select_audience(actor: Actor, account: MailchimpAccount, list_id: str) -> Connection:
    """Select Audience: the connection to it, made or found again with its former filters.

    Asks Mailchimp for the audience, so that its name and sign-up link are
    today's. Raises `NotPermitted`, `NotFound`, `ConnectError`, `ConnectionBroken`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    account = _account(actor, account.pk)
    try:
        facts = ask(access_to(account), lambda api: audience_facts(api, list_id))
    except ConnectionBroken as error:
        if error.kind is BrokenKind.AUDIENCE_GONE:
            raise MailchimpRefused("This audience is no longer in Mailchimp. Choose another.") from error
        raise
    now = timezone.now()
    with transaction.atomic():
        connection, made = Connection.objects.get_or_create(
            account=account,
            list_id=facts.list_id,
            defaults={"company": actor.company, "list_name": facts.name},
        )
        connection.list_name = facts.name
        connection.list_web_id = facts.web_id
        connection.signup_url = facts.signup_url
        connection.member_count = facts.subscribed if facts.total_contacts is None else facts.total_contacts
        connection.selected_at = now
        connection.save(
            update_fields=["list_name", "list_web_id", "signup_url", "member_count", "selected_at"]
        )
        record(
            actor,
            subject="connection",
            subject_id=connection.pk,
            label=facts.name,
            action="create" if made else "select",
            changes={"audience": ["", facts.name]},
            at=now,
        )
    return connection


@transaction.atomic
def save_preferences(
    actor: Actor, connection: Connection, preferences: Preferences, new_status: NewStatus
) -> Connection:
    """Who is synced from the next start on, and what people new to the audience become.

    Ids that the company does not have (any more) are left out. Nothing is
    written where nothing changes. Raises `NotPermitted`, `NotFound`, `SyncIsOn`,
    and ValueError for a status that is not offered.
    """
    actor.require(Permission.MANAGE_COMPANY)
    if new_status not in OFFERED:
        raise ValueError("This status is not offered to people new to the audience.")
    connection = _locked(actor, connection)
    if connection.mode != Connection.Mode.OFF:
        raise SyncIsOn(connection)
    before = Preferences.from_json(connection.preferences)
    after = _known(actor, preferences)
    changes = differences(
        _in_words(actor, before) | {"new_status": connection.new_status},
        _in_words(actor, after) | {"new_status": new_status.value},
    )
    if changes:
        connection.preferences = after.to_json()
        connection.new_status = new_status.value
        connection.save(update_fields=["preferences", "new_status"])
        _note(actor, connection, "configure", changes)
    return connection


@transaction.atomic
def save_automatic_work(
    actor: Actor, connection: Connection, *, nightly_audit: bool, unsubscribe_sets_no_marketing: bool
) -> Connection:
    """What Lockstep does by itself for this audience; may be changed while a sync is on."""
    actor.require(Permission.MANAGE_COMPANY)
    connection = _locked(actor, connection)
    wanted = {
        "nightly_audit": nightly_audit,
        "unsubscribe_sets_no_marketing": unsubscribe_sets_no_marketing,
    }
    changes = differences({name: getattr(connection, name) for name in wanted}, wanted)
    if changes:
        for name, value in wanted.items():
            setattr(connection, name, value)
        connection.save(update_fields=list(wanted))
        _note(actor, connection, "configure", changes)
    return connection


def make_fields_optional(actor: Actor, connection: Connection, tags: Collection[str]) -> tuple[str, ...]:
    """Clear “required” on these audience fields of somebody else, because this person asked for it.

    The one thing that Lockstep ever changes in fields that are not its own
    (P2); history holds it. Returns the tags of those that were required.
    Raises `NotPermitted`, `NotFound`, `ConnectError`, `ConnectionBroken`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    connection = find_connection(actor, connection.pk)
    account = _account(actor, connection.account_id)
    changed = ask(access_to(account), lambda api: make_optional(api, connection.list_id, tags))
    if changed:
        _note(actor, connection, "make_optional", {"fields": [", ".join(changed), ""]})
    return changed


def find_connection(actor: Actor, pk: int) -> Connection:
    """The company's connection, of an account that is connected. Raises `NotFound`."""
    found = (
        Connection.objects.filter(pk=pk, company=actor.company, account__disconnected_at=None)
        .select_related("account")
        .first()
    )
    if found is None:
        raise NotFound("audience")
    return found


def _locked(actor: Actor, connection: Connection) -> Connection:
    found = (
        Connection.objects.select_for_update(of=("self",))
        .filter(pk=connection.pk, company=actor.company, account__disconnected_at=None)
        .first()
    )
    if found is None:
        raise NotFound("audience")
    return found


def _account(actor: Actor, pk: int) -> MailchimpAccount:
    found = MailchimpAccount.objects.filter(pk=pk, company=actor.company, disconnected_at=None).first()
    if found is None:
        raise NotFound("Mailchimp account")
    return found


def _known(actor: Actor, preferences: Preferences) -> Preferences:
    """Only ids of the company's own lists and tags; a foreign id must not even be stored."""
    kept: dict[str, list[int]] = {}
    for kind in columns_of(Preferences):
        names = _names(actor, kind.name)
        kept[kind.name] = [pk for pk in getattr(preferences, kind.name) if pk == NONE_GIVEN or pk in names]
    return Preferences.from_json(kept)


def _names(actor: Actor, kind: str) -> dict[int, str]:
    if kind in _TAGGED:
        rows = Tag.objects.filter(company=actor.company, kind=_TAGGED[kind])
    else:
        rows = ListValue.objects.filter(company=actor.company, kind=_LISTED[kind])
    return dict(rows.values_list("pk", "name"))


def _in_words(actor: Actor, preferences: Preferences) -> dict[str, list[str]]:
    words = {}
    for kind, ids in preferences.to_json().items():
        names = _names(actor, kind) | {NONE_GIVEN: "None given"}
        words[kind] = [names[pk] for pk in ids if pk in names]
    return {kind.name: words.get(kind.name, []) for kind in columns_of(Preferences)}


def _note(actor: Actor, connection: Connection, action: str, changes: dict[str, list[str]]) -> None:
    record(
        actor,
        subject="connection",
        subject_id=connection.pk,
        label=connection.list_name,
        action=action,
        changes=changes,
        at=timezone.now(),
    )
