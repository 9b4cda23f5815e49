"""Create companies and give people seats in them."""

from __future__ import annotations

from django.db import transaction

from lockstep.apps.accounts.models import Company, Seat, User
from lockstep.apps.accounts.permissions import Actor, Permission, Role
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

    Without a password the user can't sign in until one is set. Raises
    `NotPermitted` unless the actor may manage the company.
    """
    actor.require(Permission.MANAGE_COMPANY)
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User.objects.create_user(email, password, first_name=first_name, last_name=last_name)
    seat, _ = Seat.objects.update_or_create(
        company=actor.company, user=user, defaults={"role": role, "own_clients_only": own_clients_only}
    )
    return seat
