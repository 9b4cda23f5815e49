"""Member tags: names kept in their first spelling, compared without regard to case (contract, section 10).

A tag is a static segment with the same id; segments build on this registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from .member import Member

__all__ = ["Tag", "Tags", "add_tag", "remove_tag"]


@dataclass(slots=True)
class Tag:
    """One tag of an audience. Times are seconds since 1970."""

    id: int
    name: str
    created_at: int
    updated_at: int


class Tags:
    """The tags of one audience."""

    def __init__(self) -> None:
        self.by_id: dict[int, Tag] = {}
        self._by_name: dict[str, Tag] = {}

    def __len__(self) -> int:
        return len(self.by_id)

    def find(self, name: str) -> Tag | None:
        """The tag of that name in any spelling."""
        return self._by_name.get(name.casefold())

    def add(self, tag: Tag) -> Tag:
        """Put a new tag in; its name must be free."""
        self.by_id[tag.id] = tag
        self._by_name[tag.name.casefold()] = tag
        return tag

    def rename(self, tag: Tag, name: str) -> None:
        """Give a tag another name."""
        del self._by_name[tag.name.casefold()]
        tag.name = name
        self._by_name[name.casefold()] = tag

    def remove(self, tag: Tag) -> None:
        """Take a tag out of the registry; members are the caller's business."""
        del self.by_id[tag.id], self._by_name[tag.name.casefold()]


def add_tag(member: Member, tag_id: int, at: int) -> bool:
    """Put a tag on a member; False if it was there."""
    if any(known == tag_id for known, _ in member.tags):
        return False
    member.tags = (*member.tags, (tag_id, at))
    return True


def remove_tag(member: Member, tag_id: int) -> bool:
    """Take a tag off a member; False if it was not there."""
    left = tuple(entry for entry in member.tags if entry[0] != tag_id)
    changed = len(left) != len(member.tags)
    member.tags = left
    return changed
