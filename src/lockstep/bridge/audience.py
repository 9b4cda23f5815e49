"""`MailchimpAudience`: one audience at Mailchimp, seen through our fields (`core.ports.Audience`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lockstep.bridge import batch_answer, canary, failures, member_tags, members
from lockstep.core.errors import AudienceUnavailable, BatchRefused
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import SubscriberHash, subscriber_hash
from lockstep.core.member import MemberStatus, ObservedMember
from lockstep.core.observation import ABSENT, Observation, Present
from lockstep.core.outcome import Applied, Outcome, Stale
from lockstep.core.plan import AddMember, Change, RenameMember, TagMember, tagged
from lockstep.core.ports import BatchChange
from lockstep.core.tags import TagRule
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.errors import (
    MailchimpError,
    MethodNotAllowed,
    NotFound,
    RequestRefused,
)
from lockstep.mailchimp.throttle import Lane
from lockstep.mailchimp.times import write_moment
from lockstep.mailchimp.wire import ListMember

POLL_OVERLAP = timedelta(minutes=2)
"""How far before `since` a poll begins: windows exclude their first second and know only whole ones
(contract 2), clocks differ, and a write may show a little late (trap 38)."""

FIELDS_INVALID = 422
"""HTTP status of a `fields` parameter with a name that Mailchimp does not know (contract 2)."""


class MailchimpAudience:
    """One list of one account.

    The API brings the account's gate and the retries that cannot harm. `now`
    gives the time with a zone; it closes the window of a whole reading and
    decides nothing else, so a clock that is wrong costs some rows read twice.
    `tag_rule` says which tags are ours; without one no tag is read or written.
    """

    def __init__(
        self,
        api: MailchimpAPI,
        list_id: str,
        field_map: FieldMap,
        *,
        now: Callable[[], datetime],
        poll_overlap: timedelta = POLL_OVERLAP,
        tag_rule: TagRule | None = None,
    ) -> None:
        self._bulk = api
        self._urgent = api.in_lane(Lane.URGENT)
        self._list_id = list_id
        self._field_map = field_map
        self._now = now
        self._overlap = poll_overlap
        self._tag_rule = tag_rule
        self._directory = member_tags.TagDirectory(list_id)
        self._fields: tuple[str, ...] = members.wanted_fields(field_map, tag_rule)

    # --- observe ------------------------------------------------------------------------------

    async def observe(
        self, *, archived: bool, since: datetime | None
    ) -> AsyncIterator[Sequence[ObservedMember]]:
        """See the port. A whole reading goes in two windows: all that changed up to its beginning, whose
        rows can only leave while it lasts, then what changed since, where they went (trap 40)."""
        if since is not None:
            async for page in self._pages(archived, since=since - self._overlap):
                yield page
            return
        began = self._now()
        async for page in self._pages(archived, before=began):
            yield page
        async for page in self._pages(archived, since=began - self._overlap):
            yield page

    async def _pages(
        self, archived: bool, *, since: datetime | None = None, before: datetime | None = None
    ) -> AsyncIterator[Sequence[ObservedMember]]:
        """Pages of a window; no `since` is no `since`: a date long past was seen to hang (contract 4.2)."""
        nothing_yet = True
        while True:
            rows = self._bulk.member_pages(
                self._list_id,
                fields=self._fields,
                status="archived" if archived else "",
                since_last_changed=write_moment(since) if since else "",
                before_last_changed=write_moment(before) if before else "",
            )
            try:
                async for page in rows:
                    nothing_yet = False
                    yield [await self._observed(self._bulk, row) for row in page]
                return
            except MailchimpError as error:
                if not (nothing_yet and self._trims_less(error)):
                    raise failures.read_error(error) from error

    def _trims_less(self, error: MailchimpError) -> bool:
        """One of our fields may have been deleted at Mailchimp: then ask for all merge fields, once."""
        if error.status_code != FIELDS_INVALID or "merge_fields" in self._fields:
            return False
        self._fields = members.wanted_fields(self._field_map, self._tag_rule, all_merge_fields=True)
        return True

    async def _observed(self, api: MailchimpAPI, row: ListMember) -> ObservedMember:
        """The member in a row; one with more tags than a row shows costs a call more."""
        member = members.observed_member(row, self._field_map, self._tag_rule)
        if self._tag_rule is None or member.tags is not None:
            return member
        try:
            tags = await member_tags.all_of(api, self._list_id, member.hash, self._tag_rule)
        except NotFound:
            return member  # gone since: the next reading tells
        return replace(member, tags=tags)

    # --- look ---------------------------------------------------------------------------------

    async def look(self, member: SubscriberHash) -> Observation:
        """See the port. A 404 is “not there” only after the audience itself answered that it is there."""
        try:
            row = await self._read(member)
            return ABSENT if row is None else Present(await self._observed(self._urgent, row))
        except MailchimpError as error:
            raise failures.read_error(error) from error

    async def _read(self, member: SubscriberHash) -> ListMember | None:
        """One member, or None. Raises `MailchimpError`s, and `ConnectionBroken` when the audience is gone."""
        while True:
            try:
                return await self._urgent.member(self._list_id, member, fields=self._fields)
            except NotFound:
                await self._make_sure_it_is_there()
                return None
            except MailchimpError as error:
                if not self._trims_less(error):
                    raise

    async def _make_sure_it_is_there(self) -> None:
        try:
            await self._urgent.get_list(self._list_id)
        except MailchimpError as error:
            raise failures.read_error(error) from error

    # --- write --------------------------------------------------------------------------------

    async def write_batch(self, changes: Sequence[BatchChange], *, urgent: bool = False) -> list[Outcome]:
        """See the port. People who are there are updated, and carry no status (contract 0, way A)."""
        if not changes:
            return []
        items = [members.batch_member(change, self._field_map) for change in changes]
        try:
            answer = await self._api(urgent).subscribe_batch(self._list_id, items)
        except MailchimpError as error:
            raise failures.batch_error(error) from error
        return batch_answer.outcomes(changes, answer, self._field_map, self._tag_rule)

    async def write_one(self, change: Change, *, urgent: bool = False) -> Outcome:
        """See the port: PUT with `status_if_new` for somebody new, PATCH without a status for the others.

        Tags go in a call of their own: a PUT was seen to ignore them, a PATCH has none (contract 10).

        `created` of an added member is true unless the status in the answer shows that
        somebody was there before: a PUT does not say which it was.
        """
        api = self._api(urgent)
        try:
            if isinstance(change, TagMember):
                await member_tags.change_one(api, self._list_id, change)
                return Applied(change, tagged(change))
            if isinstance(change, AddMember):
                upsert = members.member_upsert(change, self._field_map)
                row = await api.put_member(self._list_id, change.hash, upsert)
            else:
                patch = members.member_patch(change, self._field_map)
                row = await api.patch_member(self._list_id, change.hash, patch)
        except NotFound as error:
            await self._make_sure_it_is_there()
            return failures.single_outcome(error, change, self._field_map.tags)
        except RequestRefused as error:
            if await self._assumption_fell(change):
                return Stale(change, failures.words(error))
            return failures.single_outcome(error, change, self._field_map.tags)
        except MailchimpError as error:
            return failures.single_outcome(error, change, self._field_map.tags)
        created = isinstance(change, AddMember) and row.status == change.status_if_new.value
        if isinstance(change, RenameMember) and members.observed_member(row, self._field_map).hash != (
            subscriber_hash(change.key)
        ):
            return Stale(change, "Mailchimp kept the former address.")
        return members.confirmed(change, row, self._field_map, self._tag_rule, created=created)

    async def write_tag(
        self, tag: str, *, add: Sequence[str], remove: Sequence[str], urgent: bool = False
    ) -> frozenset[str]:
        """See the port."""
        return await self._directory.change(self._api(urgent), tag, add, remove)

    async def _assumption_fell(self, change: Change) -> bool:
        """Whether a refusal comes from the audience being other than planned. Looks, and reads no prose.

        Only subscribed members can be renamed, and only to an address that nobody in the
        audience has, archived ones included (contract 4.6); archived ones can't be patched (4.4).
        """
        if isinstance(change, AddMember | TagMember):
            return False
        try:
            row = await self._read(change.hash)
            if row is None:
                return True
            status = members.member_status(row.status)
            if not isinstance(change, RenameMember):
                return status is MemberStatus.ARCHIVED and change.status is not MemberStatus.ARCHIVED
            target = subscriber_hash(change.key)
            return status is not MemberStatus.SUBSCRIBED or await self._read(target) is not None
        except (MailchimpError, AudienceUnavailable):
            return False  # the refusal itself is known, and true

    async def archive_stray(self, member: SubscriberHash) -> None:
        """See the port. Only while the member has the status that `consent.IF_VANISHED` gave: somebody
        who came back meanwhile stays."""
        try:
            row = await self._read(member)
            if row is not None and row.status == MemberStatus.UNSUBSCRIBED:
                await self._urgent.archive_member(self._list_id, member)
        except (NotFound, MethodNotAllowed):
            return
        except MailchimpError as error:
            raise failures.read_error(error) from error

    async def archive_added(self, member: SubscriberHash, status: MemberStatus) -> bool:
        """See `core.undoing.UndoAudience`. What stands in the way of archiving is told by Mailchimp as a
        405 (contract 4.3: archived, cleaned, pending)."""
        try:
            row = await self._read(member)
            if row is None or row.status != status.value:
                return False
            await self._bulk.archive_member(self._list_id, member)
        except NotFound:
            return False
        except RequestRefused as error:
            raise BatchRefused(failures.words(error)) from error
        except MailchimpError as error:
            raise failures.read_error(error) from error
        return True

    async def batches_keep_status(self) -> bool:
        """See the port and `canary`."""
        return await canary.batches_keep_status(self._urgent, self._list_id, self._field_map)

    def _api(self, urgent: bool) -> MailchimpAPI:
        return self._urgent if urgent else self._bulk


__all__ = ["POLL_OVERLAP", "MailchimpAudience"]
