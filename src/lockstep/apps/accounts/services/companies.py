"""Create companies and give people seats in them."""

from __future__ import annotations

from zoneinfo import available_timezones

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.errors import Refused
from lockstep.apps.accounts.models import Company, Seat, User
from lockstep.apps.accounts.permissions import ROLE_LABELS, Actor, Permission, Role
from lockstep.apps.accounts.services.noting import changed, note, yes_no
from lockstep.apps.accounts.services.roles import check_not_above
from lockstep.apps.accounts.services.seats import check_place
from lockstep.apps.accounts.signals import company_created


@transaction.atomic
def create_company(*, name: str) -> Company:
    """Create a company with nobody in it; other apps add what a company starts with (`company_created`)."""
    company = Company.objects.create(name=name)
    company_created.send(sender=Company, company=company)
    return company


@transaction.atomic
def create_first_company(
    *, name: str, email: str, password: str, first_name: str = "", last_name: str = ""
) -> tuple[Company, User]:
    """Create a company and its first admin; where they exist already, return them unchanged.

    Safe to call at every start. Existing means: some company exists. Then the
    oldest company and its oldest admin are returned, and nothing is written,
    the password included.
    """
    company = Company.objects.order_by("id").first()
    if company is not None:
        seat = company.seats.filter(role=Role.ADMIN).select_related("user").order_by("id").first()
        if seat is not None:
            return company, seat.user
    else:
        company = create_company(name=name)
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email, password, first_name=first_name, last_name=last_name)
    Seat.objects.get_or_create(company=company, user=user, defaults={"role": Role.ADMIN})
    return company, user


@transaction.atomic
def add_user(
    actor: Actor,
    *,
    email: str,
    role: Role,
    password: str | None = None,
    first_name: str = "",
    last_name: str = "",
    own_clients_only: bool = False,
) -> Seat:
    """Give a person a seat in the actor's company, creating the user where needed.

    For commands: people on pages are invited instead, so that nobody gets an
    account for an address that is not theirs. Without a password the user
    can't sign in until one is set by mail. Raises `NotPermitted` unless the
    actor may manage the company, and `Refused` for an Admin limited to own
    clients or a role above the actor's.
    """
    actor.require(Permission.MANAGE_COMPANY)
    check_place(role, own_clients_only=own_clients_only)
    check_not_above(actor, actor.company.permissions_of(role), "role")
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email, password, first_name=first_name, last_name=last_name)
    seat, _ = Seat.objects.update_or_create(
        company=actor.company, user=user, defaults={"role": role, "own_clients_only": own_clients_only}
    )
    return seat


@transaction.atomic
def save_company(
    actor: Actor,
    *,
    name: str,
    time_zone: str,
    default_country: str,
    default_role: Role,
    require_second_factor: bool,
) -> Company:
    """Name, time zone ('' for the installation's) and defaults of the actor's company.

    Raises `NotPermitted`, and `Refused` for an empty name or an unknown time zone.
    """
    actor.require(Permission.MANAGE_COMPANY)
    wrong = {}
    name, default_country = " ".join(name.split()), " ".join(default_country.split())
    if not name:
        wrong["name"] = "Give the company a name."
    if len(name) > 200:
        wrong["name"] = "Use at most 200 characters."
    if len(default_country) > 100:
        wrong["default_country"] = "Use at most 100 characters."
    if time_zone and time_zone not in available_timezones():
        wrong["time_zone"] = "Choose one of the time zones in the list."
    if wrong:
        raise Refused(wrong)
    company = Company.objects.select_for_update().get(pk=actor.company.pk)
    changes = changed(
        {
            "name": company.name,
            "time_zone": company.time_zone,
            "default_country": company.default_country,
            "default_role": ROLE_LABELS[Role(company.default_role)],
            "require_second_factor": yes_no(company.require_second_factor),
        },
        {
            "name": name,
            "time_zone": time_zone,
            "default_country": default_country,
            "default_role": ROLE_LABELS[default_role],
            "require_second_factor": yes_no(require_second_factor),
        },
    )
    if changes:
        company.name, company.time_zone, company.default_country = name, time_zone, default_country
        company.default_role, company.require_second_factor = default_role, require_second_factor
        company.save(update_fields=list(changes))
        note(
            actor,
            subject="company",
            subject_id=company.pk,
            label=name,
            action="changed",
            changes=changes,
            at=timezone.now(),
        )
    return company
