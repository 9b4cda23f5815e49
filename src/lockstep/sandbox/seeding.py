"""Filling the sandbox through the control door: accounts, audiences, and members in bulk."""

from __future__ import annotations

from typing import Any

from .audience import Audience
from .ids import Ids
from .interest import add_category
from .member import STATUSES, Member, hash_of
from .oauth import OAuthApp
from .sandbox import Sandbox
from .subscription import create
from .tag import add_tag

__all__ = ["add_account", "add_audience", "add_members", "generate"]

_FIRST = (
    "Ada Ben Chloé Dara Émile Fatima Gus Hana Iris Jörg Kim Léa Mo Nia Olu Pat Quinn Rosa Søren Tess Uma "
    "Vera Wei Xan Yara Zoë"
).split()
_LAST = (
    "Adams Baker Costa Dubois Evans Fischer García Hughes Ito Jensen Khan Łukasik Moreau Novák O'Brien Park "
    "Quist Rossi Smith Tanaka Ueda Varga Weber Young"
).split()


def add_account(
    sandbox: Sandbox,
    name: str,
    api_key: str | None = None,
    data_centre: str = "us6",
    role: str = "owner",
    oauth_app: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A new account, and with `oauth_app` an application registered beside it. Raises ValueError."""
    account = sandbox.add_account(name, api_key=api_key, data_centre=data_centre, role=role)
    if oauth_app is not None:
        app = OAuthApp(
            oauth_app["client_id"],
            oauth_app["client_secret"],
            oauth_app.get("name", "Lockstep"),
            tuple(oauth_app.get("redirect_uris", ())),
        )
        sandbox.oauth.apps[app.client_id] = app
    return {"id": account.id, "api_key": next(iter(account.credentials)), "data_centre": account.data_centre}


def add_audience(
    sandbox: Sandbox,
    name: str,
    account: str | None = None,
    id: str | None = None,
    merge_fields: list[dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
    compliance: list[str] | None = None,
    too_recent: list[str] | None = None,
    interest_categories: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A new audience in an account (the first one by default).

    `merge_fields` are added to the default ones; `compliance` lists addresses that are refused though nobody
    knows them (trap 20), `too_recent` such that signed up to a lot of lists (trap 27).
    """
    owner = sandbox.accounts[account] if account else next(iter(sandbox.accounts.values()))
    audience = sandbox.add_audience(owner, name, id=id, settings=settings)
    for field in merge_fields or ():
        known = audience.merge_field(field["tag"])
        if known is not None:
            audience.remove_merge_field(known)
        audience.add_merge_field(**field)
    for category in interest_categories or ():
        add_category(
            audience,
            category["title"],
            category.get("interests", []),
            sandbox.ids,
            type_=category.get("type", "checkboxes"),
        )
    audience.barred |= {hash_of(address) for address in compliance or ()}
    audience.too_recent |= {hash_of(address) for address in too_recent or ()}
    return {"id": audience.id, "account": owner.id, "web_id": audience.web_id}


def add_members(
    sandbox: Sandbox,
    audience: str,
    members: list[dict[str, Any]] | None = None,
    generate: int = 0,
    seed: int = 1,
    domain: str = "people.example",
) -> dict[str, Any]:
    """Members as given, and `generate` made-up ones. Rules of the API about addresses do not apply.

    A given member is a body of the API with `status` (also `archived`), and may say `set_by` (api, admin,
    person, bounce, complaint) and `last_changed` in seconds. Raises ValueError for an address that is there
    already.
    """
    found = sandbox.find_audience(audience)
    if found is None:
        raise ValueError(f"there is no audience {audience}")
    account, held = found
    for body in members or ():
        _add(sandbox, held, body, sandbox.doing(account, label="Admin Add", source="admin", set_by="admin"))
    if generate:
        _generate(sandbox, held, generate, seed, domain)
    return {"audience": audience, "members": len(held)}


def _add(sandbox: Sandbox, audience: Audience, body: dict[str, Any], doing: Any) -> Member:
    status = body.get("status", "subscribed")
    if status not in (*STATUSES, "archived"):
        raise ValueError(f"there is no status {status!r}")
    address = body["email_address"]
    if audience.get(hash_of(address)) is not None:
        raise ValueError(f"{address} is in the audience already")
    member = create(audience, address, "subscribed" if status == "archived" else status, body, doing)
    set_by = body.get("set_by", "admin")
    refusal = set_by if set_by in ("person", "bounce", "complaint") and status != "subscribed" else ""
    changes: dict[str, Any] = {"set_by": set_by, "refusal": refusal, "archived": status == "archived"}
    if refusal == "person":
        changes["unsubscribe_reason"] = body.get("unsubscribe_reason", "None given")
    audience.change(member, int(body.get("last_changed", doing.at)), **changes)
    return member


def _generate(sandbox: Sandbox, audience: Audience, count: int, seed: int, domain: str) -> None:
    ids, at = Ids(seed), sandbox.clock.second()
    columns = dict(audience.columns)
    width = max(columns.values(), default=-1) + 1
    tag = audience.tag_named("generated", sandbox.ids, at).id
    start = len(audience)
    for number in range(start, start + count):
        first = _FIRST[int(ids.chance() * len(_FIRST))]
        last = _LAST[int(ids.chance() * len(_LAST))]
        email = f"person{number}@{domain}"
        values = [""] * width
        for name, value in (("FNAME", first), ("LNAME", last)):
            if name in columns:
                values[columns[name]] = value
        member = Member(
            serial=sandbox.ids.number(), email=email, id=hash_of(email), status="subscribed", set_by="admin",
            last_changed=at, values=tuple(values), timestamp_opt=at, source="Admin Add",
        )  # fmt: skip
        add_tag(member, tag, at)
        audience.add(member)


def generate(
    sandbox: Sandbox, audience: Audience, count: int, *, seed: int = 1, domain: str = "people.example"
) -> None:
    """`count` made-up subscribers, the same for the same seed and starting point."""
    _generate(sandbox, audience, count, seed, domain)
