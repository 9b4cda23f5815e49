"""Ready to sync? What is looked at before a start, each with what it means and what to do (C2).

`check_audience` asks Mailchimp; `judge` is pure and says what the answers mean.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.connections.asking import ask
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.opening import access_to
from lockstep.apps.connections.services.audiences import find_connection
from lockstep.bridge.account import AccountFacts, AudienceFacts, audience_facts, check_credentials
from lockstep.bridge.audience_fields import FieldsReport, RequiredField, inspect_fields, required_fields
from lockstep.core.consent import NewStatus
from lockstep.core.field_map import FieldMap
from lockstep.mailchimp.api import MailchimpAPI

FREE_PLAN = "forever_free"
USUAL_FIELDS = 30
"""Audience fields that every plan allows (contract 3.3); the true limit is told only when one is made."""


class Verdict(enum.StrEnum):
    GOOD = "good"
    CARE = "care"
    """May be right; a person should know."""
    BAD = "bad"
    """The sync would not work."""
    UNKNOWN = "unknown"


class CheckKind(enum.StrEnum):
    LOGIN = "login"
    ROLE = "role"
    REQUIRED_FIELDS = "required_fields"
    ROOM = "room"
    DOUBLE_OPT_IN = "double_opt_in"
    GDPR = "gdpr"
    WEBHOOK = "webhook"
    PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: one sentence that says what is, one that says what it means or what to do."""

    kind: CheckKind
    verdict: Verdict
    title: str
    text: str
    fields: tuple[RequiredField, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """What Mailchimp told about an account and an audience."""

    account: AccountFacts
    audience: AudienceFacts
    fields: FieldsReport
    required: tuple[RequiredField, ...]


def preflight(actor: Actor, connection: Connection) -> list[Check]:
    """Every check of a connection, in the order of the page; raises as `check_audience` does."""
    actor.require(Permission.MANAGE_COMPANY)
    connection = find_connection(actor, connection.pk)
    return check_audience(
        actor,
        connection.account,
        connection.list_id,
        prefix=connection.prefix,
        new_status=NewStatus(connection.new_status),
    )


def check_audience(
    actor: Actor,
    account: MailchimpAccount,
    list_id: str,
    *,
    prefix: str = "CSKU",
    new_status: NewStatus = NewStatus.SUBSCRIBED,
) -> list[Check]:
    """Every check of an audience that may not have been chosen yet. Asks Mailchimp.

    Raises `NotPermitted`, `NotFound`, `ConnectError`, `core.errors.ConnectionBroken`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    if account.company_id != actor.company.pk or account.disconnected_at is not None:
        raise NotFound("Mailchimp account")
    field_map = FieldMap(prefix)
    answers = ask(access_to(account), lambda api: _ask(api, list_id, field_map))
    return judge(answers, new_status=new_status, reachable=is_reachable(account.api_base))


async def _ask(api: MailchimpAPI, list_id: str, field_map: FieldMap) -> Answers:
    return Answers(
        account=await check_credentials(api),
        audience=await audience_facts(api, list_id),
        fields=await inspect_fields(api, list_id, field_map),
        required=await required_fields(api, list_id, field_map),
    )


def is_reachable(api_base: str) -> bool:
    """Whether Mailchimp could reach this server at its own address.

    Mailchimp can't come to a loopback or private address; a practice Mailchimp on this machine can.
    """
    return _is_local(api_base) or not _is_local(settings.LOCKSTEP_BASE_URL)


def _is_local(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".localhost", ".internal"))


def judge(answers: Answers, *, new_status: NewStatus, reachable: bool) -> list[Check]:
    """What the answers mean. Pure."""
    return [
        _login(answers),
        _role(answers.account),
        _required(answers.required),
        _room(answers.fields),
        *_double_opt_in(answers.audience, new_status),
        *_gdpr(answers.audience),
        _webhook(reachable),
        _plan(answers.account),
    ]


def _login(answers: Answers) -> Check:
    total = answers.audience.total_contacts
    held = f"{total:,} contacts, " if total is not None else ""
    return Check(
        CheckKind.LOGIN,
        Verdict.GOOD,
        "The login works",
        f"{held}{answers.fields.used} audience fields used.",
    )


def _role(account: AccountFacts) -> Check:
    if account.may_write:
        role = f"The role is {account.role.capitalize()}." if account.role else "Mailchimp names no role."
        return Check(CheckKind.ROLE, Verdict.GOOD, "This user may change contacts", role)
    return Check(
        CheckKind.ROLE,
        Verdict.BAD,
        f"The role {account.role.capitalize()} may not change contacts",
        "In Mailchimp, give this user the role Manager or Admin, or connect with another user.",
    )


def _required(required: tuple[RequiredField, ...]) -> Check:
    if not required:
        return Check(
            CheckKind.REQUIRED_FIELDS,
            Verdict.GOOD,
            "No audience field is marked as required",
            "Nothing keeps Mailchimp from taking contacts that lack a field.",
        )
    many = len(required) > 1
    names = _listed([field.name or field.tag for field in required])
    return Check(
        CheckKind.REQUIRED_FIELDS,
        Verdict.CARE,
        f"{len(required)} audience {'fields are' if many else 'field is'} marked as required",
        f"{names}. Mailchimp may refuse contacts that have none.",
        required,
    )


def _room(fields: FieldsReport) -> Check:
    wanted, missing = len(fields.wanted), len(fields.missing)
    if fields.wrong_type:
        tags = _listed([tag for tag, _ in fields.wrong_type])
        return Check(
            CheckKind.ROOM,
            Verdict.BAD,
            f"{tags} is there with another type than text",
            "Rename or delete that field in Mailchimp: a field’s type can never be changed.",
        )
    if not missing:
        return Check(
            CheckKind.ROOM,
            Verdict.GOOD,
            f"All {wanted} of our fields are there",
            "Their labels are set back.",
        )
    if fields.used + missing <= USUAL_FIELDS or (fields.room is not None and fields.room >= missing):
        return Check(
            CheckKind.ROOM,
            Verdict.GOOD,
            f"There is room for {missing} more audience fields",
            f"{fields.used} are used; the start makes our {wanted}.",
        )
    return Check(
        CheckKind.ROOM,
        Verdict.CARE,
        f"{missing} audience fields are needed beside the {fields.used} that are used",
        f"Smaller plans allow {USUAL_FIELDS} in all. If the start stops for want of room, delete fields that "
        "nobody uses in Mailchimp, or take a larger plan.",
    )


def _double_opt_in(audience: AudienceFacts, new_status: NewStatus) -> list[Check]:
    if not audience.double_opt_in or new_status is not NewStatus.SUBSCRIBED:
        return []
    return [
        Check(
            CheckKind.DOUBLE_OPT_IN,
            Verdict.CARE,
            "Double opt-in is on in this audience",
            "It asks people who use the sign-up form, not people whom Lockstep adds. "
            "Choose Pending below if new people should confirm, too.",
        )
    ]


def _gdpr(audience: AudienceFacts) -> list[Check]:
    if not audience.marketing_permissions:
        return []
    return [
        Check(
            CheckKind.GDPR,
            Verdict.CARE,
            "GDPR marketing permissions are on",
            "People whom Lockstep adds have given none of them. Campaigns that ask for one leave them out "
            "until they tick it themselves.",
        )
    ]


def _webhook(reachable: bool) -> Check:
    if reachable:
        return Check(
            CheckKind.WEBHOOK,
            Verdict.GOOD,
            "Mailchimp can reach this server",
            "Its address is a public one, or Mailchimp is on this machine.",
        )
    return Check(
        CheckKind.WEBHOOK,
        Verdict.CARE,
        "Mailchimp can’t reach this server",
        f"{settings.LOCKSTEP_BASE_URL} is known on your network only. Unsubscribes are found by asking "
        "Mailchimp every few minutes instead.",
    )


def _plan(account: AccountFacts) -> Check:
    if account.plan == FREE_PLAN:
        return Check(
            CheckKind.PLAN,
            Verdict.CARE,
            "The free plan takes few contacts",
            f"The account has {account.total_subscribers:,} subscribers. Mailchimp names no limit; look "
            "it up there before adding many.",
        )
    return Check(
        CheckKind.PLAN,
        Verdict.UNKNOWN,
        "How many contacts the plan allows is not known",
        f"Mailchimp does not tell. The account has {account.total_subscribers:,} subscribers; "
        "the dry run shows how many would be added.",
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
