"""``lockstep user``: let people in, keep them out, help them back in."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockstep.cli.choosing import add_company_option, company_named
from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

if TYPE_CHECKING:
    from lockstep.apps.accounts.models import Company, Seat, User

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """List, create, deactivate or let in users of a company, make Admins, print a link for a new password."""
    parser = argparse.ArgumentParser(prog="lockstep user", description="The people who sign in.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    described = {
        "list": "tell who has a seat in a company",
        "create": "give somebody a seat and print a link with which they choose a password",
        "deactivate": "keep somebody out of the company",
        "reactivate": "let somebody in again",
        "make-admin": "make somebody an Admin of the company",
        "reset-link": "print a link with which somebody chooses a new password",
    }
    for verb, words in described.items():
        one = verbs.add_parser(verb, help=words)
        if verb != "list":
            one.add_argument("email")
        if verb != "reset-link":
            add_company_option(one)
        if verb == "create":
            one.add_argument(
                "--role", default="sales", choices=["admin", "manager", "sales", "limited", "read_only"]
            )
            one.add_argument("--first-name", default="")
            one.add_argument("--last-name", default="")
        one.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    set_up_django()

    from lockstep.apps.accounts.errors import Refused
    from lockstep.apps.accounts.services import account_of

    try:
        if options.verb == "reset-link":
            user = account_of(options.email)
            if user is None or not user.is_active:
                raise Failure("nobody signs in with this address.")
            _say(
                options.json,
                {"link": _reset_link(user)},
                f"This link sets a new password once:\n{_reset_link(user)}",
            )
            return 0
        company = company_named(options.company)
        if options.verb == "list":
            _list(company, options.json)
        elif options.verb == "create":
            _create(company, options)
        else:
            seat = _change(company, options.email, options.verb)
            _say(options.json, _row(seat), f"{seat.user.email}: {_words(seat)} in {company.name}.")
    except Refused as refusal:
        raise Failure(str(refusal)) from refusal
    return 0


def _create(company: Company, options: argparse.Namespace) -> None:
    from django.core.exceptions import ValidationError
    from django.core.validators import validate_email

    from lockstep.apps.accounts.models import Seat
    from lockstep.apps.accounts.permissions import Actor, Role
    from lockstep.apps.accounts.services import add_user

    email = options.email.strip()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Failure(f"{email} is not an e-mail address.") from error
    if Seat.objects.filter(company=company, user__email__iexact=email).exists():
        raise Failure("somebody with this address has a seat here already.")
    seat = add_user(
        Actor.lockstep(company),
        email=email,
        role=Role(options.role),
        first_name=options.first_name,
        last_name=options.last_name,
    )
    if seat.user.has_usable_password():
        _say(options.json, _row(seat), f"{email} has a seat in {company.name} now and signs in as before.")
        return
    link = _reset_link(seat.user)
    _say(
        options.json,
        {**_row(seat), "link": link},
        f"{email} has a seat in {company.name}. With this link they choose a password:\n{link}",
    )


def _change(company: Company, email: str, verb: str) -> Seat:
    from lockstep.apps.accounts.models import Seat
    from lockstep.apps.accounts.permissions import Actor, Role
    from lockstep.apps.accounts.services import change_seat, deactivate_seat, reactivate_seat

    seat = Seat.objects.filter(company=company, user__email__iexact=email.strip()).first()
    if seat is None:
        raise Failure(f"nobody with this address has a seat in {company.name}.")
    actor = Actor.lockstep(company)
    if verb == "deactivate":
        return deactivate_seat(actor, seat_id=seat.pk)
    if verb == "reactivate":
        return reactivate_seat(actor, seat_id=seat.pk)
    return change_seat(actor, seat_id=seat.pk, role=Role.ADMIN, own_clients_only=False)


def _list(company: Company, as_json: bool) -> None:
    from lockstep.apps.accounts.models import Seat

    seats = list(Seat.objects.filter(company=company).select_related("user").order_by("id"))
    if as_json:
        print(json.dumps([_row(seat) for seat in seats], indent=2))
        return
    for seat in seats:
        print(f"{seat.user.email:<40} {seat.user.full_name:<30} {_words(seat)}")


def _row(seat: Seat) -> dict[str, object]:
    return {
        "email": seat.user.email,
        "name": seat.user.full_name,
        "role": str(seat.role),
        "active": seat.deactivated_at is None,
    }


def _words(seat: Seat) -> str:
    return f"{seat.role}{'' if seat.deactivated_at is None else ', deactivated'}"


def _reset_link(user: User) -> str:
    from allauth.account.forms import default_token_generator
    from allauth.account.utils import user_pk_to_url_str
    from django.conf import settings
    from django.urls import reverse

    key = default_token_generator.make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return f"{settings.LOCKSTEP_BASE_URL}{path}"


def _say(as_json: bool, row: dict[str, object], words: str) -> None:
    print(json.dumps(row, indent=2) if as_json else words)
