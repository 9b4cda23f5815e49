"""Choosing an audience, saying who is synced, and mending required fields."""

from __future__ import annotations

import pytest
from tests.factories import (
    ConnectionFactory,
    ListValueFactory,
    MailchimpAccountFactory,
    SeatFactory,
    TagFactory,
)

from lockstep.apps.accounts.permissions import Actor, NotPermitted, Role
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import HistoryEntry, ListValue
from lockstep.apps.connections import queries, services
from lockstep.apps.connections.errors import MailchimpRefused, SyncIsOn
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.preferences import NONE_GIVEN, Preferences
from lockstep.core.consent import NewStatus
from lockstep.core.errors import BrokenKind, ConnectionBroken
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.testing import SandboxServer


def test_audiences_are_those_of_mailchimp(
    actor: Actor, account: MailchimpAccount, audience: Audience
) -> None:
    assert [found.list_id for found in queries.audiences(actor, account)] == [audience.id]


def test_a_revoked_key_is_told_as_broken(
    actor: Actor, account: MailchimpAccount, mailchimp: SandboxServer
) -> None:
    [practice] = mailchimp.sandbox.accounts.values()
    practice.credentials[mailchimp.api_key].revoked = True
    with pytest.raises(ConnectionBroken) as broken:
        queries.audiences(actor, account)
    assert broken.value.kind is BrokenKind.KEY_REVOKED


def test_selecting_makes_a_connection_once(
    actor: Actor, account: MailchimpAccount, audience: Audience
) -> None:
    first = services.select_audience(actor, account, audience.id)
    again = services.select_audience(actor, account, audience.id)
    assert first.pk == again.pk
    assert (first.list_name, first.company, first.mode) == (audience.name, actor.company, Connection.Mode.OFF)
    assert first.signup_url.startswith("http")
    assert again.selected_at > first.selected_at
    assert queries.current_connection(actor.company.pk) == again


def test_an_audience_that_is_gone_is_said(actor: Actor, account: MailchimpAccount) -> None:
    with pytest.raises(MailchimpRefused, match="no longer in Mailchimp"):
        services.select_audience(actor, account, "0000000000")
    assert not Connection.objects.exists()


def test_preferences_are_kept_and_noted(actor: Actor) -> None:
    connection = ConnectionFactory(company=actor.company)
    status = ListValueFactory(company=actor.company, name="Prospect")
    tag = TagFactory(company=actor.company, name="VIP")
    chosen = Preferences(status_ids=(NONE_GIVEN, status.pk), contact_tag_ids=(tag.pk,))
    saved = services.save_preferences(actor, connection, chosen, NewStatus.PENDING)
    saved.refresh_from_db()
    assert Preferences.from_json(saved.preferences) == chosen
    assert saved.new_status == "pending"
    entry = HistoryEntry.objects.get()
    assert entry.changes == {
        "status_ids": ["", "None given, Prospect"],
        "contact_tag_ids": ["", "VIP"],
        "new_status": ["subscribed", "pending"],
    }
    services.save_preferences(actor, connection, chosen, NewStatus.PENDING)
    assert HistoryEntry.objects.count() == 1


def test_ids_of_others_and_of_another_kind_are_not_kept(actor: Actor) -> None:
    connection = ConnectionFactory(company=actor.company)
    foreign = ListValueFactory()
    department = ListValueFactory(company=actor.company, kind=ListValue.Kind.DEPARTMENT)
    chosen = Preferences(status_ids=(foreign.pk, department.pk), department_ids=(department.pk,))
    saved = services.save_preferences(actor, connection, chosen, NewStatus.SUBSCRIBED)
    assert saved.preferences == {"department_ids": [department.pk]}


@pytest.mark.parametrize("mode", [Connection.Mode.ON, Connection.Mode.STOPPING])
def test_preferences_wait_until_the_sync_is_stopped(actor: Actor, mode: Connection.Mode) -> None:
    connection = ConnectionFactory(company=actor.company, mode=mode)
    with pytest.raises(SyncIsOn):
        services.save_preferences(actor, connection, Preferences(), NewStatus.PENDING)
    connection.refresh_from_db()
    assert connection.new_status == "subscribed"


def test_unsubscribed_is_never_offered_to_new_people(actor: Actor) -> None:
    connection = ConnectionFactory(company=actor.company)
    with pytest.raises(ValueError, match="not offered"):
        services.save_preferences(actor, connection, Preferences(), NewStatus.UNSUBSCRIBED)


def test_automatic_work_may_change_while_the_sync_is_on(actor: Actor) -> None:
    connection = ConnectionFactory(company=actor.company, mode=Connection.Mode.ON)
    services.save_automatic_work(actor, connection, nightly_audit=False, unsubscribe_sets_no_marketing=True)
    connection.refresh_from_db()
    assert (connection.nightly_audit, connection.unsubscribe_sets_no_marketing) == (False, True)


def test_only_the_named_fields_become_optional(
    actor: Actor, connection: Connection, audience: Audience
) -> None:
    for tag in ("SHIRT", "BDAY"):
        audience.add_merge_field(tag=tag, name=tag.title(), type="text", required=True)
    assert services.make_fields_optional(actor, connection, ["SHIRT"]) == ("SHIRT",)
    required = {tag: audience.merge_field(tag).required for tag in ("SHIRT", "BDAY")}  # type: ignore[union-attr]
    assert required == {"SHIRT": False, "BDAY": True}
    assert HistoryEntry.objects.get().action == "make_optional"


def test_nothing_of_another_company_is_there(actor: Actor) -> None:
    foreign = ConnectionFactory()
    with pytest.raises(NotFound):
        services.save_preferences(actor, foreign, Preferences(), NewStatus.PENDING)
    with pytest.raises(NotFound):
        services.save_automatic_work(actor, foreign, nightly_audit=False, unsubscribe_sets_no_marketing=True)
    with pytest.raises(NotFound):
        services.make_fields_optional(actor, foreign, ["X"])
    with pytest.raises(NotFound):
        services.select_audience(actor, foreign.account, "list")
    with pytest.raises(NotFound):
        queries.audiences(actor, foreign.account)
    with pytest.raises(NotFound):
        queries.preflight(actor, foreign)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_who_manages_the_company_configures(db: None, role: Role) -> None:
    seat = SeatFactory(role=role)
    actor, connection = seat.actor(), ConnectionFactory(company=seat.company)
    with pytest.raises(NotPermitted):
        services.select_audience(actor, connection.account, "list")
    with pytest.raises(NotPermitted):
        services.save_preferences(actor, connection, Preferences(), NewStatus.PENDING)
    with pytest.raises(NotPermitted):
        services.save_automatic_work(
            actor, connection, nightly_audit=False, unsubscribe_sets_no_marketing=True
        )
    with pytest.raises(NotPermitted):
        services.make_fields_optional(actor, connection, ["X"])
    with pytest.raises(NotPermitted):
        queries.preflight(actor, connection)


def test_the_audience_at_work_is_the_current_one(actor: Actor) -> None:
    account = MailchimpAccountFactory(company=actor.company)
    at_work = ConnectionFactory(account=account, mode=Connection.Mode.ON)
    ConnectionFactory(account=account)
    ConnectionFactory()
    assert queries.current_connection(actor.company.pk) == at_work
