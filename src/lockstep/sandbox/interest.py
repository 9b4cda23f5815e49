"""Interest categories ("groups") and their interests: read through the API, made through the control door.

Members hold interests by id (contract, 4.2). The sandbox offers what the description offers: reading them.
"""

from __future__ import annotations

from .audience import Audience
from .ids import Ids

__all__ = ["CATEGORY_TYPES", "add_category"]

CATEGORY_TYPES = ("checkboxes", "dropdown", "radio", "hidden")


def add_category(
    audience: Audience, title: str, interests: list[str], ids: Ids, *, type_: str = "checkboxes"
) -> str:
    """A new category with interests; returns its id. Raises ValueError for an unknown type."""
    if type_ not in CATEGORY_TYPES:
        raise ValueError(f"there is no type {type_!r}; there are {', '.join(CATEGORY_TYPES)}")
    category_id = ids.hex(10)
    audience.interest_categories[category_id] = {
        "title": title,
        "type": type_,
        "display_order": len(audience.interest_categories),
    }
    for name in interests:
        audience.interests[ids.hex(10)] = (category_id, name)
    return category_id
