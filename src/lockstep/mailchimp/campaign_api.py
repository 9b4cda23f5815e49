"""The part of the API that reads campaigns and what people did with them (contract 9).

Everything here goes through the lowest lane of the gate, so that it never delays a contact.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from lockstep.mailchimp.calls import PAGE_SIZE, report
from lockstep.mailchimp.paging import walk_pages
from lockstep.mailchimp.sending import Sender
from lockstep.mailchimp.throttle import Lane
from lockstep.mailchimp.wire import (
    Campaign,
    ClickedUrl,
    ClickMember,
    EmailActivity,
    OpenDetail,
    Report,
    SentTo,
    Unsubscribe,
)


class CampaignAPI(Sender):
    """Reading campaigns. `since` and `before` are as `times.write_moment` writes them, windows `(since,
    before]`; iterators yield pages of up to 1,000 rows. Raises `MailchimpError`s only.
    """

    async def campaign(self, campaign_id: str) -> Campaign:
        return await self.send(report.get_campaign(campaign_id), lane=Lane.CAMPAIGNS)

    def campaign_pages(
        self,
        *,
        list_id: str = "",
        status: str = "",
        since_send_time: str = "",
        before_send_time: str = "",
        fields: Sequence[str] | None = None,
    ) -> AsyncIterator[list[Campaign]]:
        """Campaigns, oldest first; drafts have no `send_time`."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[Campaign], int]:
            call = report.get_campaigns(
                list_id=list_id,
                status=status,
                since_send_time=since_send_time,
                before_send_time=before_send_time,
                sort_field="create_time",
                fields=fields,
                count=count,
                offset=offset,
            )
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.campaigns, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE)

    async def report(self, campaign_id: str, *, fields: Sequence[str] | None = None) -> Report:
        return await self.send(report.get_report(campaign_id, fields=fields), lane=Lane.CAMPAIGNS)

    def report_pages(
        self, *, since_send_time: str = "", before_send_time: str = "", fields: Sequence[str] | None = None
    ) -> AsyncIterator[list[Report]]:
        """Reports of all sent campaigns of the account: the cheapest way to see which ones moved."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[Report], int]:
            call = report.get_reports(
                since_send_time=since_send_time,
                before_send_time=before_send_time,
                fields=fields,
                count=count,
                offset=offset,
            )
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.reports, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE)

    def email_activity_pages(
        self, campaign_id: str, *, since: str = "", start: int = 0
    ) -> AsyncIterator[list[EmailActivity]]:
        """Every recipient with their opens, clicks and bounces after `since`; most of them with none.

        `start` leaves out so many recipients, for a reading that was broken off.
        """

        async def fetch(count: int, offset: int) -> tuple[Sequence[EmailActivity], int]:
            call = report.get_email_activity(campaign_id, since=since, count=count, offset=offset)
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.emails, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE, start=start)

    def sent_to_pages(self, campaign_id: str) -> AsyncIterator[list[SentTo]]:
        """Every recipient, and whether the mail bounced."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[SentTo], int]:
            call = report.get_sent_to(campaign_id, count=count, offset=offset)
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.sent_to, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE)

    def unsubscribed_pages(self, campaign_id: str) -> AsyncIterator[list[Unsubscribe]]:
        """Who unsubscribed from this campaign, when, and with what reason."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[Unsubscribe], int]:
            call = report.get_unsubscribed(campaign_id, count=count, offset=offset)
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.unsubscribes, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE)

    def open_detail_pages(self, campaign_id: str, *, since: str = "") -> AsyncIterator[list[OpenDetail]]:
        """Who opened, and when each time."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[OpenDetail], int]:
            call = report.get_open_details(campaign_id, since=since, count=count, offset=offset)
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.members, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE)

    def clicked_url_pages(self, campaign_id: str) -> AsyncIterator[list[ClickedUrl]]:
        """The links of a campaign with their totals."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[ClickedUrl], int]:
            call = report.get_click_details(campaign_id, count=count, offset=offset)
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.urls_clicked, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE)

    def click_member_pages(self, campaign_id: str, link_id: str) -> AsyncIterator[list[ClickMember]]:
        """Who clicked one link, and how often; never when."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[ClickMember], int]:
            call = report.get_click_members(campaign_id, link_id, count=count, offset=offset)
            page = await self.send(call, lane=Lane.CAMPAIGNS)
            return page.members, page.total_items

        return walk_pages(fetch, page_size=PAGE_SIZE)
