"""An audience: its settings, its merge fields, and its members in the orders in which they are read.

The audience keeps things consistent (indexes, hashes, counts) and knows no rules of the API; those are in
`subscription` and `batch_subscribe`.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .events import EventBus, EventKind, MemberEvent, Source
from .ids import Ids, contact_serial, hash_prefix
from .member import STATUSES, HistoryEntry, Member, hash_of
from .merge_field import MergeField, MergeValue
from .order import OrderedKeys
from .tag import Tag, Tags

__all__ = ["SHELVES", "Audience", "Shelf"]

_SERIAL_BITS = 32
_SERIAL_MASK = (1 << _SERIAL_BITS) - 1
_POOL_LIMIT = 50_000
_REMEMBERED = 20_000

#: Every member stands on the shelf of its shown status, and on `current` unless archived (contract, 4.2:
#: without `status` archived contacts are left out).
SHELVES = (*STATUSES, "archived", "current")


class Shelf:
    """Some members of an audience in the order of their making and of their last change."""

    __slots__ = ("by_change", "by_serial")

    def __init__(self) -> None:
        self.by_serial = OrderedKeys()
        self.by_change = OrderedKeys()

    def __len__(self) -> int:
        return len(self.by_serial)

    def add(self, member: Member) -> None:
        self.by_serial.add(member.serial)
        self.by_change.add(change_key(member.last_changed, member.serial))

    def remove(self, member: Member) -> None:
        self.by_serial.remove(member.serial)
        self.by_change.remove(change_key(member.last_changed, member.serial))


def change_key(second: int, serial: int = 0) -> int:
    """The key of a change: ordered by second, then by the contact's age."""
    return (second << _SERIAL_BITS) | serial


@dataclass(slots=True)
class Stats:
    """Numbers that are kept rather than counted."""

    last_sub: int | None = None
    last_unsub: int | None = None
    last_campaign: int | None = None
    campaigns: int = 0
    since_send: dict[str, int] = field(default_factory=dict)
    open_rate: float = 0.0
    click_rate: float = 0.0


class Audience:
    """A Mailchimp list. Attributes without underscore are its settings and state."""

    def __init__(
        self,
        id: str,
        name: str,
        *,
        web_id: int,
        created: int,
        salt: int,
        web_id_base: int,
        events: EventBus,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.id = id
        self.name = name
        self.web_id = web_id
        self.created = created
        self.salt = salt
        self.web_id_base = web_id_base
        self.events = events
        self.settings: dict[str, Any] = settings or {}
        self.merge_fields: dict[int, MergeField] = {}
        self.columns: tuple[tuple[str, int], ...] = ()
        self.tags = Tags()
        #: interest id -> (category id, name); filled by the interests module.
        self.interests: dict[str, tuple[str, str]] = {}
        self.interest_categories: dict[str, dict[str, Any]] = {}
        self.permission_texts: dict[str, str] = {}
        self.forgotten: set[str] = set()
        #: Hashes that are refused as "in a compliance state" although nobody knows them (contract, 4.5;
        #: trap 20).
        self.barred: set[str] = set()
        #: Hashes whose owners "signed up to a lot of lists very recently" (contract, 4.5; trap 27).
        self.too_recent: set[str] = set()
        self.stats = Stats()
        #: (second, numbers) last served, for the `stats_cache_seconds` switch.
        self.stats_cache: tuple[int, dict[str, Any]] | None = None
        self.shelves = {shelf: Shelf() for shelf in SHELVES}
        self._by_hash: dict[str, Member] = {}
        self._by_serial: dict[int, Member] = {}
        self._next_column = 0
        self._next_merge_id = 1
        self._pool: dict[MergeValue, MergeValue] = {}
        self._journal: deque[tuple[int, int, Member | None]] = deque(maxlen=_REMEMBERED)
        #: Serials of contacts that were given out, and so may have been changed, while somebody keeps a
        #: journal of that (`journal`); else None.
        self.touched: set[int] | None = None

    # --- members ---

    def __len__(self) -> int:
        """All contacts, archived ones too."""
        return len(self._by_serial)

    def __iter__(self) -> Iterator[Member]:
        """All contacts in the order of their making, archived ones too."""
        if self.touched is not None:
            self.touched.update(self._by_serial)
        return iter(list(self._by_serial.values()))

    def get(self, subscriber_hash: str) -> Member | None:
        """The member with this subscriber hash."""
        return self._given(self._by_hash.get(subscriber_hash))

    def member(self, serial: int) -> Member | None:
        """The member with this serial, if there still is one."""
        return self._given(self._by_serial.get(serial))

    def _given(self, member: Member | None) -> Member | None:
        if self.touched is not None and member is not None:
            self.touched.add(member.serial)
        return member

    def find(self, name: str) -> Member | None:
        """A member by subscriber hash, plain address or contact_id: what the path takes (contract, 4.1)."""
        if "@" in name:
            return self.get(hash_of(name))
        member = self._by_hash.get(name.lower())
        if member is None and len(name) == 32:
            try:
                member = self._by_serial.get(contact_serial(name, self.salt))
            except ValueError:
                return None
        return self._given(member)

    def find_unique(self, unique_id: str) -> Member | None:
        """The member with this unique_email_id."""
        try:
            prefix = hash_prefix(unique_id)
        except ValueError:
            return None
        return self._given(
            next((self._by_hash[key] for key in self._by_hash if key.startswith(prefix)), None)
        )

    def add(self, member: Member) -> None:
        """Take in a new member; its serial and hash must be new here."""
        self.take_in(member)
        self._journal.append((member.last_changed, member.serial, None))
        if member.status == "subscribed":
            self.stats.last_sub = member.last_changed

    def take_in(self, member: Member) -> None:
        """`add` for a member out of a snapshot: nothing has happened."""
        if member.id in self._by_hash:
            raise ValueError("there is a member with this address already")
        self._by_hash[member.id] = member
        self._by_serial[member.serial] = member
        self._shelve(self._given(member) or member)

    def remove(self, member: Member, at: int) -> None:
        """Take a member out altogether; only stale reads still see them for a while."""
        self._journal.append((at, member.serial, copy.copy(member)))
        self._unshelve(member)
        del self._by_hash[member.id], self._by_serial[member.serial]

    def change(self, member: Member, at: int, **changes: Any) -> None:
        """Set attributes and move `last_changed` to `at`, keeping every index right.

        `email` moves the hash along. Nothing is checked, and nothing happens without `changes`.
        """
        if not changes:
            return
        self._journal.append((at, member.serial, copy.copy(member)))
        self._unshelve(member)
        if "email" in changes:
            del self._by_hash[member.id]
            member.id = hash_of(changes["email"])
            self._by_hash[member.id] = member
        before = member.shown_status
        for name, value in changes.items():
            setattr(member, name, value)
        member.last_changed = at
        self._shelve(member)
        if member.shown_status != before:
            if member.shown_status == "subscribed":
                self.stats.last_sub = at
            elif member.shown_status == "unsubscribed":
                self.stats.last_unsub = at

    def before(self, moment: float) -> dict[int, Member | None]:
        """How contacts that have changed since `moment` were then, by serial; None: they were not there.

        The last 20,000 changes are remembered. This is what stale reads are made of (trap 38).
        """
        # From the newest to the oldest, so that the oldest of several states of a contact stays.
        return {serial: was for at, serial, was in reversed(self._journal) if at > moment}

    def rows(
        self, shelf: str, *, order: str = "created", descending: bool = False,
        since: int | None = None, before: int | None = None, offset: int = 0, count: int | None = None,
    ) -> tuple[list[Member], int]:  # fmt: skip
        """A page of a shelf and the size of the whole set.

        `order` is `created` or `last_changed`. `since` and `before` are the window `(since, before]` of
        `last_changed` in seconds (contract, section 2).
        """
        held = self.shelves[shelf]
        window = since is not None or before is not None
        if order == "created" and window:
            first, last = self._window(held, since, before)
            serials = sorted(key & _SERIAL_MASK for key in held.by_change.slice(first, last))
            keys, first, last = None, 0, len(serials)
        elif order == "created":
            serials, keys, first, last = [], held.by_serial, 0, len(held)
        else:
            serials, keys = [], held.by_change
            first, last = self._window(held, since, before)
        total = last - first
        size = total if count is None else count
        if descending:
            start, stop = max(last - offset - size, first), max(last - offset, first)
        else:
            start, stop = min(first + offset, last), min(first + offset + size, last)
        found = serials[start:stop] if keys is None else keys.slice(start, stop)
        if descending:
            found.reverse()
        members = [self._by_serial[key & _SERIAL_MASK] for key in found]
        if self.touched is not None:
            self.touched.update(member.serial for member in members)
        return members, total

    @staticmethod
    def _window(held: Shelf, since: int | None, before: int | None) -> tuple[int, int]:
        first = 0 if since is None else held.by_change.rank(change_key(max(since + 1, 0)))
        last = len(held) if before is None else held.by_change.rank(change_key(max(before + 1, 0)))
        return first, max(first, last)

    def _shelve(self, member: Member) -> None:
        self.shelves[member.shown_status].add(member)
        if not member.archived:
            self.shelves["current"].add(member)

    def _unshelve(self, member: Member) -> None:
        self.shelves[member.shown_status].remove(member)
        if not member.archived:
            self.shelves["current"].remove(member)

    # --- merge fields ---

    def add_merge_field(self, **attributes: Any) -> MergeField:
        """A new merge field with the next id; checks nothing."""
        made = MergeField(merge_id=self._next_merge_id, column=self._next_column, **attributes)
        self._next_merge_id += 1
        self._next_column += 1
        if not made.display_order:
            made.display_order = made.merge_id + 1
        self.merge_fields[made.merge_id] = made
        self.refresh_columns()
        return made

    def remove_merge_field(self, field_: MergeField) -> None:
        """Take a field away; its values go with it."""
        del self.merge_fields[field_.merge_id]
        self.refresh_columns()

    def refresh_columns(self) -> None:
        """Call after a field's tag has changed."""
        self.columns = tuple((made.tag, made.column) for made in self.merge_fields.values())

    def merge_field(self, tag: str) -> MergeField | None:
        """The field with this tag."""
        return next((made for made in self.merge_fields.values() if made.tag == tag), None)

    def counters(self) -> list[int]:
        """What the next merge field gets; for the snapshot."""
        return [self._next_column, self._next_merge_id]

    def set_counters(self, counters: list[int]) -> None:
        """The reverse of `counters`."""
        self._next_column, self._next_merge_id = counters

    def shared(self, value: MergeValue) -> MergeValue:
        """The same value as one object for all members that have it, as long as few values are many."""
        known = self._pool.get(value)
        if known is not None and type(known) is type(value):
            return known
        if len(self._pool) < _POOL_LIMIT:
            self._pool[value] = value
        return value

    # --- the rest ---

    @property
    def marketing_permissions(self) -> bool:
        """Are the GDPR fields on (contract, 4.7)?"""
        return bool(self.settings.get("marketing_permissions"))

    def set_marketing_permissions(self, on: bool, ids: Ids) -> None:
        """Switch the GDPR fields; Mailchimp's default permissions appear with the first time."""
        self.settings["marketing_permissions"] = on
        if on and not self.permission_texts:
            self.permission_texts = {
                ids.hex(10): text for text in ("Email", "Direct Mail", "Customized Online Advertising")
            }

    @property
    def language(self) -> str:
        """Language of the audience, such as `en` or `de`."""
        return str(self.settings.get("campaign_defaults", {}).get("language", "en"))

    def tag_named(self, name: str, ids: Ids, at: int) -> Tag:
        """The tag of that name, made if there is none."""
        return self.tags.find(name) or self.tags.add(
            Tag(id=2_000_000 + ids.number(), name=name, created_at=at, updated_at=at)
        )

    def tell(
        self, kind: EventKind, at: int, source: Source, member: Member, what: str = "", **detail: Any
    ) -> None:
        """Write history (if `what` says something) and tell the listeners."""
        if what:
            if member.history is None:
                member.history = []
            member.history.append(HistoryEntry(at, what, str(detail.get("reason", ""))))
        self.events.publish(MemberEvent(kind, at, source, self, member, detail))
