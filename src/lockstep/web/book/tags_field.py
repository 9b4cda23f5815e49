"""Tags in a form: those there are as chips one can take off, and a field for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict

__all__ = ["TagsField"]


class TagsWidget(forms.Widget):
    """Checked boxes named like the field, and a text named `<field>_more`; works without JavaScript."""

    template_name = "web/parts/tags_widget.html"
    suggestions: Sequence[str] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"] |= {
            "tags": list(value or ()),
            "suggestions": self.suggestions,
            "more": f"{name}_more",
        }
        return context

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[str]:
        kept = data.getlist(name) if isinstance(data, MultiValueDict) else list(data.get(name, []))
        more = str(data.get(f"{name}_more", "")).split(",")
        return [tag for tag in (text.strip() for text in [*kept, *more]) if tag]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return False


class TagsField(forms.Field):
    """A list of names; what a name may be is the service's to say."""

    widget = TagsWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False} | kwargs)

    def suggest(self, names: Sequence[str]) -> None:
        self.widget.suggestions = names

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or ()) != list(data or ())
