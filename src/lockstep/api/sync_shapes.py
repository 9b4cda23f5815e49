"""What comes out of the calls about the sync."""

from __future__ import annotations

import datetime

from ninja import Schema
from pydantic import Field

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.queries import ContactSync, RunProgress, Standing
from lockstep.core.member import SyncState


class RunShape(Schema):
    """A piece of work that somebody asked for."""

    id: int
    kind: str
    state: str
    done: int
    total: int
    seconds_left: float | None

    @classmethod
    def of(cls, progress: RunProgress) -> RunShape:
        return cls(
            id=progress.run.pk,
            kind=progress.run.kind,
            state=progress.run.state,
            done=progress.done,
            total=progress.total,
            seconds_left=progress.seconds_left,
        )


class SyncShape(Schema):
    """One audience that is kept in step."""

    id: int
    audience_id: str = Field(description="Mailchimp's id of the audience.")
    audience_name: str
    account_name: str
    mode: str = Field(description="`on`, `off` or `stopping`.")
    trouble: str = Field(description="Why the sync is paused, for people; empty while it is not.")
    counts: dict[str, int] = Field(
        description="Contacts that fit, by state; they add up to all that fit. Empty for people who may "
        "see only their own clients."
    )
    run: RunShape | None = Field(description="What is under way.")

    @classmethod
    def of(
        cls, connection: Connection, counts: dict[SyncState, int], progress: RunProgress | None
    ) -> SyncShape:
        return cls(
            id=connection.pk,
            audience_id=connection.list_id,
            audience_name=connection.list_name,
            account_name=connection.account.account_name,
            mode=connection.mode,
            trouble=connection.broken_text or connection.account.broken_text,
            counts={state.value: number for state, number in counts.items()},
            run=RunShape.of(progress) if progress else None,
        )


class SyncsAnswer(Schema):
    items: list[SyncShape]


class RefusalShape(Schema):
    """Why Mailchimp refused the contact, in its own words."""

    kind: str
    text: str
    field: str


class StandingShape(Schema):
    """One contact's one answer to “why is (or isn't) this person in Mailchimp?”."""

    contact_id: int
    external_id: str
    reason: str = Field(description="`fits`, or why the contact is left out.")
    state: str | None = Field(description="Where it stands if it fits; null if not.")
    refusal: RefusalShape | None
    first_synced_at: datetime.datetime | None
    synced_at: datetime.datetime | None

    @classmethod
    def of(cls, standing: Standing) -> StandingShape:
        return cls(
            contact_id=standing.contact_id,
            external_id=standing.external_id,
            reason=standing.reason.value,
            state=standing.state.value if standing.state else None,
            refusal=_refusal(standing.refusal_kind, standing.refusal_text, standing.refusal_field),
            first_synced_at=standing.first_synced_at,
            synced_at=standing.synced_at,
        )


class StandingsAnswer(Schema):
    """`next` is `after` for the following page, null on the last one."""

    next: int | None
    items: list[StandingShape]


class FieldShape(Schema):
    """One of our audience fields: the book's value and Mailchimp's."""

    tag: str
    label: str
    book: str
    mailchimp: str


class ContactSyncShape(Schema):
    """How one contact stands with the company's audience."""

    sync_id: int
    reason: str = Field(description="`fits`, or why the contact is left out.")
    state: str | None
    status: str | None = Field(
        description="The marketing status at Mailchimp; null where there is no member."
    )
    refusal: RefusalShape | None
    member_email: str
    rating: int
    first_synced_at: datetime.datetime | None
    synced_at: datetime.datetime | None
    fields: list[FieldShape]

    @classmethod
    def of(cls, found: ContactSync) -> ContactSyncShape:
        return cls(
            sync_id=found.connection.pk,
            reason=found.reason.value,
            state=found.state.value if found.state else None,
            status=found.status.value if found.status else None,
            refusal=_refusal(found.refusal_kind, found.refusal_text, found.refusal_field),
            member_email=found.member_email,
            rating=found.rating,
            first_synced_at=found.first_synced_at,
            synced_at=found.synced_at,
            fields=[
                FieldShape(tag=row.tag, label=row.label, book=row.book, mailchimp=row.mailchimp)
                for row in found.fields
            ],
        )


class AskedAnswer(Schema):
    """The run that was asked for; the worker does it."""

    run_id: int | None
    mode: str


def _refusal(kind: str, text: str, field: str) -> RefusalShape | None:
    return RefusalShape(kind=kind, text=text, field=field) if kind else None
