"""The five lists of a company, and what a page has to know of each."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.apps.book.models import ListValue, Tag

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """`key` is what addresses hold; `field` the audience field that the name reaches; `route` and
    `filter` lead to whoever has a value."""

    key: str
    title: str
    one: str
    holders: str
    field: str
    route: str
    filter: str
    of: ListValue.Kind | Tag.Kind

    @property
    def is_tag(self) -> bool:
        return isinstance(self.of, Tag.Kind)

    @property
    def has_signs(self) -> bool:
        return self.of is ListValue.Kind.STATUS


_L, _T = ListValue.Kind, Tag.Kind

KINDS: dict[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind(
            "statuses",
            "Client statuses",
            "status",
            "client,clients",
            "client_status",
            "book:clients",
            "status",
            _L.STATUS,
        ),
        Kind(
            "industries",
            "Industries",
            "industry",
            "client,clients",
            "industry",
            "book:clients",
            "industry",
            _L.INDUSTRY,
        ),
        Kind(
            "departments",
            "Departments",
            "department",
            "contact,contacts",
            "department",
            "book:contacts",
            "department",
            _L.DEPARTMENT,
        ),
        Kind(
            "client-tags",
            "Client tags",
            "client tag",
            "client,clients",
            "client_tags",
            "book:clients",
            "tag",
            _T.CLIENT,
        ),
        Kind(
            "contact-tags",
            "Contact tags",
            "contact tag",
            "contact,contacts",
            "contact_tags",
            "book:contacts",
            "tag",
            _T.CONTACT,
        ),
    )
}
