"""Checks one row of a file and makes of it what goes into the book.

Pure, and quick: it runs a hundred thousand times a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockstep.apps.book.models import Client, ClientAddress, Contact, ListValue
from lockstep.apps.book.services.fields import MAX_TAG, MAX_TAGS, longest, one_line, tag_names
from lockstep.apps.book.services.imports.columns import BY_KEY

YES = frozenset(
    {
        *"yes y true t 1 x ✓ ✔ on ja oui si sí sim da tak wahr vrai".split(),
        *"no-marketing no_marketing nomarketing".split(),
        *("no marketing", "opt out", "opted out", "opt-out", "opted-out", "unsubscribed"),
        *("do not mail", "do not email", "do not market"),
    }
)
NO = frozenset(
    {
        *"no n false f 0 off nein non não nao nie none falsch faux n/a - – —".split(),
        *("opt in", "opted in", "opt-in", "opted-in", "subscribed"),
    }
)

_NOTHING = frozenset(
    {"-", "--", "–", "—", "n/a", "na", "none", "null", "nil", "0", "unknown", "tbd", "?", "."}
)
"""What people write into a column of numbers or addresses when there is none."""

TEXTS: dict[str, int] = {
    "client_name": longest(Client, "name"),
    "account_number": longest(Client, "account_number"),
    "client_external_id": longest(Client, "external_id"),
    "first_name": longest(Contact, "first_name"),
    "last_name": longest(Contact, "last_name"),
    "position": longest(Contact, "position"),
    "email": longest(Contact, "email"),
    "phone": longest(Contact, "phone"),
    "extension": longest(Contact, "extension"),
    "cell": longest(Contact, "cell"),
    "fax": longest(Contact, "fax"),
    "external_id": longest(Contact, "external_id"),
    "department": longest(ListValue, "name"),
    "address_name": longest(ClientAddress, "name"),
    "line1": longest(ClientAddress, "line1"),
    "line2": longest(ClientAddress, "line2"),
    "city": longest(ClientAddress, "city"),
    "state": longest(ClientAddress, "state"),
    "postal_code": longest(ClientAddress, "postal_code"),
    "country": longest(ClientAddress, "country"),
    "company_phone": longest(Client, "phone"),
    "website": longest(Client, "website"),
    "rep_email": 254,
    "industry": longest(ListValue, "name"),
    "status": longest(ListValue, "name"),
}
"""The text columns of the staging table, in its order, with how many characters fit."""

_EMPTY_WORDS = {"account_number", "client_external_id", "external_id", "email", "rep_email"}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A row as the staging table takes it: the texts in the order of `TEXTS`, then the rest."""

    texts: tuple[str, ...]
    client_tags: list[str]
    contact_tags: list[str]
    no_marketing: bool | None
    """None where the cell is empty."""
    active: bool | None
    has_contact: bool
    """Whether any cell says something about a contact; otherwise the row is about the client alone."""


@dataclass(frozen=True, slots=True)
class Refused:
    reasons: tuple[str, ...]


class RowChecker:
    """Checks rows of a file whose columns go where `mapping` says (position to key)."""

    def __init__(self, mapping: Mapping[int, str]) -> None:
        self._position = {key: position for position, key in mapping.items()}
        self._texts = [
            (self._position.get(key, -1), key, limit, key in _EMPTY_WORDS) for key, limit in TEXTS.items()
        ]
        self._contact_positions = [
            position for key, position in self._position.items() if BY_KEY[key].of_contact
        ]

    def check(self, cells: Sequence[str]) -> Accepted | Refused:
        """What the row says, or everything that is wrong with it. No column lies beyond the cells."""
        reasons: list[str] = []
        texts: list[str] = []
        for position, key, limit, nothing_words in self._texts:
            text = cell_text(cells[position]) if position >= 0 else ""
            if text:
                if nothing_words and text.lower() in _NOTHING:
                    text = ""
                elif len(text) > limit:
                    label = BY_KEY[key].label
                    reasons.append(f"{label} is too long: {len(text):,} characters, {limit:,} fit.")
            texts.append(text)
        named = dict(zip(TEXTS, texts, strict=True))

        email = named["email"]
        if email and ("<" in email or email[:7].lower() == "mailto:"):
            named["email"] = bare_address(email)
        has_contact = any(
            cells[position] and not cells[position].isspace() for position in self._contact_positions
        )
        if not (named["client_name"] or named["account_number"] or named["client_external_id"]):
            reasons.append("The client's name is missing.")
        if has_contact and not (
            named["first_name"] or named["last_name"] or named["email"] or named["external_id"]
        ):
            reasons.append("The contact has neither a name nor an e-mail address.")

        client_tags = self._tags("client_tags", cells, reasons)
        contact_tags = self._tags("contact_tags", cells, reasons)
        no_marketing = self._yes_no("no_marketing", cells, reasons)
        active = self._yes_no("active", cells, reasons)
        if reasons:
            return Refused(tuple(reasons))
        return Accepted(tuple(named.values()), client_tags, contact_tags, no_marketing, active, has_contact)

    def _tags(self, key: str, cells: Sequence[str], reasons: list[str]) -> list[str]:
        position = self._position.get(key)
        if position is None or not cells[position]:
            return []
        names = tag_names(cell_text(part) for part in re.split(r"[,;|\n]", cells[position]))
        label = BY_KEY[key].label
        if len(names) > MAX_TAGS:
            reasons.append(f"{label}: {len(names)} tags are too many, {MAX_TAGS} fit.")
        reasons.extend(
            f"{label}: “{name[:30]}…” is too long, {MAX_TAG} characters fit."
            for name in names
            if len(name) > MAX_TAG
        )
        return names

    def _yes_no(self, key: str, cells: Sequence[str], reasons: list[str]) -> bool | None:
        position = self._position.get(key)
        word = cell_text(cells[position]).lower() if position is not None and cells[position] else ""
        if not word:
            return None
        if word in YES:
            return True
        if word in NO:
            return False
        reasons.append(f"{BY_KEY[key].label}: “{word[:40]}” is neither yes nor no.")
        return None


def cell_text(cell: str) -> str:
    """A cell's text on one line, without the apostrophe that an export puts before a formula's look-alike."""
    if not cell:
        return ""
    if cell[0] == "'" and cell[1:2] in ("=", "+", "-", "@", "'", "\t", "\r"):
        cell = cell[1:]
    return one_line(cell)


def bare_address(text: str) -> str:
    """The address of “Dana Whitfield <dana@…>” or “mailto:dana@…”; anything else as it is."""
    if found := re.search(r"<([^<>]+)>\s*$", text):
        text = found.group(1)
    return re.sub(r"^mailto:", "", text.strip(), flags=re.IGNORECASE).strip()
