"""``lockstep company``: what the person who runs the installation does about companies and sign-ins."""

import argparse
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

if TYPE_CHECKING:
    from lockstep.apps.accounts.models import Company

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """List companies, add one, or help somebody back in."""
    parser = argparse.ArgumentParser(
        prog="lockstep company",
        description="One installation serves many companies; nothing of one is visible to another.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    listing = verbs.add_parser("list", help="tell which companies there are")
    listing.add_argument("--json", action="store_true", help="for programs")
    adding = verbs.add_parser("add", help="add a company and invite its first Admin")
    adding.add_argument("name", help="the company's name")
    adding.add_argument("--admin", metavar="EMAIL", required=True, help="whom to invite as its Admin")
    inviting = verbs.add_parser("invite-admin", help="invite another Admin, where none can come in any more")
    inviting.add_argument("company", type=int, help="the company's number, as list tells it")
    inviting.add_argument("email")
    removing = verbs.add_parser(
        "remove-second-factor", help="take the second factor off somebody who lost it, in all companies"
    )
    removing.add_argument("email")
    options = parser.parse_args(arguments)
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    set_up_django()
    match options.verb:
        case "list":
            _list(as_json=options.json)
        case "add":
            _add(options.name, options.admin)
        case "invite-admin":
            _invite(_company(options.company), options.email)
        case "remove-second-factor":
            _remove_second_factor(options.email)
    return 0


def _list(*, as_json: bool) -> None:
    from django.db.models import Count, Q

    from lockstep.apps.accounts.models import Company

    people = Count("seats", filter=Q(seats__deactivated_at=None))
    found = list(Company.objects.annotate(people=people).order_by("id").values("pk", "name", "people"))
    if as_json:
        print(json.dumps([{"id": c["pk"], "name": c["name"], "users": c["people"]} for c in found], indent=2))
        return
    for company in found:
        print(f"{company['pk']:>6}  {company['name']}  ({company['people']} users)")


def _company(number: int) -> "Company":
    from lockstep.apps.accounts.models import Company

    company = Company.objects.filter(pk=number).first()
    if company is None:
        raise Failure(f"there is no company {number}; lockstep company list tells which there are.")
    return company


def _add(name: str, admin: str) -> None:
    from django.db import transaction

    from lockstep.apps.accounts.services import create_company

    name = " ".join(name.split())
    if not 0 < len(name) <= 200:
        raise Failure("a company's name has 1 to 200 characters.")
    with transaction.atomic():  # without somebody to invite, no company
        company = create_company(name=name)
        _invite(company, admin)
    print(f"Added the company {name}, number {company.pk}.")


def _invite(company: "Company", email: str) -> None:
    """Send the mail and print the link: at the command line one is trusted with it."""
    from django.conf import settings
    from django.urls import reverse

    from lockstep.apps.accounts.errors import MailNotSent, Refused
    from lockstep.apps.accounts.permissions import Actor, Role
    from lockstep.apps.accounts.services import invite

    links = []

    def address_of(token: str) -> str:
        links.append(f"{settings.LOCKSTEP_BASE_URL}{reverse('invitation', args=[token])}")
        return links[0]

    try:
        invite(Actor.lockstep(company), email=email, role=Role.ADMIN, address_of=address_of)
    except Refused as refusal:
        raise Failure(str(refusal)) from refusal
    except MailNotSent:
        print("The mail server did not take the mail; hand the link over yourself.")
    print(f"Invited {email} as Admin of {company.name}. The link works once, for 7 days:\n{links[0]}")


def _remove_second_factor(email: str) -> None:
    from lockstep.apps.accounts.services import account_of, remove_second_factor_everywhere

    user = account_of(email)
    if user is None:
        raise Failure("nobody signs in with this address.")
    removed = remove_second_factor_everywhere(user)
    print("The password alone signs in now." if removed else "There was no second factor.")
