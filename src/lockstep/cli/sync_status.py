"""``lockstep status`` and ``lockstep why``."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any

from lockstep.cli.choosing import add_company_option, company_named
from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["status", "why"]


def status(arguments: Sequence[str]) -> int:
    """How every sync stands; the exit code is 1 where one is paused and needs a person."""
    parser = argparse.ArgumentParser(prog="lockstep status", description="Tell how every sync stands.")
    add_company_option(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    _begin()
    found = [_standing(company) for company in _companies(options.company)]
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n\n".join(_table(company) for company in found))
    return 1 if any(sync["trouble"] for company in found for sync in company["syncs"]) else 0


def _companies(wanted: str | None) -> list[Any]:
    from lockstep.apps.accounts.models import Company

    return [company_named(wanted)] if wanted is not None else list(Company.objects.order_by("id"))


def _standing(company: Any) -> dict[str, Any]:
    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.sync.queries import run_progress, state_counts, visible_connections

    syncs = []
    for connection in visible_connections(Actor.lockstep(company)):
        progress = run_progress(connection, latest=0)
        syncs.append(
            {
                "id": connection.pk,
                "audience": connection.list_name,
                "mode": connection.mode,
                "trouble": connection.broken_text or connection.account.broken_text,
                "counts": {state.value: number for state, number in state_counts(connection).items()},
                "run": progress
                and {
                    "kind": progress.run.kind,
                    "state": progress.run.state,
                    "done": progress.done,
                    "total": progress.total,
                },
            }
        )
    return {"id": company.pk, "company": company.name, "syncs": syncs}


def _table(company: dict[str, Any]) -> str:
    lines = [f"{company['company']} (company {company['id']})"]
    if not company["syncs"]:
        lines.append("  no audience was chosen yet")
    for sync in company["syncs"]:
        counts = sync["counts"]
        lines.append(f"  {sync['audience']} (sync {sync['id']}): {sync['mode']}")
        parts = " + ".join(f"{number:,} {state}" for state, number in counts.items())
        lines.append(f"    {sum(counts.values()):,} fit = {parts}")
        if sync["run"]:
            run = sync["run"]
            lines.append(f"    {run['kind']} run, {run['state']}: {run['done']:,} of {run['total']:,}")
        if sync["trouble"]:
            lines.append(f"    PAUSED: {sync['trouble']}")
    return "\n".join(lines)


def why(arguments: Sequence[str]) -> int:
    """Why somebody is, or is not, in Mailchimp: one answer for each contact of the address."""
    parser = argparse.ArgumentParser(
        prog="lockstep why", description="Tell why somebody is, or is not, in Mailchimp."
    )
    parser.add_argument("email", help="the e-mail address, in any case")
    add_company_option(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    _begin()

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.book.queries.scope import contacts_of
    from lockstep.web.book.marketing import marketing_of

    company = company_named(options.company)
    actor = Actor.lockstep(company)
    key = options.email.strip().lower()
    contacts = contacts_of(actor, deleted=None).filter(email_key=key).select_related("client")
    found = []
    for contact in contacts.order_by("id")[:50]:
        marketing = marketing_of(actor, contact)
        sync = marketing.sync if marketing else None
        found.append(
            {
                "contact": contact.pk,
                "name": contact.full_name,
                "client": contact.client.name,
                "reason": sync.reason.value if sync else "",
                "state": sync.state.value if sync and sync.state else "",
                "status": sync.status.value if sync and sync.status else "",
                "refusal": sync.refusal_text if sync else "",
                "why": marketing.words if marketing else "No audience was chosen yet.",
            }
        )
    if not found:
        raise Failure(f"nobody in the book of {company.name} has the address {options.email}.")
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for one in found:
        print(f"{one['name'] or options.email}, {one['client']} (contact {one['contact']})")
        print(f"  {one['why']}")
        if one["refusal"] and one["state"] == "failed":
            print(f"  Mailchimp's words: {one['refusal']}")
        if one["status"]:
            print(f"  Marketing status in Mailchimp: {one['status']}")
    return 0


def _begin() -> None:
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    set_up_django()
