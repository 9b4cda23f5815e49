"""The reader of one account's campaigns: the index of what moved, then campaign by campaign.

It goes through the lowest lane of the account's gate, and one call at a time: while a page is stored the next
one is on its way. Contact sync never waits for it, and it gives way between pages to a campaign that somebody
looks at.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from lockstep.apps.campaigns.models import Reading
from lockstep.apps.campaigns.reading import index, passes, people, retention
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.bridge import reports
from lockstep.core.errors import AudienceUnavailable, ConnectionBroken
from lockstep.core.ports import Clock
from lockstep.mailchimp.api import MailchimpAPI

__all__ = ["Reader"]

log = logging.getLogger("lockstep.campaigns")

Item = TypeVar("Item")


@dataclass(slots=True)
class Reader:
    """Reads what there is to read for one account, until nothing is due or its time is over."""

    account: MailchimpAccount
    api: MailchimpAPI
    clock: Clock
    database: DatabaseThread
    passes_ended: int = field(default=0, init=False)

    async def read(self, *, until: datetime, index_now: bool = False) -> bool:
        """Read until `until`; returns whether something is left that is due already.

        `index_now` reads the list of reports even if it is not time yet. Raises `AudienceUnavailable` when
        Mailchimp can't be asked now, `ConnectionBroken` when asking is pointless; what was read is kept.
        """
        links = await self.database.run(index.readable, self.account)
        if not links:
            return False
        try:
            while True:
                if index_now or await self.database.run(index.index_due, links, self.clock.now()):
                    await self._index(links)
                    index_now = False
                reading = await self._next(links)
                if reading is None:
                    return False
                if self.clock.now() >= until:
                    return True
                await self._read_campaign(reading, links, until)
        except (AudienceUnavailable, ConnectionBroken) as error:
            await self.database.run(index.trouble, links, error.raw or str(error))
            raise

    async def _next(self, links: Sequence[Connection]) -> Reading | None:
        keep_after = await self.database.run(retention.keep_after, self.account.company_id, self.clock.now())
        return await self.database.run(index.next_reading, links, self.clock.now(), keep_after=keep_after)

    async def _index(self, links: Sequence[Connection]) -> None:
        began = self.clock.now()
        async for page in reports.report_pages(self.api):
            await self.database.run(index.keep_reports, links, page)
        for link in links:
            if await self.database.run(people.matching_is_due, link, began):
                for campaign in await self.database.run(people.match_everybody, link, began):
                    await self.database.run(passes.count_clients, campaign)
        await self.database.run(index.note_index, links, began)

    async def _read_campaign(self, reading: Reading, links: Sequence[Connection], until: datetime) -> None:
        """One pass, or as much of it as there is time for; raises what `read` raises."""
        campaign_id = reading.campaign.mailchimp_id
        try:
            reading = await self.database.run(passes.begin, reading, self.clock.now())
            pages = reports.activity_pages(
                self.api, campaign_id, since=reading.pass_since, start=reading.pass_offset
            )
            async with contextlib.aclosing(_ahead(pages)) as coming:
                async for page in coming:
                    if not await self.database.run(passes.store_page, reading, page):
                        return
                    if self.clock.now() >= until or await self._is_overtaken(reading, links):
                        return
            await self._end(reading)
        except reports.ReportGone:
            await self.database.run(passes.forget, reading, self.clock.now())

    async def _is_overtaken(self, reading: Reading, links: Sequence[Connection]) -> bool:
        """Whether somebody looks at another campaign, and not at this one."""
        return await self.database.run(index.another_is_asked, links, reading.pk)

    async def _end(self, reading: Reading) -> None:
        """What email-activity does not tell, and whether everything adds up."""
        campaign_id = reading.campaign.mailchimp_id
        after = await reports.read_report(self.api, campaign_id)
        if await self.database.run(passes.unsubscribes_differ, reading, after):
            rows = [row async for page in reports.unsubscribe_pages(self.api, campaign_id) for row in page]
            await self.database.run(passes.store_unsubscribes, reading, rows)
        if not await self.database.run(passes.bounces_agree, reading, after):
            async for page in reports.bounce_pages(self.api, campaign_id):
                await self.database.run(passes.store_bounces, reading, page)
        equal = await self.database.run(passes.end, reading, after)
        self.passes_ended += 1
        if not equal:
            log.info("rows differ from the report", extra={"campaign": reading.pk, "full": reading.pass_full})


async def _ahead(pages: AsyncIterator[Item]) -> AsyncGenerator[Item, None]:
    """The same items, each fetched while the one before is worked on."""
    coming = asyncio.ensure_future(_next_or_none(pages))
    try:
        while (item := await coming) is not None:
            coming = asyncio.ensure_future(_next_or_none(pages))
            yield item
    finally:
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await coming


async def _next_or_none(pages: AsyncIterator[Item]) -> Item | None:
    return await anext(pages, None)
