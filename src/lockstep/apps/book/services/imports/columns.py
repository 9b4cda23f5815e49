"""The columns an import reads and an export writes (B4), and which column of a file is probably which."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `label` is its name in our own files, `synonyms` are others it is known by."""

    key: str
    label: str
    synonyms: tuple[str, ...] = ()
    of_contact: bool = True
    """Whether filling it in says something about a contact rather than about the client."""


COLUMNS: tuple[Column, ...] = (
    Column(
        "client_name",
        "Client Name",
        (
            "client",
            "company",
            "company name",
            "customer",
            "customer name",
            "account",
            "account name",
            "organization",
            "organisation",
            "business name",
            "firm",
        ),
        of_contact=False,
    ),
    Column(
        "account_number",
        "Account Number",
        (
            "account no",
            "account #",
            "acct number",
            "acct no",
            "client number",
            "customer number",
            "account id",
        ),
        of_contact=False,
    ),
    Column("first_name", "Contact First Name", ("first name", "first", "given name", "forename", "fname")),
    Column(
        "last_name",
        "Contact Last Name",
        ("last name", "last", "surname", "family name", "second name", "lname"),
    ),
    Column(
        "email",
        "Contact Email",
        ("email", "e-mail", "email address", "e-mail address", "mail", "work email", "business email"),
    ),
    Column("department", "Department", ("contact department", "dept", "team", "division")),
    Column("position", "Position", ("contact position", "job title", "title", "role", "job", "function")),
    Column(
        "address_name", "Address Name", ("address label", "location name", "address type"), of_contact=False
    ),
    Column(
        "line1",
        "Address Line 1",
        ("address", "address 1", "street", "street address", "street 1", "line 1", "mailing address"),
        of_contact=False,
    ),
    Column("line2", "Address Line 2", ("address 2", "street 2", "line 2", "suite", "unit"), of_contact=False),
    Column("city", "Address City", ("city", "town", "locality"), of_contact=False),
    Column(
        "state",
        "Address State",
        ("state", "province", "state/province", "state province", "region", "county"),
        of_contact=False,
    ),
    Column(
        "postal_code",
        "Address Postal",
        ("postal", "postal code", "postcode", "zip", "zip code", "zip/postal code", "address postal code"),
        of_contact=False,
    ),
    Column("country", "Address Country", ("country", "country/region", "nation"), of_contact=False),
    Column(
        "company_phone",
        "Company Phone",
        ("client phone", "main phone", "office phone", "switchboard", "business phone"),
        of_contact=False,
    ),
    Column(
        "phone", "Contact Phone", ("phone", "phone number", "telephone", "tel", "direct phone", "work phone")
    ),
    Column("cell", "Contact Cell", ("cell", "cell phone", "mobile", "mobile phone", "mobile number")),
    Column("fax", "Contact Fax", ("fax", "fax number")),
    Column(
        "rep_email",
        "Sales Rep Email",
        ("sales rep", "rep email", "rep", "client rep", "account manager", "owner", "owner email"),
        of_contact=False,
    ),
    Column("industry", "Industry", ("client industry", "sector", "vertical", "branch"), of_contact=False),
    Column("status", "Client Status", ("status", "account status", "customer status"), of_contact=False),
    Column("client_tags", "Client Tags", ("company tags", "account tags", "customer tags"), of_contact=False),
    Column("contact_tags", "Contact Tags", ("tags", "labels", "tag")),
    Column(
        "no_marketing",
        "No Marketing",
        (
            "opt out",
            "opted out",
            "do not market",
            "do not email",
            "do not mail",
            "no mailings",
            "unsubscribed",
        ),
    ),
    # Beyond the customary set: what is needed to bring a whole book back as it was.
    Column("extension", "Contact Extension", ("extension", "ext", "phone extension")),
    Column("website", "Client Website", ("website", "web site", "url", "homepage", "web"), of_contact=False),
    Column("active", "Active", ("contact active", "is active", "enabled")),
    Column("external_id", "Contact External ID", ("external id", "contact id", "id", "record id", "crm id")),
    Column("client_external_id", "Client External ID", ("client id", "company id"), of_contact=False),
)

BY_KEY: dict[str, Column] = {column.key: column for column in COLUMNS}

REASON_HEADER = "Why it was refused"
"""The column that the file of refused rows adds; when that file is loaded again, it is left out."""


def _plain(name: str) -> str:
    """A column name as compared: letters and digits, one blank between words."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return " ".join(re.sub(r"[^a-z0-9#/]+", " ", spaced.lower()).split())


_KNOWN: dict[str, str] = {
    _plain(name): column.key for column in reversed(COLUMNS) for name in (column.label, *column.synonyms)
} | {_plain(column.label): column.key for column in COLUMNS}


def guess_mapping(header: Sequence[str]) -> dict[int, str]:
    """From column position to key, for columns of known names; each key once, exact labels first."""
    plain = [_plain(name) for name in header]
    mapping: dict[int, str] = {}
    labels = {_plain(column.label): column.key for column in COLUMNS}
    for known in (labels, _KNOWN):
        for position, name in enumerate(plain):
            key = known.get(name)
            if key and position not in mapping and key not in mapping.values():
                mapping[position] = key
    return dict(sorted(mapping.items()))


def wrong_mapping(mapping: Mapping[int, str], columns_in_file: int) -> str:
    """What is wrong with a mapping, for people; '' if nothing is."""
    keys = list(mapping.values())
    unknown = [key for key in keys if key not in BY_KEY]
    if unknown:
        return f"There is no column “{unknown[0]}”."
    if any(not 0 <= position < columns_in_file for position in mapping):
        return "The file doesn't have that many columns."
    for key in keys:
        if keys.count(key) > 1:
            return f"Two columns go to “{BY_KEY[key].label}”. Choose one of them."
    if not {"client_name", "account_number", "client_external_id"} & set(keys):
        return "Choose the column that holds the client's name."
    return ""
