"""`MailchimpAPI`: one method for each call of the Marketing API that we use.

Members here; `setup_api` and `campaign_api` hold the rest. Every method raises `MailchimpError`s only
(see `errors`), repeats what `retry` allows, and waits its turn at the account's gate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from lockstep.mailchimp.calls import PAGE_SIZE, member
from lockstep.mailchimp.calls.member import SortField
from lockstep.mailchimp.campaign_api import CampaignAPI
from lockstep.mailchimp.paging import walk_pages
from lockstep.mailchimp.setup_api import SetupAPI
from lockstep.mailchimp.wire import (
    BatchMember,
    BatchResult,
    FeedItem,
    ListMember,
    MemberPatch,
    MemberTag,
    MemberUpsert,
    MergeValue,
    NewStatus,
)

#: rows by which pages of members overlap, so that a list that changes while it is read hides nobody
MEMBER_OVERLAP = 50


class MailchimpAPI(SetupAPI, CampaignAPI):
    """Mailchimp's Marketing API for one account; see `sending.Sender` for how it is made.

    `subscriber_hash` is the MD5 of the lower-cased address; Mailchimp also takes the plain address or a
    `contact_id` in its place (contract 4.1).
    """

    def member_pages(
        self,
        list_id: str,
        *,
        fields: Sequence[str] | None = None,
        status: str = "",
        since_last_changed: str = "",
        before_last_changed: str = "",
        sort_field: SortField | None = "last_changed",
        overlap: int = MEMBER_OVERLAP,
    ) -> AsyncIterator[list[ListMember]]:
        """Members by pages of up to 1,000, the longest unchanged first; a member may come twice if they
        change meanwhile, then the later one is the truth.

        Without `status` the archived ones are left out and need a pass of their own. `fields` are names
        of `ListMember`, dotted below (`merge_fields.FNAME`); `id` and `last_changed` always come. Windows
        are `(since, before]`.

        Rows are known again by id and `last_changed` together: somebody who changed meanwhile has moved to
        the end, and meeting them there must not look as if the pages still touched (contract trap 40).
        """
        if fields is not None:
            fields = (*fields, "last_changed")

        async def fetch(count: int, offset: int) -> tuple[Sequence[ListMember], int]:
            call = member.get_members(
                list_id,
                fields=fields,
                status=status,
                since_last_changed=since_last_changed,
                before_last_changed=before_last_changed,
                sort_field=sort_field,
                count=count,
                offset=offset,
            )
            page = await self.send(call)
            return page.members, page.total_items

        return walk_pages(
            fetch, page_size=PAGE_SIZE, overlap=overlap, key=lambda row: (row.id, row.last_changed)
        )

    async def member(
        self, list_id: str, subscriber_hash: str, *, fields: Sequence[str] | None = None
    ) -> ListMember:
        """One member, archived or not. `NotFound` also for the permanently deleted."""
        return await self.send(member.get_member(list_id, subscriber_hash, fields=fields))

    async def put_member(
        self, list_id: str, subscriber_hash: str, upsert: MemberUpsert, *, skip_merge_validation: bool = True
    ) -> ListMember:
        """Creates the member, or updates them and leaves their status alone."""
        call = member.put_member(
            list_id, subscriber_hash, upsert, skip_merge_validation=skip_merge_validation
        )
        return await self.send(call)

    async def patch_member(
        self, list_id: str, subscriber_hash: str, patch: MemberPatch, *, skip_merge_validation: bool = True
    ) -> ListMember:
        """Updates or renames somebody who is there; never creates, never touches the status."""
        call = member.patch_member(
            list_id, subscriber_hash, patch, skip_merge_validation=skip_merge_validation
        )
        return await self.send(call)

    async def archive_member(self, list_id: str, subscriber_hash: str) -> None:
        """Archives; `MethodNotAllowed` for the archived, cleaned and pending."""
        await self.send(member.archive_member(list_id, subscriber_hash))

    async def subscribe_batch(
        self, list_id: str, members: Sequence[BatchMember], *, skip_merge_validation: bool = True
    ) -> BatchResult:
        """Creates or updates up to 500 members in one call; the status of those who are there stays.

        A success holds the refusals of single members (`errors`); `InvalidResource` means that none was
        written.
        """
        call = member.subscribe_batch(list_id, members, skip_merge_validation=skip_merge_validation)
        return await self.send(call)

    async def member_tags(self, list_id: str, subscriber_hash: str) -> Sequence[MemberTag]:
        async def fetch(count: int, offset: int) -> tuple[Sequence[MemberTag], int]:
            page = await self.send(
                member.get_member_tags(list_id, subscriber_hash, count=count, offset=offset)
            )
            return page.tags, page.total_items

        return [row async for page in walk_pages(fetch, page_size=PAGE_SIZE) for row in page]

    async def change_member_tags(
        self,
        list_id: str,
        subscriber_hash: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        quiet: bool = True,
    ) -> None:
        """Adds and removes tags by name, keeping Mailchimp's automations quiet unless told otherwise."""
        call = member.change_member_tags(list_id, subscriber_hash, add=add, remove=remove, quiet=quiet)
        await self.send(call)

    def activity_feed_pages(
        self, list_id: str, subscriber_hash: str, *, kinds: Sequence[str] = ()
    ) -> AsyncIterator[list[FeedItem]]:
        """What one member was sent and did, newest first; the answer has no `total_items`."""

        async def fetch(count: int, offset: int) -> tuple[Sequence[FeedItem], int]:
            call = member.get_activity_feed(list_id, subscriber_hash, kinds=kinds, count=count, offset=offset)
            return (await self.send(call)).activity, 0

        return walk_pages(fetch, page_size=PAGE_SIZE)

    # the two calls that set a status

    async def create_member_with_explicit_status(
        self,
        list_id: str,
        email_address: str,
        status: NewStatus,
        merge_fields: Mapping[str, MergeValue] | None = None,
    ) -> ListMember:
        """**Sets a status.** Creates a member; `MemberExists` if they are there, but somebody archived
        **comes back** with this status (contract 4.4). For the canary test and for a person's logged
        action.
        """
        call = member.create_member_with_explicit_status(list_id, email_address, status, merge_fields or {})
        return await self.send(call)

    async def set_member_status_explicitly(
        self, list_id: str, subscriber_hash: str, status: NewStatus
    ) -> ListMember:
        """**Overrides a member's marketing status.** Never part of a sync: for the canary test and for a
        person's explicit, logged action on one contact. `ComplianceState` where only the person may
        decide.
        """
        return await self.send(member.set_member_status_explicitly(list_id, subscriber_hash, status))
