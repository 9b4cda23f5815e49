"""What a person types about a client or a contact. The services check it; their complaints come back here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.queries import (
    ChoiceRow,
    ClientDetails,
    ContactDetails,
    Named,
    list_values,
    reps,
    tags,
)
from lockstep.apps.book.services import AddressValues, ClientValues, ContactValues
from lockstep.web.book.tags_field import TagsField

__all__ = ["ClientForm", "ContactForm", "QuickContactForm", "take_complaints"]

ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")


def take_complaints(form: forms.Form, error: Invalid) -> None:
    """Put each complaint of a service to its field; what has no field here stands above all."""
    for field, text in error.fields.items():
        form.add_error(field if field in form.fields else None, text)


def _choices(values: Iterable[ChoiceRow], held: Named | None) -> list[tuple[str, str]]:
    """What can be chosen, and what is held even where it was retired since."""
    choices = [(str(value.id), value.name) for value in values]
    if held is not None and str(held.id) not in dict(choices):
        choices.append((str(held.id), held.name))
    return [("", "—"), *choices]


def _text(label: str, length: int = 200, **attrs: str) -> forms.CharField:
    attrs = {"autocomplete": "off", **attrs}
    return forms.CharField(
        label=label, required=False, max_length=length, widget=forms.TextInput(attrs=attrs)
    )


def _id(value: str) -> int | None:
    return int(value) if value else None


class _AddressForm(forms.Form):
    line1 = _text("Address")
    line2 = _text("Address, second line")
    city = _text("City", 100)
    state = _text("State/Province", 100)
    postal_code = _text("Postal code", 30)
    country = _text("Country", 100)

    @property
    def address_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ADDRESS]

    @property
    def has_address(self) -> bool:
        return any(self[name].value() or self[name].errors for name in ADDRESS)


class FurtherAddressForm(_AddressForm):
    """An address beside the primary one; emptied, it goes."""

    name = _text("What it is", 100)
    first = forms.BooleanField(label="Make it the primary address", required=False)

    field_order = ("name", *ADDRESS, "first")

    @property
    def is_filled(self) -> bool:
        return any(self[name].value() for name in ADDRESS)


class ClientForm(_AddressForm):
    address_name = _text("What the address is", 100)
    name = forms.CharField(
        label="Name", max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    account_number = _text("Account number", 60)
    status_id = forms.ChoiceField(label="Status", required=False)
    industry_id = forms.ChoiceField(label="Industry", required=False)
    rep_id = forms.ChoiceField(label="Client rep", required=False)
    tags = TagsField(label="Tags")
    phone = _text("Phone", 60, inputmode="tel")
    website = _text("Website", 300, inputmode="url")
    notes = forms.CharField(
        label="Notes", required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    active = forms.BooleanField(
        label="Active",
        required=False,
        initial=True,
        help_text="Inactive clients are left out of the usual lists.",
    )

    def __init__(
        self, actor: Actor, client: ClientDetails | None = None, data: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(
            data, initial=_client_initial(client) if client else kwargs.pop("initial", None), **kwargs
        )
        held = client or None
        self._offer(
            "status_id", list_values(actor, ListValue.Kind.STATUS, counts=False), held and held.status
        )
        self._offer(
            "industry_id", list_values(actor, ListValue.Kind.INDUSTRY, counts=False), held and held.industry
        )
        self._offer("rep_id", reps(actor, open_only=True), held and held.rep)
        field = self.fields["tags"]
        assert isinstance(field, TagsField)
        field.suggest([tag.name for tag in tags(actor, Tag.Kind.CLIENT, counts=False)])
        if actor.own_clients_only:
            del self.fields["rep_id"]
        self.further = _further_addresses(client, data)

    def _offer(self, name: str, values: Iterable[ChoiceRow], held: Named | None) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = _choices(values, held)

    def values(self) -> ClientValues:
        """What the service takes; only after `is_valid`."""
        data = self.cleaned_data
        values: ClientValues = {
            "name": data["name"],
            "account_number": data["account_number"],
            "status_id": _id(data["status_id"]),
            "industry_id": _id(data["industry_id"]),
            "tags": data["tags"],
            "phone": data["phone"],
            "website": data["website"],
            "notes": data["notes"],
            "active": data["active"],
            "addresses": self._addresses(),
        }
        if "rep_id" in data:
            values["rep_id"] = _id(data["rep_id"])
        return values

    def is_valid(self) -> bool:
        every = [form.is_valid() for form in self.further]
        return super().is_valid() and all(every)

    def _addresses(self) -> list[AddressValues]:
        """All of them, the primary one first."""
        data = self.cleaned_data
        primary = {"name": data["address_name"], **{name: data[name] for name in ADDRESS}}
        further = [dict(form.cleaned_data) for form in self.further]
        firsts = [address for address in further if address.pop("first")]
        rest = [address for address in further if address not in firsts]
        return [*firsts, primary, *rest]  # type: ignore[list-item]  # the keys of an address


#: Further addresses that a form is ever read for; what a client can have is the service's to say.
MOST_FURTHER = 60


def _further_addresses(client: ClientDetails | None, data: Any) -> list[FurtherAddressForm]:
    """Those there are and an empty one; with `data` as many as were sent."""
    if data is not None:
        sent = str(data.get("further", "0"))
        count = min(int(sent), MOST_FURTHER) if sent.isascii() and sent.isdigit() and len(sent) < 4 else 0
        return [FurtherAddressForm(data, prefix=f"further{n}") for n in range(count)]
    held = client.more_addresses if client else ()
    initial = [{name: getattr(address, name) for name in ("name", *ADDRESS)} for address in held]
    return [
        FurtherAddressForm(initial=values, prefix=f"further{n}") for n, values in enumerate([*initial, {}])
    ]


class ContactForm(_AddressForm):
    first_name = _text("First name", 100)
    last_name = _text("Last name", 100)
    position = _text("Position")
    department_id = forms.ChoiceField(label="Department", required=False)
    email = _text("E-mail", 320, inputmode="email")
    phone = _text("Phone", 60, inputmode="tel")
    extension = _text("Extension", 20, inputmode="numeric")
    cell = _text("Cell", 60, inputmode="tel")
    fax = _text("Fax", 60, inputmode="tel")
    tags = TagsField(label="Tags")
    no_marketing = forms.BooleanField(
        label="No Marketing",
        required=False,
        help_text="Keeps this person out of Mailchimp."
        " If they are in the sync, their Sync Status turns to Inactive.",
    )
    no_marketing_reason = _text("Reason", 300)
    active = forms.BooleanField(
        label="Active", required=False, initial=True, help_text="Inactive contacts stay out of the sync."
    )

    #: Fields that the short form in a row leaves alone.
    MORE = ("cell", "fax", "no_marketing_reason", *ADDRESS)

    def __init__(
        self,
        actor: Actor,
        contact: ContactDetails | None = None,
        data: Any = None,
        *,
        short: bool = False,
        **kwargs: Any,
    ) -> None:
        initial = _contact_initial(contact) if contact else kwargs.pop("initial", None)
        super().__init__(data, initial=initial, **kwargs)
        self.short = short
        if short:
            for name in self.MORE:
                del self.fields[name]
            self.fields["first_name"].widget.attrs["autofocus"] = True
        departments = self.fields["department_id"]
        assert isinstance(departments, forms.ChoiceField)
        departments.choices = _choices(
            list_values(actor, ListValue.Kind.DEPARTMENT, counts=False),
            contact.department if contact else None,
        )
        field = self.fields["tags"]
        assert isinstance(field, TagsField)
        field.suggest([tag.name for tag in tags(actor, Tag.Kind.CONTACT, counts=False)])

    def values(self) -> ContactValues:
        """What the service takes; only after `is_valid`. Fields the short form lacks stay as they are."""
        data = dict(self.cleaned_data)
        data["department_id"] = _id(data["department_id"])
        if not data["no_marketing"]:
            data.pop("no_marketing_reason", None)
        return data  # type: ignore[return-value]  # the fields are named as the service's arguments


class QuickContactForm(forms.Form):
    """The little that one knows of somebody just met."""

    first_name = _text("First name", 100)
    last_name = _text("Last name", 100)
    email = _text("E-mail", 320, inputmode="email")
    position = _text("Position")


def _client_initial(client: ClientDetails) -> dict[str, Any]:
    return {
        "name": client.name,
        "account_number": client.account_number,
        "status_id": str(client.status.id) if client.status else "",
        "industry_id": str(client.industry.id) if client.industry else "",
        "rep_id": str(client.rep.id) if client.rep else "",
        "tags": [tag.name for tag in client.tags],
        "phone": client.phone,
        "website": client.website,
        "notes": client.notes,
        "active": client.active,
        "address_name": client.address.name,
        **{name: getattr(client.address, name) for name in ADDRESS},
    }


def _contact_initial(contact: ContactDetails) -> dict[str, Any]:
    names = ("first_name", "last_name", "position", "email", "phone", "extension", "cell", "fax")
    return {
        **{name: getattr(contact, name) for name in names},
        "department_id": str(contact.department.id) if contact.department else "",
        "tags": [tag.name for tag in contact.tags],
        "no_marketing": contact.no_marketing,
        "no_marketing_reason": contact.no_marketing_reason,
        "active": contact.active,
        **{name: getattr(contact.own_address, name) for name in ADDRESS},
    }
