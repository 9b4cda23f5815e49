"""Every part and every state on one page, so that a change of the stylesheet is seen at once."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse, QueryDict

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.models import ListValue
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.filters import Choice, Filter
from lockstep.web.states import STATES

__all__ = ["SampleForm", "styleguide"]


class SampleForm(forms.Form):
    """A form with a hint, a choice and an error, drawn by the same templates as all others."""

    position = forms.CharField(max_length=200)
    email = forms.EmailField(
        label="E-mail", error_messages={"invalid": "This address cannot exist: two @ signs."}
    )
    department = forms.ChoiceField(
        choices=[("1", "Marketing"), ("2", "Purchasing")], help_text="One of the lists."
    )
    active = forms.BooleanField(required=False, help_text="Inactive contacts stay out of the sync.")


@door(Permission.VIEW_BOOK)
def styleguide(request: AskedRequest) -> HttpResponse:
    data = QueryDict("position=Marketing director&email=dana@@kestrel&department=1&active=on")
    status = Filter(
        "status",
        "Status",
        tuple(
            Choice(str(number), name, count, chosen=number == 1, glyph=glyph)
            for number, (name, count, glyph) in enumerate(
                [("Active", 207, "full"), ("Key account", 28, "star"), ("Prospect", 74, "half")], start=1
            )
        ),
    )
    return answer(
        request,
        "web/styleguide.html",
        {
            "states": STATES,
            "statuses": [
                Choice(glyph, name, glyph=glyph)
                for name, glyph in zip(
                    ("Key account", "Active", "Prospect", "Lead", "Dormant"),
                    ListValue.Glyph.values,
                    strict=True,
                )
            ],
            "form": SampleForm(data, auto_id="sample_%s"),
            "filters": [status, Filter("rep", "Rep", ())],
            "parts": [("ok", 2096), ("wait", 6), ("bad", 17), ("off", 8), ("left", 19)],
        },
    )
