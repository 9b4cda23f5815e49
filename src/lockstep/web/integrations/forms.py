"""What is asked before a token is made."""

from __future__ import annotations

from django import forms

from lockstep.apps.integrations.scopes import SCOPE_LABELS

__all__ = ["TokenForm"]

LIVES = [("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until it is revoked")]


class TokenForm(forms.Form):
    """A name, what it is for, and how long; checked by the service."""

    name = forms.CharField(
        label="Name", required=False, help_text="The system that will use it, such as “CRM import”."
    )
    days = forms.ChoiceField(label="Expires after", choices=LIVES, initial="90", required=False)
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        required=False,
        choices=[(scope.value, label) for scope, label in SCOPE_LABELS.items()],
        widget=forms.CheckboxSelectMultiple,
    )
