"""Members, singly and in batches of up to 500 (contract 4, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from lockstep.mailchimp.wire.base import MergeValue, NewStatus, Reply, Request


class MemberTag(Reply, frozen=True, kw_only=True):
    id: int = 0
    name: str = ""
    date_added: str = ""


class MemberStats(Reply, frozen=True, kw_only=True):
    avg_open_rate: float = 0
    avg_click_rate: float = 0


class MarketingPermission(Reply, frozen=True, kw_only=True):
    marketing_permission_id: str = ""
    text: str = ""
    enabled: bool = False


class ListMember(Reply, frozen=True, kw_only=True):
    """A member of an audience (contract 4.2). `id` is the subscriber hash and changes with the address;
    `contact_id` does not (contract 4.1). Merge values come as text, numbers or, for addresses, objects."""

    id: str
    email_address: str = ""
    unique_email_id: str = ""
    contact_id: str = ""
    full_name: str = ""
    web_id: int = 0
    email_type: str = ""
    status: str = ""
    unsubscribe_reason: str = ""
    merge_fields: dict[str, Any] = {}
    interests: dict[str, bool] = {}
    stats: MemberStats = MemberStats()
    ip_signup: str = ""
    timestamp_signup: str = ""
    ip_opt: str = ""
    timestamp_opt: str = ""
    member_rating: int = 0
    last_changed: str = ""
    language: str = ""
    vip: bool = False
    email_client: str = ""
    marketing_permissions: list[MarketingPermission] = []
    source: str = ""
    tags_count: int = 0
    tags: list[MemberTag] = []
    list_id: str = ""


class ListMemberPage(Reply, frozen=True, kw_only=True):
    members: list[ListMember]
    list_id: str = ""
    total_items: int = 0


class MemberUpsert(Request, frozen=True, kw_only=True):
    """Body of `PUT .../members/{hash}`. Somebody who is in the audience keeps their status (contract 4.4)."""

    email_address: str
    status_if_new: NewStatus
    merge_fields: dict[str, MergeValue] = {}
    language: str | UnsetType = UNSET
    vip: bool | UnsetType = UNSET


class MemberPatch(Request, frozen=True, kw_only=True):
    """Body of `PATCH .../members/{hash}`: never a status. `email_address` renames (contract 4.6)."""

    email_address: str | UnsetType = UNSET
    merge_fields: dict[str, MergeValue] = {}
    language: str | UnsetType = UNSET
    vip: bool | UnsetType = UNSET


class MemberWithStatus(Request, frozen=True, kw_only=True):
    """Body of the calls that do set a status; see `MailchimpAPI.create_member_with_explicit_status`."""

    status: NewStatus
    email_address: str | UnsetType = UNSET
    merge_fields: dict[str, MergeValue] = {}


class TagChange(Request, frozen=True, kw_only=True):
    name: str
    status: Literal["active", "inactive"]


class MemberTagsBody(Request, frozen=True, kw_only=True):
    tags: list[TagChange]
    is_syncing: bool = False


class MemberTagPage(Reply, frozen=True, kw_only=True):
    tags: list[MemberTag]
    total_items: int = 0


class MemberMatches(Reply, frozen=True, kw_only=True):
    members: list[ListMember] = []
    total_items: int = 0


class SearchMembers(Reply, frozen=True, kw_only=True):
    exact_matches: MemberMatches = MemberMatches()
    full_search: MemberMatches = MemberMatches()


class BatchMember(Request, frozen=True, kw_only=True):
    """One item of `POST /lists/{list_id}`, without `status` (contract 0, way A)."""

    email_address: str
    status_if_new: NewStatus
    merge_fields: dict[str, MergeValue] = {}
    tags: list[str] = []
    language: str | UnsetType = UNSET
    vip: bool | UnsetType = UNSET


class BatchSubscribeBody(Struct, frozen=True, kw_only=True):
    members: Sequence[BatchMember]
    update_existing: bool = True
    #: true would replace all tags of a member by the item's (contract 5), so it is never sent
    sync_tags: Literal[False] = False


class BatchSubscribed(Reply, frozen=True, kw_only=True):
    """A member in the answer of a batch: fewer keys than elsewhere; the description names no `contact_id`
    and no `web_id` (contract 5)."""

    id: str = ""
    email_address: str = ""
    status: str = ""
    merge_fields: dict[str, Any] = {}
    member_rating: int = 0
    last_changed: str = ""
    contact_id: str = ""
    web_id: int = 0
    tags_count: int = 0
    tags: list[MemberTag] | None = None


class BatchError(Reply, frozen=True, kw_only=True):
    email_address: str = ""
    error: str = ""
    error_code: str = ""
    field: str = ""
    field_message: str = ""

    def address(self) -> str:
        """The address without the quotes it was seen wrapped in (contract 5)."""
        address = self.email_address.strip()
        while len(address) > 1 and address[0] == address[-1] and address[0] in "\"'":
            address = address[1:-1].strip()
        return address


class BatchResult(Reply, frozen=True, kw_only=True):
    """Answer of `POST /lists/{list_id}`: 200 whenever the body as a whole was valid (contract 5, trap 22)."""

    new_members: list[BatchSubscribed]
    updated_members: list[BatchSubscribed]
    errors: list[BatchError]
    total_created: int = 0
    total_updated: int = 0
    error_count: int = 0
