"""What goes in and out of the calls about the book.

Values go in as they come out: lists, tags and people by their names and
addresses, never by our ids, so that another system needs no table of ours.
What is not given stays as it is.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from lockstep.apps.book.queries import Address, ClientDetails, ContactDetails
from lockstep.apps.book.queries.rows import Named
from lockstep.apps.book.services import Upserted

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
Tags = Annotated[list[Text], Field(max_length=200)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def _in_utc(moment: datetime.datetime) -> datetime.datetime:
    """PostgreSQL takes no offset of 16 hours and more, though the notation has them."""
    try:
        return moment.astimezone(datetime.UTC)
    except OverflowError as error:
        raise ValueError("The moment lies before the year 1 or after 9999.") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Strict(Schema):
    """Input: a name that does not exist is an error, so that a typing mistake is not silently ignored."""

    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """What was sent, by name."""
        return self.model_dump(exclude_unset=True)


class AddressShape(Schema):
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""

    @classmethod
    def of(cls, address: Address) -> AddressShape:
        return cls(
            line1=address.line1,
            line2=address.line2,
            city=address.city,
            state=address.state,
            postal_code=address.postal_code,
            country=address.country,
        )


class AddressInput(Strict):
    line1: Text | None = None
    line2: Text | None = None
    city: Text | None = None
    state: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None


class ClientInput(Strict):
    """A client, or what is to change of one."""

    name: Text | None = Field(None, description="Unique in the company, whatever its case.")
    external_id: Text | None = Field(None, description="Its id in the other system; unique.")
    account_number: Text | None = None
    status: Text | None = Field(None, description="A name of the list `statuses`; empty for none.")
    industry: Text | None = Field(None, description="A name of the list `industries`; empty for none.")
    rep_email: Text | None = Field(None, description="The e-mail address of one of your people.")
    tags: Tags | None = Field(None, description="All of its tags; new ones are made.")
    website: Text | None = None
    phone: Text | None = None
    notes: Text | None = None
    active: bool | None = None
    address: AddressInput | None = Field(None, description="The primary address.")


class ClientItem(ClientInput):
    """A client of a bulk call: found by `external_id`, added where there is none."""

    external_id: ExternalId


class ContactInput(Strict):
    """A contact, or what is to change of one."""

    client_id: Id | None = Field(None, description="The client it belongs to.")
    client_external_id: Text | None = Field(None, description="The same by the client's external id.")
    external_id: Text | None = Field(None, description="Its id in the other system; unique.")
    first_name: Text | None = None
    last_name: Text | None = None
    position: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    extension: Text | None = None
    cell: Text | None = None
    fax: Text | None = None
    department: Text | None = Field(None, description="A name of the list `departments`; empty for none.")
    tags: Tags | None = Field(None, description="All of its tags; new ones are made.")
    address: AddressInput | None = Field(None, description="Its own address; empty means the client's.")
    no_marketing: bool | None = Field(
        None, description="true keeps the person out of all marketing. false needs `lift_no_marketing`."
    )
    no_marketing_reason: Text | None = None
    lift_no_marketing: bool = Field(
        False,
        description="Take No Marketing off where `no_marketing` is false. Only on the person's own word.",
    )
    active: bool | None = None


class ContactItem(ContactInput):
    """A contact of a bulk call: found by `external_id`, added where there is none."""

    external_id: ExternalId


class ClientShape(Schema):
    id: int
    external_id: str
    name: str
    account_number: str
    status: str
    industry: str
    rep_email: str
    tags: list[str]
    website: str
    phone: str
    notes: str
    active: bool
    address: AddressShape
    contacts: int = Field(description="How many contacts it has, deleted ones apart.")
    created_at: datetime.datetime
    updated_at: datetime.datetime
    deleted_at: datetime.datetime | None

    @classmethod
    def of(cls, client: ClientDetails) -> ClientShape:
        return cls(
            id=client.id,
            external_id=client.external_id,
            name=client.name,
            account_number=client.account_number,
            status=_name(client.status),
            industry=_name(client.industry),
            rep_email=client.rep_email,
            tags=[tag.name for tag in client.tags],
            website=client.website,
            phone=client.phone,
            notes=client.notes,
            active=client.active,
            address=AddressShape.of(client.address),
            contacts=client.contacts,
            created_at=client.created_at,
            updated_at=client.updated_at,
            deleted_at=client.deleted_at,
        )


class ContactShape(Schema):
    id: int
    external_id: str
    client_id: int
    client_external_id: str
    client_name: str
    first_name: str
    last_name: str
    position: str
    email: str
    email_valid: bool = Field(description="Whether it could be an e-mail address at all.")
    phone: str
    extension: str
    cell: str
    fax: str
    department: str
    tags: list[str]
    address: AddressShape = Field(description="Its own address; empty where the client's counts.")
    no_marketing: bool
    no_marketing_reason: str
    no_marketing_at: datetime.datetime | None
    active: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime
    deleted_at: datetime.datetime | None

    @classmethod
    def of(cls, contact: ContactDetails) -> ContactShape:
        return cls(
            id=contact.id,
            external_id=contact.external_id,
            client_id=contact.client.id,
            client_external_id=contact.client_external_id,
            client_name=contact.client.name,
            first_name=contact.first_name,
            last_name=contact.last_name,
            position=contact.position,
            email=contact.email,
            email_valid=contact.email_valid,
            phone=contact.phone,
            extension=contact.extension,
            cell=contact.cell,
            fax=contact.fax,
            department=_name(contact.department),
            tags=[tag.name for tag in contact.tags],
            address=AddressShape.of(contact.own_address),
            no_marketing=contact.no_marketing,
            no_marketing_reason=contact.no_marketing_reason,
            no_marketing_at=contact.no_marketing_at,
            active=contact.active,
            created_at=contact.created_at,
            updated_at=contact.updated_at,
            deleted_at=contact.deleted_at,
        )


class PageShape(Schema):
    """`next` is the cursor of the following page, null on the last one."""

    next: str | None
    total: int
    total_is_exact: bool = Field(description="false: there are more than `total`.")


class ClientPage(PageShape):
    items: list[ClientShape]


class ContactPage(PageShape):
    items: list[ContactShape]


class UpsertAnswer(Schema):
    """What an upsert did."""

    id: int
    external_id: str
    result: str = Field(description="`created`, `updated` or `unchanged`.")
    warnings: list[str] = Field(default_factory=list, description="What was left as it is, and why.")

    @classmethod
    def of(cls, done: Upserted, external_id: str) -> UpsertAnswer:
        return cls(id=done.id, external_id=external_id, result=done.result, warnings=list(done.warnings))


class ListWanted(Schema):
    """Which rows, and which page of them."""

    search: Annotated[str, Field(max_length=200, description="Words; all must be found.")] = ""
    active: bool | None = None
    deleted: bool = Field(False, description="Only deleted ones instead of only others.")
    changed_since: Moment | None = Field(None, description="Changed at this moment or after it.")
    sort: Literal["name", "-name", "changed", "-changed"] = "name"
    cursor: Annotated[str, Field(max_length=4_000, description="`next` of the page before.")] = ""
    size: Annotated[int, Field(ge=1, le=200)] = 50


def _name(value: Named | None) -> str:
    return value.name if value else ""
