"""A company with a book, a practice Mailchimp over TCP, and the worker's job between them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from lockstep.apps.accounts.models import Company
from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Contact
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.opening import SystemClock, open_account
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.connections.secrets import seal
from lockstep.apps.sync import queries, services
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.apps.sync.runner import run_connections
from lockstep.core.member import Reason, SyncState
from lockstep.core.ports import Clock
from lockstep.sandbox.happenings import happen, look
from lockstep.sandbox.testing import SandboxServer
from tests.factories import CompanyFactory


@dataclass
class SyncWorld:
    """Drives one connection as people and the worker would."""

    server: SandboxServer
    company: Company = field(default_factory=CompanyFactory)
    clock: Clock = field(default_factory=SystemClock)
    _seen: int = 0

    def __post_init__(self) -> None:
        self.account = MailchimpAccount.objects.create(
            company=self.company,
            auth_kind=MailchimpAccount.AuthKind.API_KEY,
            account_id=next(iter(self.server.sandbox.accounts)),
            secret=seal(self.server.api_key),
            data_center="us6",
            api_base=self.server.url,
        )
        held = next(iter(next(iter(self.server.sandbox.accounts.values())).audiences.values()))
        self.audience = held
        self.connection = Connection.objects.create(
            company=self.company, account=self.account, list_id=held.id, list_name=held.name
        )
        self.actor = Actor.lockstep(self.company)

    # --- people ---

    def start(self, *, approved: str = "") -> SyncRun:
        services.start_sync(self.actor, self.connection, approved=approved)
        return self.work()

    def refresh(self) -> SyncRun:
        services.refresh(self.actor, self.connection)
        return self.work()

    def stop(self) -> SyncRun:
        services.stop_sync(self.actor, self.connection)
        return self.work()

    def happen(self, email: str, what: str, **more: Any) -> None:
        """Something that the subscriber or the marketer does at Mailchimp."""
        happen(self.server.sandbox, self.audience.id, email, what, **more)

    # --- the worker ---

    def work(self) -> SyncRun:
        """What the worker's job does; returns the newest run."""

        async def job() -> None:
            async with open_account(self.account, clock=self.clock) as account:
                await run_connections([self.connection.pk], account, self.clock)

        self.account.refresh_from_db()
        asyncio.run(job())
        self.connection.refresh_from_db()
        newest = self.connection.runs.order_by("-id").first()
        assert newest is not None
        return newest

    # --- what is so now ---

    def member(self, email: str) -> dict[str, Any]:
        """A member as the practice Mailchimp knows it, seen from the inside."""
        return look(self.server.sandbox, self.audience.id, email)

    def fields(self, email: str) -> dict[str, str]:
        """Our merge fields of a member, without the prefix."""
        found = self.member(email)["merge_fields"]
        return {tag.removeprefix("CSKU_"): value for tag, value in found.items() if tag.startswith("CSKU_")}

    def emails(self) -> set[str]:
        return {member.email for member in self.audience}

    def record(self, contact: Contact) -> MemberRecord:
        return MemberRecord.objects.get(connection=self.connection, contact_id=contact.pk)

    def states(self) -> dict[SyncState, int]:
        return {state: n for state, n in queries.state_counts(self.connection).items() if n}

    def reasons(self) -> dict[Reason, int]:
        preferences = Preferences.from_json(self.connection.preferences)
        return queries.reason_counts(self.company.pk, preferences).by_reason

    def check_counts(self) -> None:
        """P4: fits = synced + pending + failed + archived + unsubscribed; the book = all reasons."""
        reasons = self.reasons()
        assert sum(queries.state_counts(self.connection).values()) == reasons.get(Reason.FITS, 0)
        in_book = Contact.objects.filter(
            company=self.company, deleted_at=None, client__deleted_at=None
        ).count()
        assert sum(reasons.values()) == in_book

    # --- requests ---

    def forget_requests(self) -> None:
        self._seen = self.server.sandbox.log.total

    def writes(self) -> list[tuple[str, str, Any]]:
        """(method, path, body) of the write calls since `forget_requests`."""
        entries = self.server.sandbox.log.entries(after=self._seen, writes=True)
        return [(e.method, e.path, json.loads(e.request) if e.request else None) for e in entries]

    def batches(self) -> list[int]:
        """Members in each batch call since `forget_requests`."""
        return [len(body["members"]) for _, _, body in self.writes() if body and "members" in body]
