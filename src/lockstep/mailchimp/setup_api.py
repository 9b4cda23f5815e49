"""The part of the API that looks at an account and prepares an audience: fields, segments, webhooks,
batches.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.mailchimp.calls import PAGE_SIZE, account, audience, batch
from lockstep.mailchimp.paging import walk_pages
from lockstep.mailchimp.sending import Sender
from lockstep.mailchimp.wire import (
    AccountRoot,
    Batch,
    List,
    ListPatch,
    MergeField,
    MergeFieldPatch,
    NewMergeField,
    NewSegment,
    NewWebhook,
    Operation,
    Ping,
    SearchMembers,
    Segment,
    SegmentMembersResult,
    Webhook,
    WebhookPatch,
)


class SetupAPI(Sender):
    """Looking and preparing. Collections are small here and come whole. Raises `MailchimpError`s only."""

    # the account

    async def root(self) -> AccountRoot:
        """The account: name, role of the user, plan."""
        return await self.send(account.get_root())

    async def ping(self) -> Ping:
        """Proves the key; not that its owner may write (contract trap 45)."""
        return await self.send(account.ping())

    async def search_members(self, text: str, *, list_id: str = "") -> SearchMembers:
        return await self.send(account.search_members(text, list_id=list_id))

    # audiences

    async def lists(self, *, fields: Sequence[str] | None = None) -> Sequence[List]:
        """All audiences of the account."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[List], int]:
            page = await self.send(audience.get_lists(fields=fields, count=count, offset=offset))
            return page.lists, page.total_items

        return [row async for page in walk_pages(fetch, page_size=PAGE_SIZE) for row in page]

    async def get_list(self, list_id: str, *, include_total_contacts: bool = False) -> List:
        return await self.send(audience.get_list(list_id, include_total_contacts=include_total_contacts))

    async def patch_list(self, list_id: str, patch: ListPatch) -> List:
        return await self.send(audience.patch_list(list_id, patch))

    # merge fields

    async def merge_fields(self, list_id: str) -> Sequence[MergeField]:
        """All fields of an audience but EMAIL, which Mailchimp does not list."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[MergeField], int]:
            page = await self.send(audience.get_merge_fields(list_id, count=count, offset=offset))
            return page.merge_fields, page.total_items

        return [row async for page in walk_pages(fetch, page_size=PAGE_SIZE) for row in page]

    async def create_merge_field(self, list_id: str, merge_field: NewMergeField) -> MergeField:
        """The answer may carry `merge_field_limit`. A field beyond the limit was seen to be answered well
        and not to be there (contract trap 46): read the fields again.
        """
        return await self.send(audience.create_merge_field(list_id, merge_field))

    async def patch_merge_field(self, list_id: str, merge_id: int, patch: MergeFieldPatch) -> MergeField:
        return await self.send(audience.patch_merge_field(list_id, merge_id, patch))

    async def delete_merge_field(self, list_id: str, merge_id: int) -> None:
        """The members' values go with it."""
        await self.send(audience.delete_merge_field(list_id, merge_id))

    # segments

    async def segments(self, list_id: str, *, segment_type: str = "") -> Sequence[Segment]:
        """`segment_type`: saved, static (which are tags), fuzzy, or "" for all."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[Segment], int]:
            call = audience.get_segments(list_id, segment_type=segment_type, count=count, offset=offset)
            page = await self.send(call)
            return page.segments, page.total_items

        return [row async for page in walk_pages(fetch, page_size=PAGE_SIZE) for row in page]

    async def create_segment(self, list_id: str, segment: NewSegment) -> Segment:
        return await self.send(audience.create_segment(list_id, segment))

    async def delete_segment(self, list_id: str, segment_id: int) -> None:
        await self.send(audience.delete_segment(list_id, segment_id))

    async def change_segment_members(
        self, list_id: str, segment_id: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> SegmentMembersResult:
        """Puts a static segment (a tag) on up to 500 addresses and takes it off as many; touches no
        status.
        """
        return await self.send(audience.change_segment_members(list_id, segment_id, add=add, remove=remove))

    # webhooks

    async def webhooks(self, list_id: str) -> Sequence[Webhook]:
        page = await self.send(audience.get_webhooks(list_id))
        return page.webhooks

    async def create_webhook(self, list_id: str, webhook: NewWebhook) -> Webhook:
        """Mailchimp first asks the address with a GET. Keep the `signing_secret` of the answer: it never
        comes again (contract 8).
        """
        return await self.send(audience.create_webhook(list_id, webhook))

    async def webhook(self, list_id: str, webhook_id: str) -> Webhook:
        return await self.send(audience.get_webhook(list_id, webhook_id))

    async def patch_webhook(self, list_id: str, webhook_id: str, patch: WebhookPatch) -> Webhook:
        return await self.send(audience.patch_webhook(list_id, webhook_id, patch))

    async def delete_webhook(self, list_id: str, webhook_id: str) -> None:
        await self.send(audience.delete_webhook(list_id, webhook_id))

    # batches of operations; `batches` follows them to their results

    async def start_batch(self, operations: Sequence[Operation]) -> Batch:
        """Hands over up to 500 operations. If the answer is lost look for the batch among `batches()` before
        starting it again (contract 6)."""
        return await self.send(batch.start_batch(operations))

    async def batch(self, batch_id: str) -> Batch:
        return await self.send(batch.get_batch(batch_id))

    async def batches(self) -> Sequence[Batch]:
        async def fetch(count: int, offset: int) -> tuple[Sequence[Batch], int]:
            page = await self.send(batch.get_batches(count=count, offset=offset))
            return page.batches, page.total_items

        return [row async for page in walk_pages(fetch, page_size=PAGE_SIZE) for row in page]

    async def delete_batch(self, batch_id: str) -> None:
        """Stops what has not run yet; the results of what did run are lost (contract 6)."""
        await self.send(batch.delete_batch(batch_id))
