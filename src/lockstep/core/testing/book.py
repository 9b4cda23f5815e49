"""A small book: contacts, filters, and the rules of who fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lockstep.core import field_map
from lockstep.core.identity import NO_ADDRESS, AddressKey, address_key
from lockstep.core.member import DesiredMember, Reason, Values
from lockstep.core.tags import TagRule


@dataclass(slots=True)
class BookContact:
    """One contact; `created` orders duplicates, the newest wins."""

    contact_id: int
    email: str = ""
    first_name: str = ""
    group: str = ""
    tags: tuple[str, ...] = ()
    active: bool = True
    no_marketing: bool = False
    deleted: bool = False
    created: int = 0

    @property
    def key(self) -> AddressKey:
        return address_key(self.email)


@dataclass(slots=True)
class MemoryBook:
    """Contacts by id, the filter (`groups`; None lets everyone in) and the chosen duplicates."""

    contacts: dict[int, BookContact] = field(default_factory=dict)
    groups: frozenset[str] | None = None
    chosen: dict[AddressKey, int] = field(default_factory=dict)
    tag_rule: TagRule | None = None
    """Which tags become tags at Mailchimp; None where they don't."""
    clear_tags: bool = False
    """Tags were switched off, and what we wrote is to go."""
    _created: int = 0

    def add(
        self,
        email: str = "",
        *,
        first_name: str = "",
        group: str = "",
        tags: Iterable[str] = (),
        active: bool = True,
        no_marketing: bool = False,
    ) -> BookContact:
        self._created += 1
        contact = BookContact(
            contact_id=self._created,
            email=email,
            first_name=first_name,
            group=group,
            tags=tuple(tags),
            active=active,
            no_marketing=no_marketing,
            created=self._created,
        )
        self.contacts[contact.contact_id] = contact
        return contact

    def view(self) -> BookView:
        """The book as it is now, ready for many questions."""
        rivals: dict[AddressKey, list[BookContact]] = {}
        for contact in self.contacts.values():
            if contact.key and not contact.deleted:
                rivals.setdefault(contact.key, []).append(contact)
        return BookView(self, rivals)

    def desired(self, contact_id: int) -> DesiredMember:
        return self.view().desired(contact_id)


@dataclass(frozen=True, slots=True)
class BookView:
    """The rules of who fits, over the book at one moment."""

    book: MemoryBook
    rivals: Mapping[AddressKey, Sequence[BookContact]]

    def desired(self, contact_id: int) -> DesiredMember:
        """What the book says of a contact; DELETED where it is not in the book any more."""
        contact = self.book.contacts.get(contact_id)
        if contact is None:
            return DesiredMember(contact_id, "", NO_ADDRESS, Reason.DELETED, tags=self._no_tags)
        reason = self._reason(contact)
        if reason is Reason.FITS and self._winner(contact.key) != contact.contact_id:
            reason = Reason.DUPLICATE
        if reason is not Reason.FITS:
            return DesiredMember(contact_id, contact.email, contact.key, reason, tags=self._no_tags)
        values = values_of(contact)
        rule = self.book.tag_rule
        tags = rule.wanted(contact_tags=contact.tags) if rule else self._no_tags
        digest = field_map.digest((*values, *(tags or ())))
        return DesiredMember(contact_id, contact.email, contact.key, reason, values, digest, tags)

    @property
    def _no_tags(self) -> tuple[str, ...] | None:
        return () if self.book.clear_tags and self.book.tag_rule is None else None

    def _reason(self, contact: BookContact) -> Reason:
        """The first reason that holds, duplicates left aside."""
        if contact.deleted:
            return Reason.DELETED
        if self.book.groups is not None and contact.group not in self.book.groups:
            return Reason.OUTSIDE
        if not contact.active:
            return Reason.INACTIVE
        # A “no” belongs to the person: flagged on one contact, it holds for all with the address.
        if contact.no_marketing or any(other.no_marketing for other in self.rivals.get(contact.key, ())):
            return Reason.NO_MARKETING
        if not contact.key:
            return Reason.NO_EMAIL
        local, at, domain = contact.key.rpartition("@")
        if not (local and at and domain):
            return Reason.INVALID_EMAIL
        return Reason.FITS

    def _winner(self, key: AddressKey) -> int:
        rivals = [c for c in self.rivals[key] if self._reason(c) is Reason.FITS]
        chosen = self.book.chosen.get(key)
        if chosen is not None and any(rival.contact_id == chosen for rival in rivals):
            return chosen
        return max(rivals, key=lambda c: (c.created, c.contact_id)).contact_id


_CONTACTS = "https://book.test/contacts/"


def contact_named_by(values: Values) -> int | None:
    """The contact that a member's Contact URL leads to."""
    url = values[field_map.CONTACT_URL]
    number = url.removeprefix(_CONTACTS).removesuffix("/")
    return int(number) if url.startswith(_CONTACTS) and number.isdigit() else None


def values_of(contact: BookContact) -> Values:
    """The values of a contact that fits."""
    texts = dict.fromkeys((spec.name for spec in field_map.FIELD_SPECS), "")
    texts |= {
        "email": contact.email,
        "first_name": contact.first_name,
        "contact_url": f"{_CONTACTS}{contact.contact_id}/",
        "client_url": "https://book.test/clients/1/",
    }
    return field_map.make_values(texts, contact_tags=contact.tags)
