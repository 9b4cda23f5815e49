"""Who may do what: every public verb of the services by every role, called for real (A1).

The table is written out, not derived from the code: a permission that is
loosened, or a verb that forgets to ask, is a failing line here. A verb that is
new in a services' `__all__` fails until the table says who may use it.
"""

from __future__ import annotations

import importlib
import inspect
import io
from collections.abc import Callable
from typing import Any

import pytest
from tests.factories import SeatFactory
from tests.factories.filled import Lists, Part, Window, add_lists, add_part, add_window

from lockstep.apps.accounts import services as accounts
from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, NotPermitted, Permission, Role
from lockstep.apps.book import services as book
from lockstep.apps.book.models import HistoryEntry, ListValue, Tag
from lockstep.apps.book.queries import ContactFilter
from lockstep.apps.book.queries.selection import Selection
from lockstep.apps.book.services import imports
from lockstep.apps.connections import services as connections
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.integrations import services as integrations
from lockstep.apps.reports import services as reports
from lockstep.apps.reports.columns import columns_of
from lockstep.apps.reports.filters import ReportFilter
from lockstep.apps.reports.models import SavedView
from lockstep.apps.reports.queries import open_report
from lockstep.apps.reports.segments import plan_segment
from lockstep.apps.sync import services as sync
from lockstep.core.consent import NewStatus
from lockstep.core.member import SyncState

R = Role
EVERYBODY = frozenset(Role)
EDITORS = EVERYBODY - {R.READ_ONLY}
EXPORTERS = frozenset({R.ADMIN, R.MANAGER, R.SALES})
MANAGERS = frozenset({R.ADMIN, R.MANAGER})
ADMINS = frozenset({R.ADMIN})


class Here:
    """A company with something of everything, for calls to name."""

    def __init__(self) -> None:
        self.admin: Seat = SeatFactory()
        self.other: Seat = SeatFactory(company=self.admin.company, role=Role.SALES)
        self.lists: Lists = add_lists(self.admin, "alpaca")
        self.others: Lists = add_lists(self.admin, "bison")
        self.window: Window = add_window(self.admin, "alpaca")
        self.part: Part = add_part(self.admin, "alpaca", self.lists, self.window)
        self.client = self.part.clients[0].pk
        self.contact = self.part.contacts[0]
        self.upload = self.part.imports[0].pk
        self.value, self.other_value = self.lists.status.pk, self.others.status.pk
        self.tag, self.other_tag = self.lists.contact_tag.pk, self.others.contact_tag.pk
        self.on, self.off = self.window.on, self.window.off
        self.account = self.window.on.account
        made, _ = integrations.create_token(self.admin.actor(), name="CRM", scopes=["book:read"], days=1)
        self.token = made.pk
        self.chosen = Selection(wanted=ContactFilter(), ids=[self.contact.pk])
        actor = self.admin.actor()
        edit = book.BulkEdit(subject="contact", add_tags=["Here"])
        self.bulk = book.advance_bulk(book.start_bulk_edit(actor, self.chosen, edit).pk)
        book.save_contact(actor, contact_id=self.contact.pk, position="Else")
        self.entry = HistoryEntry.objects.filter(subject_kind="contact", subject_id=self.contact.pk).latest(
            "pk"
        )


def table() -> io.BytesIO:
    return io.BytesIO(b"Client,E-mail\nNew client,new@client.example\n")


def view_of(actor: Actor, here: Here) -> int:
    """A view of the actor's own; for who is of another company, one of here."""
    owner = actor.user if actor.company == here.admin.company else here.admin.user
    view, _ = SavedView.objects.get_or_create(
        company=here.admin.company, owner=owner, page="report", name="Kept"
    )
    return view.pk


def whole_report(actor: Actor, here: Here) -> Any:
    return open_report(actor, ReportFilter(), here.on)


Call = Callable[[Actor, Here], Any]

#: Verb → who may, and a call of it.
VERBS: dict[str, tuple[frozenset[Role], Call]] = {
    "reports.save_view": (EVERYBODY, lambda a, h: reports.save_view(a, page="report", name="New", query="")),
    "reports.rename_view": (
        EVERYBODY,
        lambda a, h: reports.rename_view(a, view_id=view_of(a, h), name="Other"),
    ),
    "reports.share_view": (EDITORS, lambda a, h: reports.share_view(a, view_id=view_of(a, h), shared=True)),
    "reports.delete_view": (EVERYBODY, lambda a, h: reports.delete_view(a, view_id=view_of(a, h))),
    "reports.report_csv": (EXPORTERS, lambda a, h: reports.report_csv(whole_report(a, h), columns_of(()))),
    "reports.report_xlsx": (EXPORTERS, lambda a, h: reports.report_xlsx(whole_report(a, h), columns_of(()))),
    "reports.make_segment": (
        ADMINS,
        lambda a, h: reports.make_segment(whole_report(a, h), plan_segment(ReportFilter(), {}), name="New"),
    ),
    "accounts.add_user": (ADMINS, lambda a, h: accounts.add_user(a, email="new@staff.example", role=R.SALES)),
    "accounts.save_company": (
        ADMINS,
        lambda a, h: accounts.save_company(
            a,
            name="Else",
            time_zone="",
            default_country="",
            default_role=R.SALES,
            require_second_factor=False,
        ),
    ),
    "accounts.save_role": (
        ADMINS,
        lambda a, h: accounts.save_role(a, role=R.SALES, permissions=[Permission.EDIT_BOOK]),
    ),
    "accounts.invite": (
        ADMINS,
        lambda a, h: accounts.invite(a, email="x@staff.example", role=R.SALES, address_of=str),
    ),
    "accounts.resend_invitation": (
        ADMINS,
        lambda a, h: accounts.resend_invitation(a, invitation_id=h.part.invitation.pk, address_of=str),
    ),
    "accounts.revoke_invitation": (
        ADMINS,
        lambda a, h: accounts.revoke_invitation(a, invitation_id=h.part.invitation.pk),
    ),
    "accounts.change_seat": (
        ADMINS,
        lambda a, h: accounts.change_seat(a, seat_id=h.other.pk, role=R.LIMITED, own_clients_only=True),
    ),
    "accounts.deactivate_seat": (ADMINS, lambda a, h: accounts.deactivate_seat(a, seat_id=h.other.pk)),
    "accounts.reactivate_seat": (ADMINS, lambda a, h: accounts.reactivate_seat(a, seat_id=h.other.pk)),
    "accounts.remove_second_factor": (
        ADMINS,
        lambda a, h: accounts.remove_second_factor(a, seat_id=h.other.pk),
    ),
    "book.save_client": (EDITORS, lambda a, h: book.save_client(a, name="New one")),
    "book.set_client_active": (
        EDITORS,
        lambda a, h: book.set_client_active(a, client_id=h.client, active=False),
    ),
    "book.delete_client": (MANAGERS, lambda a, h: book.delete_client(a, client_id=h.client)),
    "book.restore_client": (
        MANAGERS,
        lambda a, h: book.restore_client(a, client_id=h.part.deleted_client.pk),
    ),
    "book.upsert_client": (
        EDITORS,
        lambda a, h: book.upsert_client(a, external_id="k", values={"name": "New too"}),
    ),
    "book.upsert_contact": (
        EDITORS,
        lambda a, h: book.upsert_contact(
            a, external_id="c", values={"client_id": h.client, "email": "n@a.example"}
        ),
    ),
    "book.save_contact": (EDITORS, lambda a, h: book.save_contact(a, client_id=h.client, first_name="New")),
    "book.set_contact_active": (
        EDITORS,
        lambda a, h: book.set_contact_active(a, contact_id=h.contact.pk, active=False),
    ),
    "book.set_no_marketing": (
        EDITORS,
        lambda a, h: book.set_no_marketing(a, contact_id=h.contact.pk, no_marketing=True),
    ),
    "book.flag_no_marketing": (
        EDITORS,
        lambda a, h: book.flag_no_marketing(a, contact_ids=[h.contact.pk], reason="Asked"),
    ),
    "book.delete_contact": (MANAGERS, lambda a, h: book.delete_contact(a, contact_id=h.contact.pk)),
    "book.restore_contact": (
        MANAGERS,
        lambda a, h: book.restore_contact(a, contact_id=h.part.deleted_contact.pk),
    ),
    "book.preview_bulk_edit": (
        EDITORS,
        lambda a, h: book.preview_bulk_edit(a, h.chosen, book.BulkEdit(subject="contact", add_tags=["New"])),
    ),
    "book.start_bulk_edit": (
        EDITORS,
        lambda a, h: book.start_bulk_edit(a, h.chosen, book.BulkEdit(subject="contact", add_tags=["New"])),
    ),
    "book.start_undo": (EDITORS, lambda a, h: book.start_undo(a, bulk_id=h.bulk.pk)),
    "book.undo_entry": (EDITORS, lambda a, h: book.undo_entry(a, entry_id=h.entry.pk)),
    "book.merge_clients": (
        MANAGERS,
        lambda a, h: book.merge_clients(a, keep_id=h.client, other_ids=[h.part.clients[1].pk]),
    ),
    "book.merge_contacts": (
        MANAGERS,
        lambda a, h: book.merge_contacts(a, keep_id=h.contact.pk, other_ids=[h.part.contacts[1].pk]),
    ),
    "book.contacts_csv": (EXPORTERS, lambda a, h: book.contacts_csv(a)),
    "book.contacts_xlsx": (EXPORTERS, lambda a, h: book.contacts_xlsx(a)),
    "book.add_list_value": (
        ADMINS,
        lambda a, h: book.add_list_value(a, kind=ListValue.Kind.INDUSTRY, name="Mining"),
    ),
    "book.rename_list_value": (
        ADMINS,
        lambda a, h: book.rename_list_value(a, value_id=h.value, name="Else"),
    ),
    "book.reorder_list_values": (
        ADMINS,
        lambda a, h: book.reorder_list_values(a, kind=ListValue.Kind.STATUS, value_ids=[h.other_value]),
    ),
    "book.retire_list_value": (ADMINS, lambda a, h: book.retire_list_value(a, value_id=h.value)),
    "book.merge_list_values": (
        ADMINS,
        lambda a, h: book.merge_list_values(a, value_id=h.value, into_id=h.other_value),
    ),
    "book.add_tag": (ADMINS, lambda a, h: book.add_tag(a, kind=Tag.Kind.CONTACT, name="Fresh")),
    "book.rename_tag": (ADMINS, lambda a, h: book.rename_tag(a, tag_id=h.tag, name="Else")),
    "book.delete_tag": (ADMINS, lambda a, h: book.delete_tag(a, tag_id=h.tag)),
    "book.merge_tags": (ADMINS, lambda a, h: book.merge_tags(a, tag_id=h.tag, into_id=h.other_tag)),
    "imports.upload_import": (
        MANAGERS,
        lambda a, h: imports.upload_import(a, file=table(), filename="new.csv"),
    ),
    "imports.preview_import": (MANAGERS, lambda a, h: imports.preview_import(a, import_id=h.upload)),
    "imports.confirm_import": (
        MANAGERS,
        lambda a, h: imports.confirm_import(a, import_id=h.upload, queue=False),
    ),
    "imports.start_import": (MANAGERS, lambda a, h: imports.start_import(a, table(), "new.csv", queue=False)),
    "imports.refused_rows_csv": (MANAGERS, lambda a, h: imports.refused_rows_csv(a, import_id=h.upload)),
    "connections.begin_oauth": (ADMINS, lambda a, h: connections.begin_oauth(a, {}, return_address="x")),
    "connections.finish_oauth": (
        ADMINS,
        lambda a, h: connections.finish_oauth(a, {}, code="c", state="s", return_address="x"),
    ),
    "connections.connect_api_key": (ADMINS, lambda a, h: connections.connect_api_key(a, "")),
    "connections.check_again": (ADMINS, lambda a, h: connections.check_again(a, h.account)),
    "connections.disconnect": (ADMINS, lambda a, h: connections.disconnect(a, h.account)),
    "connections.select_audience": (
        ADMINS,
        lambda a, h: connections.select_audience(a, h.account, "list"),
    ),
    "connections.save_preferences": (
        ADMINS,
        lambda a, h: connections.save_preferences(a, h.off, Preferences(), NewStatus.PENDING),
    ),
    "connections.save_member_tags": (
        ADMINS,
        lambda a, h: connections.save_member_tags(a, h.off, connections.TagSettings.of(h.off)),
    ),
    "connections.save_automatic_work": (
        ADMINS,
        lambda a, h: connections.save_automatic_work(
            a, h.off, nightly_audit=False, unsubscribe_sets_no_marketing=True
        ),
    ),
    "connections.make_fields_optional": (
        ADMINS,
        lambda a, h: connections.make_fields_optional(a, h.off, ["X"]),
    ),
    "sync.choose_duplicate": (EDITORS, lambda a, h: sync.choose_duplicate(a, h.contact)),
    "sync.unchoose_duplicate": (EDITORS, lambda a, h: sync.unchoose_duplicate(a, h.contact)),
    "sync.start_preview": (ADMINS, lambda a, h: sync.start_preview(a, h.off)),
    "sync.start_sync": (ADMINS, lambda a, h: sync.start_sync(a, h.off)),
    "sync.stop_sync": (ADMINS, lambda a, h: sync.stop_sync(a, h.on)),
    "sync.refresh": (ADMINS, lambda a, h: sync.refresh(a, h.on)),
    "sync.retry": (ADMINS, lambda a, h: sync.retry(a, h.on, states=[SyncState.FAILED])),
    "sync.confirm_guards": (ADMINS, lambda a, h: sync.confirm_guards(a, h.window.runs["waiting"])),
    "integrations.create_token": (
        ADMINS,
        lambda a, h: integrations.create_token(a, name="CRM", scopes=["book:read"], days=1),
    ),
    "integrations.revoke_token": (
        ADMINS,
        lambda a, h: integrations.revoke_token(a, token_id=h.token),
    ),
    "sync.undo_run": (ADMINS, lambda a, h: sync.undo_run(a, h.window.runs["past"])),
    "sync.stop_run": (ADMINS, lambda a, h: sync.stop_run(a, h.window.runs["preview"])),
    "sync.dismiss_waiting": (ADMINS, lambda a, h: sync.dismiss_waiting(a, h.on)),
}

#: Public, but not for a person's actor: who calls them, and why they ask nobody.
ASK_NOBODY = {
    "accounts.accept_as": "who holds the link of an invitation to their address",
    "accounts.accept_as_newcomer": "who holds the link of an invitation",
    "accounts.account_of": "the pages of invitations and of sign-in, which tell nobody",
    "accounts.find_invitation": "who holds the link",
    "accounts.forget_old_sign_ins": "a timer",
    "accounts.note_arrival": "the page of sign-in, about the person themselves",
    "accounts.note_sign_in": "the page of sign-in, about the person themselves",
    "accounts.remove_second_factor_everywhere": "the command line",
    "accounts.rename_user": "changes only who calls it, by their own page",
    "accounts.create_company": "the command line, before there is anybody",
    "accounts.create_first_company": "the command line and the first start",
    "book.advance_bulk": "a worker, and who has just started it",
    "book.add_starting_values": "the birth of a company",
    "book.email_is_valid": "decides about a text, reads no row",
    "book.ensure_tags": "other services, after they asked",
    "integrations.answer_once": "the API, after the token was checked",
    "integrations.forget_answers": "a timer",
    "integrations.grant": "finds out who calls",
    "integrations.spend_call": "the API, after the token was checked",
    "connections.find_connection": "a look-up within the actor's company; the caller asks",
    "connections.note_broken": "records what Mailchimp said",
    "imports.delete_old_files": "a timer",
    "imports.guess_mapping": "decides about a header, reads no row",
    "imports.import_of": "a look-up within the actor's company; the caller asks",
    "sync.writes_of": "adds up the numbers of a plan that the caller read",
    "reports.kept": "takes an address apart",
    "imports.run_import": "the worker, for an import that was confirmed",
}

PACKAGES = {
    "accounts": "lockstep.apps.accounts.services",
    "book": "lockstep.apps.book.services",
    "imports": "lockstep.apps.book.services.imports",
    "connections": "lockstep.apps.connections.services",
    "sync": "lockstep.apps.sync.services",
    "integrations": "lockstep.apps.integrations.services",
    "reports": "lockstep.apps.reports.services",
}


def public_verbs() -> set[str]:
    """The functions in every services' `__all__`; classes and constants do nothing."""
    found = set()
    for short, path in PACKAGES.items():
        package = importlib.import_module(path)
        found |= {f"{short}.{name}" for name in package.__all__ if inspect.isfunction(getattr(package, name))}
    return found


def test_every_public_verb_is_in_the_table() -> None:
    assert public_verbs() == VERBS.keys() | ASK_NOBODY.keys()
    assert not VERBS.keys() & ASK_NOBODY.keys()


@pytest.mark.parametrize("role", list(Role))
def test_roles_and_verbs(db: None, role: Role) -> None:
    """The verb lets in whom the table names and nobody else, and asks before it does anything."""
    from django.db import transaction
    from tests.web.walking import rows

    here = Here()
    seat = SeatFactory(company=here.admin.company, role=role)
    before, faults = rows(), []
    for verb, (allowed, call) in VERBS.items():
        with transaction.atomic():
            permitted = was_let_in(call, seat.actor(), here)
            if permitted != (role in allowed):
                faults.append(f"{verb}: {'let in' if permitted else 'refused'}")
            if not permitted and rows() != before:
                faults.append(f"{verb} wrote something before it asked")
            transaction.set_rollback(True)
    assert not faults


def was_let_in(call: Call, actor: Actor, here: Here) -> bool:
    """Other refusals (a key that is empty, a Mailchimp that is away) come after the permission."""
    from django.db import transaction

    try:
        with transaction.atomic():
            call(actor, here)
    except NotPermitted:
        return False
    except REFUSALS:
        return True
    return True


REFUSALS = (
    connections.accounts.ConnectError,
    sync.SyncRefused,
)


def test_limited_to_own_clients_nobody_manages_the_company(db: None) -> None:
    """The settings and the sync list everybody's contacts, so that not even an admin so limited has them."""
    here = Here()
    actor = SeatFactory(company=here.admin.company, role=Role.ADMIN, own_clients_only=True).actor()
    for verb, (allowed, call) in VERBS.items():
        if allowed == ADMINS:
            assert not was_let_in(call, actor, here), verb


def test_verbs_know_nothing_of_another_company(db: None) -> None:
    """An admin elsewhere: a verb that names something of this company finds nothing and writes nothing."""
    from tests.web.walking import rows

    from lockstep.apps.accounts.errors import NotFound as NoSuchPerson
    from lockstep.apps.book.errors import BookError, NotFound

    here = Here()
    actor = SeatFactory(role=Role.ADMIN).actor()
    free = {
        "accounts.add_user",
        "accounts.save_company",
        "accounts.save_role",
        "accounts.invite",
        "book.add_tag",
        "book.save_client",
        "book.upsert_client",
        "book.contacts_csv",
        "book.contacts_xlsx",
        "book.add_list_value",
        "reports.save_view",
        "reports.report_csv",
        "reports.report_xlsx",
        "imports.upload_import",
        "imports.start_import",
        "integrations.create_token",
        "connections.begin_oauth",
        "connections.finish_oauth",
        "connections.connect_api_key",
    }
    view_of(here.admin.actor(), here)
    before = rows()
    found = {}
    for verb, (_, call) in VERBS.items():
        if verb in free:
            continue
        try:
            call(actor, here)
        except (NotFound, NoSuchPerson):
            continue
        except BookError:  # complains of the field that names it
            found[verb] = "invalid"
        else:
            found[verb] = "nothing said"
    assert found == {
        "reports.make_segment": "invalid",
        "book.save_contact": "invalid",
        "book.upsert_contact": "invalid",
        "book.preview_bulk_edit": "invalid",
        "book.start_bulk_edit": "invalid",
        "book.reorder_list_values": "invalid",
        "book.flag_no_marketing": "nothing said",
        "sync.dismiss_waiting": "nothing said",
    }
    assert rows() == before
