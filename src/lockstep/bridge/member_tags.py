"""Tags under our prefix at Mailchimp: which of them a member carries, and one tag for many members.

A tag is a static segment with the same id (contract 10). Changing a segment's members is the
cheapest way to tag many: 500 a call, answered member by member, and it cannot touch a status.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.bridge import failures
from lockstep.core.errors import BatchRefused
from lockstep.core.identity import address_key
from lockstep.core.plan import TagMember
from lockstep.core.tags import TagRule, Tags
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.errors import MailchimpError, NotFound
from lockstep.mailchimp.wire import BatchSubscribed, ListMember, NewSegment

FIELDS = ("tags", "tags_count")
"""What is asked of each member beside the rest, where tags are switched on."""


def told(row: ListMember | BatchSubscribed, rule: TagRule | None) -> Tags | None:
    """The tags under our prefix in an answer; None where it tells none, or not all of them.

    A member shows at most 50 tags (contract 7, trap 31).
    """
    if rule is None or row.tags is None or row.tags_count > len(row.tags):
        return None
    return rule.ours(tag.name for tag in row.tags)


async def all_of(api: MailchimpAPI, list_id: str, member: str, rule: TagRule) -> Tags:
    """The tags under our prefix of a member with more tags than its row shows: a call of its own.

    Raises `MailchimpError`.
    """
    return rule.ours(tag.name for tag in await api.member_tags(list_id, member))


async def change_one(api: MailchimpAPI, list_id: str, change: TagMember) -> None:
    """All tags of one member in one call. Raises `MailchimpError`.

    Not quiet: an automation that a marketer built on a tag of ours is meant to start with it.
    """
    await api.change_member_tags(
        list_id, change.hash, add=change.tags.add, remove=change.tags.remove, quiet=False
    )


class TagDirectory:
    """The audience's tags by name, read once when the first is needed, made where they are missing."""

    def __init__(self, list_id: str) -> None:
        self._list_id = list_id
        self._ids: dict[str, int] | None = None

    async def change(
        self, api: MailchimpAPI, tag: str, add: Sequence[str], remove: Sequence[str]
    ) -> frozenset[str]:
        """Put a tag on these addresses and take it off those; returns the addresses that were not done.

        Done is who is named as added or removed. Who is not in the audience is passed over without a
        word, who carries the tag already is among the errors; their texts are not established, so
        whoever is not named is asked for again in a call for that member alone.
        Raises the core's errors as `Audience.write_batch` does.
        """
        try:
            segment = await self._find(api, tag, make=bool(add))
            if segment is None:  # nobody can carry a tag that is not there
                return frozenset()
            answer = await api.change_segment_members(self._list_id, segment, add=add, remove=remove)
        except MailchimpError as error:
            self._ids = None  # a tag may have been made, or deleted at Mailchimp: read them again next time
            if isinstance(error, NotFound):
                raise BatchRefused(failures.words(error)) from error
            raise failures.batch_error(error) from error
        done = {address_key(row.email_address) for row in (*answer.members_added, *answer.members_removed)}
        return frozenset(email for email in (*add, *remove) if address_key(email) not in done)

    async def _find(self, api: MailchimpAPI, tag: str, *, make: bool) -> int | None:
        ids = self._ids  # another call that fails meanwhile forgets them all
        if ids is None:
            rows = await api.segments(self._list_id, segment_type="static")
            ids = self._ids = {row.name.casefold(): row.id for row in rows}
        known = ids.get(tag.casefold())
        if known is None and make:
            made = await api.create_segment(self._list_id, NewSegment(name=tag, static_segment=[]))
            known = ids[tag.casefold()] = made.id
        return known
