"""How forms are drawn: `{{ field.as_field_group }}` gives label, field, hint and error as designed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import SafeString

__all__ = ["FormRenderer"]


def _look(widget: forms.Widget) -> str:
    match widget:
        case forms.CheckboxInput() | forms.RadioSelect() | forms.CheckboxSelectMultiple():
            return ""
        case forms.Select():
            return "select"
        case forms.Textarea():
            return "textarea"
        case forms.ClearableFileInput() | forms.FileInput():
            return "input file"
        case _:
            return "input"


class DesignedField(BoundField):
    """Gives each widget its class, so that no form has to."""

    def as_widget(
        self,
        widget: forms.Widget | None = None,
        attrs: dict[str, Any] | None = None,
        only_initial: bool = False,
    ) -> SafeString:
        widget = widget or self.field.widget
        css = " ".join(filter(None, (_look(widget), widget.attrs.get("class"), (attrs or {}).get("class"))))
        if css and not widget.is_hidden:
            attrs = {**(attrs or {}), "class": css}
        return super().as_widget(widget, attrs, only_initial)

    @property
    def is_checkbox(self) -> bool:
        return isinstance(self.field.widget, forms.CheckboxInput)


class FormRenderer(DjangoTemplates):
    """Named in the settings."""

    field_template_name = "web/parts/field.html"
    form_template_name = "web/parts/form.html"
    bound_field_class = DesignedField

    def get_template(self, template_name: str) -> Any:
        # Django's own errors would be found first, wherever ours stood under that name.
        if template_name == "django/forms/errors/list/default.html":
            template_name = "web/parts/errors.html"
        return super().get_template(template_name)
