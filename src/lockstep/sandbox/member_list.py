"""Finding members: the filters, orders and pages of `GET /lists/{list_id}/members` (contract, 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from . import problems
from .audience import Audience
from .member import Member

__all__ = ["ListQuery", "find_members"]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What is asked for; times in seconds since 1970. Windows are `(since, before]` (contract, section 2)."""

    status: str | None = None
    since_changed: int | None = None
    before_changed: int | None = None
    since_opt: int | None = None
    before_opt: int | None = None
    unsubscribed_since: int | None = None
    email_type: str | None = None
    unique_email_id: str | None = None
    vip_only: bool = False
    interests: frozenset[str] = frozenset()
    interest_match: str = "any"
    since_last_campaign: bool = False
    sort_field: str | None = None
    descending: bool = False

    @property
    def is_plain(self) -> bool:
        """Can the audience's own orders answer this without looking at each member?"""
        return self.sort_field in (None, "last_changed") and not (
            self.since_opt is not None
            or self.before_opt is not None
            or self.unsubscribed_since is not None
            or self.email_type
            or self.vip_only
            or self.interests
            or self.since_last_campaign
        )


def find_members(
    audience: Audience, query: ListQuery, *, count: int, offset: int
) -> tuple[list[Member], int]:
    """A page of members and the size of the filtered set. Raises Problem for filters that contradict.

    Without `status` archived contacts are left out (trap 2); without `sort_field` the order is that of
    making, as recordings of the live service show.
    """
    shelf = _shelf(query)
    if query.unique_email_id is not None:
        found = audience.find_unique(query.unique_email_id)
        members = [found] if found and shelf in (found.shown_status, "current") else []
        members = [m for m in members if shelf != "current" or not m.archived]
        members = [m for m in members if _matches(audience, m, query) and _in_window(m, query)]
        return members[offset : offset + count], len(members)
    order = "last_changed" if query.sort_field == "last_changed" else "created"
    if query.is_plain:
        return audience.rows(
            shelf, order=order, descending=query.descending,
            since=query.since_changed, before=query.before_changed, offset=offset, count=count,
        )  # fmt: skip
    members, _ = audience.rows(shelf, order=order, since=query.since_changed, before=query.before_changed)
    members = [member for member in members if _matches(audience, member, query)]
    if query.sort_field == "timestamp_opt":
        members.sort(key=lambda member: member.timestamp_opt or 0)
    elif query.sort_field == "timestamp_signup":
        members.sort(key=lambda member: member.timestamp_signup or 0)
    if query.descending:
        members.reverse()
    return members[offset : offset + count], len(members)


def _shelf(query: ListQuery) -> str:
    if query.unsubscribed_since is not None:
        if query.status not in (None, "unsubscribed"):
            # INFERRED wording: that it is an error is described (contract, 4.2).
            raise problems.invalid_resource(
                ("unsubscribed_since", "This filter can only be used with a status of unsubscribed.")
            )
        return "unsubscribed"
    if query.since_last_campaign and query.status is None:
        # INFERRED wording, as above.
        raise problems.invalid_resource(
            ("since_last_campaign", "This filter can only be used together with a status.")
        )
    return query.status or "current"


def _in_window(member: Member, query: ListQuery) -> bool:
    return _inside(member.last_changed, query.since_changed, query.before_changed)


def _inside(moment: int | None, since: int | None, before: int | None) -> bool:
    if moment is None:
        return since is None and before is None
    return (since is None or moment > since) and (before is None or moment <= before)


def _matches(audience: Audience, member: Member, query: ListQuery) -> bool:
    if query.email_type and member.email_type != query.email_type:
        return False
    if query.vip_only and not member.vip:
        return False
    if not _inside(member.timestamp_opt, query.since_opt, query.before_opt):
        return False
    if query.unsubscribed_since is not None and not _inside(
        member.unsubscribed_at, query.unsubscribed_since, None
    ):
        return False
    if query.since_last_campaign and member.last_changed <= (audience.stats.last_campaign or 0):
        return False
    if query.interests:
        held = query.interests & member.interests
        match query.interest_match:
            case "all":
                return held == query.interests
            case "none":
                return not held
            case _:
                return bool(held)
    return True
