"""A company in step with a practice Mailchimp that sends campaigns, and a reader that goes by its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.factories import ClientFactory, ContactFactory
from tests.scenarios.world import SyncWorld

from lockstep.apps.book.models import Contact
from lockstep.apps.campaigns.models import Campaign, Person, Reaction, Reading, Recipient, Unsubscribe
from lockstep.apps.campaigns.reading.reader import Reader
from lockstep.apps.connections.opening import open_account
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.bridge.access import Purpose
from lockstep.sandbox import marketer
from lockstep.sandbox.campaign import Campaign as SentCampaign
from lockstep.sandbox.campaign import campaigns_of
from lockstep.sandbox.mailing import CLICK, HARD, SOFT
from lockstep.sandbox.member import hash_of
from lockstep.sandbox.report import report_document

HOME, SALE, MUGS = "https://shop.example/", "https://shop.example/sale", "https://shop.example/mugs"


class Crash(BaseException):
    """The reader's process is gone, in the middle of something."""


@dataclass
class SandboxTime:
    """The practice Mailchimp's clock, as the worker's."""

    seconds: Callable[[], float]

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the reader waits for nothing")


class CrashingDatabase(DatabaseThread):
    """Goes down before the nth piece of work, or just after it."""

    def __init__(self, after: int, *, done: bool) -> None:
        super().__init__()
        self.left = after
        self.done = done

    async def run(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        if work.__module__ == DatabaseThread.__module__:
            return await super().run(work, *args, **kwargs)  # closing is no step of the reader
        self.left -= 1
        if self.left == 0 and not self.done:
            raise Crash
        result = await super().run(work, *args, **kwargs)
        if self.left == 0:
            raise Crash
        return result


@dataclass
class CampaignWorld:
    """Drives contact sync, the marketer, the subscribers, and the reader."""

    sync: SyncWorld
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox = self.sync.server.sandbox
        self.sandbox.clock.run(0)
        self.clock = SandboxTime(self.sandbox.clock.now)
        self.audience = self.sync.audience
        self.link = self.sync.connection

    # --- the book and the audience ---

    def people(self, contacts: int, strangers: int = 0, clients: int = 3) -> list[Contact]:
        """Contacts of some clients who are in the audience, and people there whom the book does not know."""
        owners = [ClientFactory(company=self.sync.company) for _ in range(clients)]
        made = [ContactFactory(client=owners[n % clients]) for n in range(contacts)]
        for number in range(strangers):
            self.sync.happen(f"stranger{number}@elsewhere.example.net", "sign_up")
        self.sync.start()
        return made

    def hours(self, hours: float) -> None:
        self.sandbox.clock.advance(hours * 3600)
        self.sandbox.tick()

    def send(self, subject: str = "News", **behaviour: float) -> str:
        given = {"machine": 0.3, "soft": 0.05, "hard": 0.05, "open": 0.6, "click": 0.5, "unsubscribe": 0.1}
        sent = marketer.create_campaign(
            self.sandbox,
            self.audience.id,
            subject,
            links=[HOME, SALE, MUGS],
            send=True,
            behaviour=given | {"complain": 0.03, "days": 3} | behaviour,
        )
        self.sent.append(str(sent["id"]))
        return self.sent[-1]

    def play(self, campaign: str, email: str, what: str = "open", url: str = "") -> None:
        marketer.play(self.sandbox, campaign, email, what, url)

    # --- the reader ---

    def read(
        self,
        *,
        index_now: bool = True,
        minutes: float = 600,
        database: DatabaseThread | None = None,
    ) -> int:
        """What the job does; returns how many passes came to their end."""

        async def job() -> int:
            async with (
                database or DatabaseThread() as thread,
                open_account(self.sync.account, Purpose.CAMPAIGNS) as opened,
            ):
                reader = Reader(self.sync.account, opened.api, self.clock, thread)
                await reader.read(until=self.clock.now() + timedelta(minutes=minutes), index_now=index_now)
                return reader.passes_ended

        return asyncio.run(job())

    def read_and_crash(self, after: int, *, done: bool) -> bool:
        """Whether the reader got so far that it crashed."""
        try:
            self.read(database=CrashingDatabase(after, done=done))
        except Crash:
            return True
        return False

    def calls(self, work: Callable[[], Any]) -> list[str]:
        """The paths that `work` asks for."""
        before = self.sandbox.log.total
        work()
        return [entry.path for entry in self.sandbox.log.entries(after=before)]

    # --- the truth ---

    def there(self, mailchimp_id: str) -> SentCampaign:
        found = campaigns_of(self.sandbox).find(mailchimp_id)
        assert found is not None
        return found

    def report(self, mailchimp_id: str) -> dict[str, Any]:
        found = self.there(mailchimp_id)
        assert found.mailing is not None
        return report_document(found, found.mailing, self.audience, "")

    def campaign(self, mailchimp_id: str) -> Campaign:
        return Campaign.objects.get(connection=self.link, mailchimp_id=mailchimp_id)

    def reading(self, mailchimp_id: str) -> Reading:
        return Reading.objects.get(campaign__mailchimp_id=mailchimp_id)

    def totals_there(self, mailchimp_id: str) -> dict[str, Any]:
        """The practice Mailchimp's own report, by our names."""
        report, mailing = self.report(mailchimp_id), self.there(mailchimp_id).mailing
        assert mailing is not None
        return {
            "recipients": report["emails_sent"],
            "opens": report["opens"]["opens_total"],
            "openers": report["opens"]["unique_opens"],
            "clicks": report["clicks"]["clicks_total"],
            "clickers": report["clicks"]["unique_subscriber_clicks"],
            "unique_clicks": report["clicks"]["unique_clicks"],
            "soft_bounces": report["bounces"]["soft_bounces"],
            "hard_bounces": report["bounces"]["hard_bounces"],
            "unsubscribed": report["unsubscribed"],
            "complaints": report["abuse_reports"],
            "links": {
                url: (mailing.link_clicks[number], len(mailing.link_clickers[number]))
                for number, (_, url) in enumerate(self.there(mailchimp_id).links)
                if mailing.link_clicks[number]
            },
        }

    def totals_here(self, mailchimp_id: str) -> dict[str, Any]:
        """The same, counted from the rows that pages read."""
        campaign = self.campaign(mailchimp_id)
        links = dict(campaign.links.values_list("number", "url"))
        clicks: dict[str, list[int]] = {url: [] for url in links.values()}
        for what, person in Reaction.objects.filter(campaign=campaign, what__gte=Reaction.CLICK).values_list(
            "what", "person_id"
        ):
            clicks[links[what - Reaction.CLICK]].append(person)
        names = "recipients opens openers clicks clickers soft_bounces hard_bounces unsubscribed complaints"
        return {name: getattr(campaign, name) for name in names.split()} | {
            "unique_clicks": sum(len(set(people)) for people in clicks.values()),
            "links": {url: (len(people), len(set(people))) for url, people in clicks.items() if people},
        }

    def contact_there(self, mailchimp_id: str, email: str) -> tuple[int, int, int, bool] | None:
        """(opens, clicks, bounce, unsubscribed) of a member's mail; None if they were not sent it."""
        mailing = self.there(mailchimp_id).mailing
        member = self.audience.get(hash_of(email))
        assert mailing is not None
        who = mailing.recipient(member.serial) if member else None
        if who is None:
            return None
        events = list(mailing.events_of(who))
        bounce = {0: 0, SOFT: 1, HARD: 2}[mailing.status[who]]
        left = any(mailing.event(number).recipient == who for number in mailing.unsubscribed)
        opens = sum(event.is_open for event in events)
        return opens, sum(event.what >= CLICK for event in events), bounce, left

    def contact_here(self, mailchimp_id: str, contact: Contact) -> tuple[int, int, int, bool] | None:
        found = list(
            Recipient.objects.filter(
                campaign__mailchimp_id=mailchimp_id,
                person__in=Person.objects.filter(connection=self.link, contact_id=contact.pk),
            )
        )
        assert len(found) <= 1, "one contact got it twice"
        if not found:
            return None
        [row] = found
        return row.opens, row.clicks, row.bounce, row.unsubscribed

    def check_sums(self) -> None:
        """Every sum is the sum of its parts, whatever state the reading is in."""
        for campaign in Campaign.objects.filter(connection=self.link):
            rows = list(Recipient.objects.filter(campaign=campaign))
            assert campaign.recipients == len(rows)
            assert campaign.opens == sum(row.opens for row in rows)
            assert campaign.machine_opens == sum(row.machine_opens for row in rows)
            assert campaign.openers == sum(row.opens > 0 for row in rows)
            assert campaign.human_openers == sum(row.opens > row.machine_opens for row in rows)
            assert campaign.clicks == sum(row.clicks for row in rows)
            assert campaign.clickers == sum(row.clicks > 0 for row in rows)
            events = list(Reaction.objects.filter(campaign=campaign))
            assert campaign.opens == sum(event.what == Reaction.What.OPEN for event in events)
            assert campaign.clicks == sum(event.what >= Reaction.CLICK for event in events)
            assert {event.person_id for event in events} <= {row.person_id for row in rows}
            assert campaign.unsubscribed == Unsubscribe.objects.filter(campaign=campaign).count()
