"""What a person chooses for many clients or contacts at once; everything begins with “leave as it is”."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.queries import ChoiceRow, list_values, reps, tags
from lockstep.apps.book.services import BulkEdit
from lockstep.web.book.tags_field import TagsField

__all__ = ["BulkForm"]

LEAVE, NONE = "", "none"
_LEAVE = (LEAVE, "Leave as it is")


def _choice(label: str, choices: Iterable[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, required=False, choices=[_LEAVE, *choices])


def _listed(label: str, values: Iterable[ChoiceRow]) -> forms.ChoiceField:
    return _choice(label, [*((str(value.id), value.name) for value in values), (NONE, "None")])


class BulkForm(forms.Form):
    """The fields are named as `BulkEdit.sets` names them."""

    def __init__(self, actor: Actor, subject: str, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.subject = subject
        kind = Tag.Kind(subject)
        known = tags(actor, kind, counts=False)
        adding = TagsField(label="Add tags")
        adding.suggest([tag.name for tag in known])
        self.fields["add_tags"] = adding
        if known:
            self.fields["remove_tag_ids"] = forms.MultipleChoiceField(
                label="Take off tags",
                required=False,
                choices=[(str(tag.id), tag.name) for tag in known],
                widget=forms.SelectMultiple(attrs={"size": min(5, len(known))}),
            )
        if subject == "client":
            self._listed(actor, "status_id", "Status", ListValue.Kind.STATUS)
            self._listed(actor, "industry_id", "Industry", ListValue.Kind.INDUSTRY)
            if not actor.own_clients_only:
                self.fields["rep_id"] = _listed("Client rep", reps(actor, open_only=True))
        else:
            self._listed(actor, "department_id", "Department", ListValue.Kind.DEPARTMENT)
            self.fields["no_marketing"] = _choice(
                "No Marketing", [("yes", "Flag No Marketing"), ("no", "Take No Marketing off")]
            )
            self.fields["no_marketing_reason"] = forms.CharField(
                label="Reason of No Marketing",
                required=False,
                max_length=300,
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
            )
        self.fields["active"] = _choice("Active", [("yes", "Make active"), ("no", "Make inactive")])

    def _listed(self, actor: Actor, name: str, label: str, kind: ListValue.Kind) -> None:
        self.fields[name] = _listed(label, list_values(actor, kind, counts=False))

    def edit(self) -> BulkEdit:
        """Only after `is_valid`."""
        sets: dict[str, Any] = {}
        for name in ("status_id", "industry_id", "rep_id", "department_id"):
            value = self.cleaned_data.get(name, LEAVE)
            if value != LEAVE:
                sets[name] = None if value == NONE else int(value)
        for name in ("active", "no_marketing"):
            value = self.cleaned_data.get(name, LEAVE)
            if value != LEAVE:
                sets[name] = value == "yes"
        if reason := self.cleaned_data.get("no_marketing_reason"):
            sets["no_marketing_reason"] = reason
        return BulkEdit(
            subject=self.subject,
            sets=sets,
            add_tags=tuple(self.cleaned_data["add_tags"]),
            remove_tag_ids=tuple(int(pk) for pk in self.cleaned_data.get("remove_tag_ids", ())),
        )
