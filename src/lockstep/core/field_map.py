"""Our audience fields: tags, labels, and values as Mailchimp will store them (S5)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from lockstep.core.member import Values

VALUE_BYTES = 255
"""Longest text value, in UTF-8 bytes. Widely believed, stated nowhere (contract 3.2)."""

LIST_SEPARATOR = ", "
CUT_MARK = "…"
ACTIVE = "Active"
INACTIVE = "Inactive"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One of the 18 audience fields: its name in the book, its suffix after the prefix, its label."""

    name: str
    suffix: str
    label: str


FIELD_SPECS: tuple[FieldSpec, ...] = (
    FieldSpec("email", "EMAIL", "Email"),
    FieldSpec("first_name", "FNAME", "First Name"),
    FieldSpec("last_name", "LNAME", "Last Name"),
    FieldSpec("position", "POS", "Position"),
    FieldSpec("phone", "PHONE", "Phone"),
    FieldSpec("extension", "EXT", "Extension"),
    FieldSpec("department", "DEPT", "Department"),
    FieldSpec("state", "STATE", "State/Province"),
    FieldSpec("country", "CNTRY", "Country"),
    FieldSpec("client_status", "STAT", "Account Status"),
    FieldSpec("rep_first_name", "RFN", "Sales Rep First Name"),
    FieldSpec("rep_last_name", "RLN", "Sales Rep Last Name"),
    FieldSpec("industry", "IND", "Industry"),
    FieldSpec("contact_url", "URL", "Contact URL"),
    FieldSpec("client_url", "CURL", "Client URL"),
    FieldSpec("client_tags", "CTAGS", "Client Tags"),
    FieldSpec("contact_tags", "TAGS", "Contact Tags"),
    FieldSpec("sync_status", "SYNC", "Sync Status"),
)

_INDEX: Mapping[str, int] = {spec.name: index for index, spec in enumerate(FIELD_SPECS)}
CONTACT_URL = _INDEX["contact_url"]
SYNC_STATUS = _INDEX["sync_status"]
"""Positions of two fields that say whose a member is, and that it is kept in step."""

_RELEASED: Mapping[int, str] = {
    CONTACT_URL: "",
    _INDEX["client_url"]: "",
    SYNC_STATUS: INACTIVE,
}
_MADE = frozenset({"client_tags", "contact_tags", "sync_status"})
_PLAIN = tuple("" if spec.name in _MADE else spec.name for spec in FIELD_SPECS)
"""The names of the fields that are texts of the book, in field order; '' where a value is made otherwise."""

_PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,3}")
_JOINER = "\u200d"
_MODIFIERS = frozenset("\ufe0e\ufe0f\u20e3" + "".join(map(chr, range(0x1F3FB, 0x1F400))))
_CONTROL = re.compile(r"[\x00-\x1f\x7f\s]+")


@dataclass(frozen=True)
class FieldMap:
    """The fields of one connection. The prefix is a setting (S5): up to 4 upper-case characters.

    Tags stay within Mailchimp's ten characters (contract 3.3) for every prefix.
    Raises ValueError on a prefix that could not be a merge tag.
    """

    prefix: str = "CSKU"

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(
                "A field prefix is 1 to 4 characters: a capital letter, then capitals or digits."
            )

    @cached_property
    def tags(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}_{spec.suffix}" for spec in FIELD_SPECS)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix} {spec.label}" for spec in FIELD_SPECS)

    @cached_property
    def _position(self) -> Mapping[str, int]:
        return {tag: index for index, tag in enumerate(self.tags)}

    def values_of(self, merge_fields: Mapping[str, object]) -> Values:
        """Our values out of a member's merge fields; a field that isn't there is ''."""
        found = [merge_fields.get(tag, "") for tag in self.tags]
        return tuple([value if type(value) is str else _text(value) for value in found])

    def merge_fields(self, values: Values, only: Iterable[int] | None = None) -> dict[str, str]:
        """What to send: all our fields, or those at the positions in `only`."""
        if only is None:
            return dict(zip(self.tags, values, strict=True))
        return {self.tags[index]: values[index] for index in only}


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def one_line(text: str) -> str:
    """White space and control characters folded to single spaces: what a text field keeps."""
    if text.isprintable() and "  " not in text:  # of all white space only the space is printable
        return text.strip()
    return _CONTROL.sub(" ", text).strip()


def cut(text: str, limit: int = VALUE_BYTES) -> str:
    """The text within `limit` UTF-8 bytes, cut at a whole word and marked with “…”."""
    return text if _is_within(text, limit) else _marked(text, limit)


def _is_within(text: str, limit: int) -> bool:
    """Whether the text takes at most `limit` bytes; no character takes more than four."""
    return len(text) * 4 <= limit or len(text.encode()) <= limit


def _marked(text: str, limit: int) -> str:
    """As much of the text as fits together with the mark."""
    room = limit - len(CUT_MARK.encode())
    head = _whole_characters(text, text.encode()[:room].decode(errors="ignore"))
    space = head.rfind(" ")
    if space > room // 2:
        head = head[:space]
    return head.rstrip(" ,;") + CUT_MARK


def _whole_characters(text: str, head: str) -> str:
    """The head of a text without a last character that the cut took an accent or a joined part from."""
    end = len(head)
    while 0 < end < len(text) and (_joins(text[end]) or text[end - 1] == _JOINER):
        end -= 1
    return text[:end]


def _joins(char: str) -> bool:
    """Whether a character belongs to the one before it: accents, variation selectors, skin tones."""
    return char == _JOINER or bool(unicodedata.combining(char)) or char in _MODIFIERS


def cut_list(items: Iterable[str], limit: int = VALUE_BYTES) -> str:
    """Items joined with ', ', cut at a whole item and marked with “, …”.

    Whole items only, because people build segments with “contains TAG”.
    """
    names = [name for item in items if (name := one_line(item))]
    text = LIST_SEPARATOR.join(names)
    if _is_within(text, limit):
        return text
    mark = LIST_SEPARATOR + CUT_MARK
    room = limit - len(mark.encode())
    kept: list[str] = []
    used = 0
    for name in names:
        cost = len(name.encode()) + (len(LIST_SEPARATOR) if kept else 0)
        if used + cost > room:
            break
        kept.append(name)
        used += cost
    if not kept:
        return _marked(names[0], limit)
    return LIST_SEPARATOR.join(kept) + mark


def is_active(values: Values) -> bool:
    """Whether Mailchimp shows the member as one that is kept in step: only we write that."""
    return values[SYNC_STATUS] == ACTIVE


def is_cut(value: str) -> bool:
    """Whether a stored value was cut by `cut` or `cut_list`."""
    return value.endswith(CUT_MARK)


def make_values(
    texts: Mapping[str, str], *, client_tags: Iterable[str] = (), contact_tags: Iterable[str] = ()
) -> Values:
    """The desired values of a contact that fits, in field order, as Mailchimp will store them.

    `texts` maps a field's name to its text, for every field but the tags and
    the Sync Status. Tags are sorted, so that their order is no difference.
    """
    made = [cut(one_line(texts[name])) if name else "" for name in _PLAIN]
    made[_INDEX["client_tags"]] = cut_list(_in_order(client_tags))
    made[_INDEX["contact_tags"]] = cut_list(_in_order(contact_tags))
    made[SYNC_STATUS] = ACTIVE
    return tuple(made)


def _in_order(tags: Iterable[str]) -> list[str]:
    return sorted(tags, key=lambda tag: (tag.casefold(), tag))


def released(values: Values) -> Values:
    """The values of a member whose contact left the scope (S10): Inactive, both URLs empty."""
    return tuple(_RELEASED.get(index, value) for index, value in enumerate(values))


def differing(before: Values, after: Values) -> tuple[int, ...]:
    """Positions at which two value tuples differ."""
    return tuple(index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)


def digest(values: Values) -> bytes:
    """16 bytes that stand for the values; equal values, equal digest, on every machine."""
    return hashlib.blake2b("\x1f".join(values).encode(), digest_size=16).digest()
