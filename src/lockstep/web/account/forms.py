"""Forms of a person's own settings, and of the company's."""

from __future__ import annotations

from zoneinfo import available_timezones

from django import forms
from django.conf import settings

from lockstep.apps.accounts.errors import Refused
from lockstep.apps.accounts.permissions import ROLE_LABELS, Role

__all__ = ["CompanyForm", "InviteForm", "JoinForm", "ProfileForm", "SeatForm", "complain"]

_ROLES = [(role.value, label) for role, label in ROLE_LABELS.items()]


def complain(form: forms.Form, refusal: Refused) -> None:
    """Put a service's objections beside the fields that they are about."""
    for field, text in refusal.fields.items():
        form.add_error(field if field in form.fields else None, text)


class ProfileForm(forms.Form):
    """The names under which colleagues, and Mailchimp's rep fields, know a person."""

    first_name = forms.CharField(max_length=100)
    last_name = forms.CharField(max_length=100, required=False)


class CompanyForm(forms.Form):
    name = forms.CharField(max_length=200, label="Company name")
    time_zone = forms.ChoiceField(required=False, help_text="Dates and times are shown in it.")
    default_country = forms.CharField(
        max_length=100,
        required=False,
        label="Country of new clients",
        help_text="A new client’s address begins with it.",
    )
    default_role = forms.ChoiceField(
        choices=_ROLES, label="Role of new users", help_text="An invitation begins with it."
    )
    require_second_factor = forms.BooleanField(
        required=False,
        label="Require a second factor",
        help_text="Whoever has none is asked to add one before they see anything else.",
    )

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]  # Django's own signature
        zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]  # a ChoiceField
            ("", f"As this installation ({settings.TIME_ZONE})"),
            ("UTC", "UTC"),
            *((zone, zone.replace("_", " ")) for zone in zones),
        ]


class _PlaceForm(forms.Form):
    role = forms.ChoiceField(choices=_ROLES)
    own_clients_only = forms.BooleanField(
        required=False,
        label="Limited to own clients",
        help_text="Sees and changes only clients that they are the rep of, whatever the role.",
    )

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class SeatForm(_PlaceForm):
    """What a person may do here."""


class InviteForm(_PlaceForm):
    email = forms.CharField(
        max_length=254, label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    field_order = ("email", "role", "own_clients_only")


class JoinForm(forms.Form):
    """A newcomer's name and password."""

    first_name = forms.CharField(
        max_length=100, widget=forms.TextInput(attrs={"autocomplete": "given-name", "autofocus": True})
    )
    last_name = forms.CharField(
        max_length=100, required=False, widget=forms.TextInput(attrs={"autocomplete": "family-name"})
    )
    password = forms.CharField(
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters; not a common one, not only digits, not like your name.",
    )
