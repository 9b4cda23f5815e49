"""Forms of a person's own settings."""

from __future__ import annotations

from django import forms

__all__ = ["ProfileForm"]


class ProfileForm(forms.Form):
    """The names under which colleagues, and Mailchimp's rep fields, know a person."""

    first_name = forms.CharField(max_length=100)
    last_name = forms.CharField(max_length=100, required=False)
