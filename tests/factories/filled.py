"""A company, or one rep's part of it, in which every table has something and every text says whose it is."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.utils import timezone

from lockstep.apps.accounts.models import Invitation, Seat, SignIn
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book.models import (
    BulkChange,
    Client,
    ClientAddress,
    Contact,
    HistoryEntry,
    Import,
    ImportRefusal,
    ListValue,
    Tag,
)
from lockstep.apps.book.services.imports import upload_import
from lockstep.apps.campaigns.models import (
    Campaign,
    Link,
    Person,
    Reaction,
    Reading,
    Recipient,
    Unsubscribe,
)
from lockstep.apps.campaigns.moments import seconds_at
from lockstep.apps.campaigns.reading.counting import count_campaign, count_clients, count_people
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.secrets import seal
from lockstep.apps.integrations.models import AccessToken
from lockstep.apps.reports.models import SavedView
from lockstep.apps.sync.models import (
    DuplicateChoice,
    Mark,
    MemberRecord,
    ObservedRecord,
    PlanRow,
    SyncEvent,
    SyncRun,
    WebhookDelivery,
)
from lockstep.core.field_map import FIELD_SPECS
from lockstep.core.identity import subscriber_hash
from lockstep.core.member import SyncState
from lockstep.core.outcome import RefusalKind
from tests.factories.accounts import SeatFactory
from tests.factories.book import ClientFactory, ContactFactory, ListValueFactory, TagFactory
from tests.factories.connections import ConnectionFactory, MailchimpAccountFactory

#: What an import that is done has counted, by the names that its page reads.
COUNTS = (
    "new_without_email",
    "changed_contacts",
    "unchanged_contacts",
    "skipped_rows",
    "merged_rows",
    "client_rows",
    "new_clients",
    "changed_clients",
    "new_tags",
    "new_list_values",
    "no_marketing",
)


@dataclass
class Lists:
    """What clients and contacts choose from."""

    status: ListValue
    industry: ListValue
    department: ListValue
    client_tag: Tag
    contact_tag: Tag


@dataclass
class Window:
    """A connection whose sync is on, and one that is off with a dry run."""

    on: Connection
    off: Connection
    runs: dict[str, SyncRun]
    secret: str
    token: AccessToken
    campaign: Campaign


@dataclass
class Part:
    """One rep's clients, contacts and imports; `word` is in every text of them."""

    seat: Seat
    word: str
    clients: list[Client] = field(default_factory=list)
    deleted_client: Client = field(init=False)
    contacts: list[Contact] = field(default_factory=list)
    deleted_contact: Contact = field(init=False)
    duplicate: Contact = field(init=False)
    session: UserSession = field(init=False)
    invitation: Invitation = field(init=False)
    token: str = ""
    imports: list[Import] = field(default_factory=list)
    bulk: BulkChange = field(init=False)
    entry: HistoryEntry = field(init=False)
    view: SavedView = field(init=False)


def add_lists(seat: Seat, word: str) -> Lists:
    company = seat.company
    return Lists(
        status=ListValueFactory(company=company, kind=ListValue.Kind.STATUS, name=f"{word} status"),
        industry=ListValueFactory(company=company, kind=ListValue.Kind.INDUSTRY, name=f"{word} industry"),
        department=ListValueFactory(
            company=company, kind=ListValue.Kind.DEPARTMENT, name=f"{word} department"
        ),
        client_tag=TagFactory(company=company, kind=Tag.Kind.CLIENT, name=f"{word} client tag"),
        contact_tag=TagFactory(company=company, kind=Tag.Kind.CONTACT, name=f"{word} contact tag"),
    )


def add_window(seat: Seat, word: str) -> Window:
    """An account with two audiences and a run of each kind that pages show."""
    account = MailchimpAccountFactory(
        company=seat.company,
        account_name=f"{word} account",
        login_email=f"login@{word}.example",
        connected_by=seat.user,
    )
    now = timezone.now()
    secret = f"{word}-secret-of-the-webhook"
    on = ConnectionFactory(
        account=account,
        list_name=f"{word} audience",
        mode=Connection.Mode.ON,
        first_started_at=now,
        mirror_complete_at=now,
        webhook_secret=seal(secret),
    )
    off = ConnectionFactory(account=account, list_name=f"{word} second audience")
    kinds = {
        "finished": (on, SyncRun.Kind.START, SyncRun.State.PARTIAL),
        "waiting": (on, SyncRun.Kind.AUDIT, SyncRun.State.WAITING),
        "past": (off, SyncRun.Kind.START, SyncRun.State.FINISHED),
        "preview": (off, SyncRun.Kind.PREVIEW, SyncRun.State.FINISHED),
    }
    runs = {
        name: SyncRun.objects.create(
            company=seat.company,
            connection=link,
            kind=kind,
            state=state,
            asked_by=seat.user,
            started_at=now,
            finished_at=None if name == "waiting" else now,
            error_text=f"{word} trouble",
            fingerprint=f"{name}-{seat.pk}",
        )
        for name, (link, kind, state) in kinds.items()
    }
    WebhookDelivery.objects.create(connection=on, body=f"type=unsubscribe&data[email]={word}".encode())
    token = AccessToken.objects.create(
        company=seat.company,
        user=seat.user,
        name=f"{word} token",
        hint=f"lockstep_{word}",
        digest=word.encode(),
        scopes=["book:read"],
    )
    return Window(on, off, runs, secret, token, add_campaign(seat, on, word))


def add_part(seat: Seat, word: str, lists: Lists, window: Window) -> Part:
    """Clients, contacts in every state of the sync, history and imports of one rep."""
    part, company = Part(seat, word), seat.company
    for number in range(3):
        client = ClientFactory(
            company=company,
            name=f"{word} client {number}",
            rep=seat.user,
            account_number=f"{word}-{number}",
            website=f"{word}.example",
            phone=f"{word} 555-01{number}",
            notes=f"{word} notes",
            external_id=f"{word}-ext-{number}",
            status=lists.status,
            industry=lists.industry,
            tag_ids=[lists.client_tag.pk],
        )
        ClientAddress.objects.create(
            company=company, client=client, line1=f"{word} street {number}", city=f"{word} city"
        )
        _note(seat, "client", client.pk, word)
        part.clients.append(client)
    part.deleted_client = ClientFactory(
        company=company, name=f"{word} deleted client", rep=seat.user, deleted_at=timezone.now()
    )
    _sign_in(part, word)
    states = list(SyncState)
    for number in range(len(states) + 2):
        email = f"{word}{number}@{word}.example"
        contact = ContactFactory(
            client=part.clients[number % 2],
            first_name=f"{word} first",
            last_name=f"{word} last {number}",
            email=email,
            position=f"{word} position",
            phone=f"{word} 555-02{number}",
            line1=f"{word} lane {number}",
            department=lists.department,
            tag_ids=[lists.contact_tag.pk],
            no_marketing=number == len(states),
            no_marketing_reason=f"{word} reason" if number == len(states) else "",
            active=number != len(states) + 1,
            external_id=f"{word}-contact-{number}",
        )
        part.contacts.append(contact)
        _note(seat, "contact", contact.pk, word)
    for contact, state in zip(part.contacts, states, strict=False):
        _remember(contact, window, state, word)
    part.duplicate = ContactFactory(
        client=part.clients[0], first_name=f"{word} double", email=part.contacts[0].email
    )
    DuplicateChoice.objects.create(
        company=company, email_key=part.contacts[0].email_key, contact=part.contacts[0], chosen_by=seat.user
    )
    part.deleted_contact = ContactFactory(
        client=part.clients[0], first_name=f"{word} deleted", deleted_at=timezone.now()
    )
    part.bulk = BulkChange.objects.create(
        company=company,
        user=seat.user,
        kind=BulkChange.Kind.EDIT,
        subject_kind="contact",
        words=f"{word} changed",
        total=1,
        done=1,
        changed=1,
        state=BulkChange.State.DONE,
    )
    part.entry = HistoryEntry.objects.create(
        company=company,
        user=seat.user,
        subject_kind="contact",
        subject_id=part.contacts[1].pk,
        action="changed",
        changes={"notes": [f"{word} before", f"{word} after"]},
        before={"position": f"{word} before"},
        after={"position": f"{word} position"},
        bulk=part.bulk,
    )
    part.view = SavedView.objects.create(
        company=company, owner=seat.user, page="report", name=f"{word} view", query="active=yes"
    )
    for state in (Import.State.UPLOADED, Import.State.DONE):
        part.imports.append(_import(seat, word, state))
    _mail(part, window, word)
    return part


def _sign_in(part: Part, word: str) -> None:
    """What there is of a person: a session, entries of the sign-in log, and an invitation of theirs."""
    seat, now = part.seat, timezone.now()
    part.session = UserSession.objects.create(
        user=seat.user, ip="192.0.2.7", user_agent=f"{word} browser", session_key=f"{word}-{seat.pk}"
    )
    SignIn.objects.create(
        user=seat.user, kind=SignIn.Kind.SIGNED_IN, address="192.0.2.7", browser=f"{word} browser"
    )
    part.token = f"{word}-token-{seat.pk}"
    part.invitation = Invitation.objects.create(
        company=seat.company,
        email=f"invited@{word}.example",
        role=Role.SALES,
        digest=hashlib.sha256(part.token.encode()).digest(),
        invited_by=seat.user,
        sent_at=now,
        expires_at=now + timedelta(days=7),
    )


def _note(seat: Seat, kind: str, pk: int, word: str) -> None:
    HistoryEntry.objects.create(
        company=seat.company,
        user=seat.user,
        subject_kind=kind,
        subject_id=pk,
        action="changed",
        changes={"notes": [f"{word} old", f"{word} new"]},
    )


def _remember(contact: Contact, window: Window, state: SyncState, word: str) -> None:
    """What the sync knows of a contact: record, mirror, event, mark, and a line in the dry run."""
    contact.refresh_from_db()
    refused = state is SyncState.FAILED
    member = subscriber_hash(contact.email_key)
    MemberRecord.objects.create(
        company=contact.company,
        connection=window.on,
        contact=contact,
        reason="fits",
        state=state.value,
        member_hash=member,
        synced_key=contact.email_key,
        refusal_kind=RefusalKind.FAKE_ADDRESS.value if refused else "",
        refusal_text=f"{word} looks fake or invalid" if refused else "",
        refused_at=timezone.now() if refused else None,
    )
    ObservedRecord.objects.create(
        connection=window.on,
        member_hash=member,
        email=contact.email,
        status="subscribed",
        values=[f"{word} old value"] + [""] * (len(FIELD_SPECS) - 1),
    )
    for run in ("finished", "waiting", "past"):
        SyncEvent.objects.create(
            company=contact.company,
            connection=window.runs[run].connection,
            run=window.runs[run],
            contact_id=contact.pk,
            kind=SyncEvent.Kind.ADDED,
            text=f"{word} event",
        )
    PlanRow.objects.create(
        run=window.runs["preview"],
        contact_id=contact.pk,
        step=PlanRow.Step.ADD,
        differing={FIELD_SPECS[0].name: ["", f"{word} value"]},
        text=f"{word} plan",
    )
    Mark.objects.create(connection=window.on, contact_id=contact.pk)


def add_campaign(seat: Seat, connection: Connection, word: str) -> Campaign:
    """A campaign that was read to its end, with nobody in it yet."""
    now = timezone.now()
    campaign = Campaign.objects.create(
        company=seat.company,
        connection=connection,
        mailchimp_id=f"{word}campaign",
        title=f"{word} campaign",
        subject=f"{word} subject",
        send_time=now - timedelta(hours=3),
        reported={"sent": 100},
    )
    Reading.objects.create(campaign=campaign, connection=connection, first_read_at=now, read_at=now)
    Link.objects.create(campaign=campaign, number=0, url=f"https://{word}.example/offer")
    return campaign


def _mail(part: Part, window: Window, word: str) -> None:
    """Everybody of the part got the window's campaign, opened it, clicked, and left."""
    campaign, at = window.campaign, seconds_at(window.campaign.send_time) + 60
    for contact in [*part.contacts, part.deleted_contact]:
        person = Person.objects.create(
            connection=campaign.connection,
            member_hash=hashlib.md5(f"{word}{contact.pk}".encode(), usedforsecurity=False).digest(),
            contact=contact,
        )
        Recipient.objects.create(campaign=campaign, person=person)
        for what in (1, 2, 16):
            Reaction.objects.create(campaign=campaign, person=person, what=what, at=at, source=contact.pk)
        Unsubscribe.objects.create(campaign=campaign, person=person, at=at, reason=f"{word} reason")
        count_people(campaign.pk, [person.pk])
    count_campaign(campaign.pk)
    count_clients(campaign)


def _import(seat: Seat, word: str, state: Import.State) -> Import:
    rows = f"Client,First name,E-mail\n{word} imported,{word} person,new@{word}.example\n"
    manager = SeatFactory(company=seat.company, role=Role.MANAGER).actor()
    parent = upload_import(manager, file=io.BytesIO(rows.encode()), filename=f"{word}.csv")
    parent.user, parent.state = seat.user, state
    parent.error = f"{word} error"
    if state is Import.State.DONE:
        parent.finished_at = timezone.now()
        parent.counts = {**dict.fromkeys(COUNTS, 0), "rows": 2, "new_contacts": 1, "refused_rows": 1}
    parent.save()
    ImportRefusal.objects.create(
        parent=parent, row_number=2, reason=f"{word} refused", cells=[f"{word} cell", "", ""]
    )
    return parent
