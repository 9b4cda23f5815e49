"""The snapshot file: everything the sandbox holds, as JSON lines, so that it outlives the process.

One line for the whole, one for each audience, one for each thousand members. Resource modules take part when
what they keep in `Sandbox.store` has `dump() -> JSON` and `load(data) -> None`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from .account import Account, Credential, User
from .audience import Audience, Stats
from .encode import encode
from .member import HistoryEntry, Member
from .merge_field import MergeField
from .oauth import OAuthApp
from .sandbox import Latency, Sandbox
from .tag import Tag

__all__ = ["BadSnapshot", "load", "save"]

_VERSION = 1
_CHUNK = 1000
_MEMBER_FIELDS = tuple(field.name for field in dataclasses.fields(Member))
_AUDIENCE_PLAIN = ("id", "name", "web_id", "created", "salt", "web_id_base", "settings", "permission_texts")
_AUDIENCE_SETS = ("forgotten", "barred", "too_recent")


class BadSnapshot(ValueError):
    """The file is not a snapshot that this version can read; the message says why."""


def save(sandbox: Sandbox, path: Path) -> None:
    """Write everything to `path`; the old file stays until the new one is whole."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        for line in _lines(sandbox):
            file.write(encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def load(sandbox: Sandbox, path: Path) -> None:
    """Replace what `sandbox` holds by what `path` holds. Raises BadSnapshot, OSError."""
    with path.open("rb") as file:
        try:
            head = json.loads(file.readline())
            if head.get("version") != _VERSION:
                raise BadSnapshot(f"{path} is no snapshot of version {_VERSION}")
            sandbox.reset(empty=True)
            _restore_head(sandbox, head)
            audiences: dict[str, Audience] = {}
            for line in file:
                _restore_line(sandbox, audiences, json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, BadSnapshot):
                raise
            raise BadSnapshot(f"{path} cannot be read: {error}") from error


def _lines(sandbox: Sandbox) -> Iterator[dict[str, Any]]:
    yield {
        "version": _VERSION,
        "clock": {"now": sandbox.clock.now(), "rate": sandbox.clock.rate},
        "ids": sandbox.ids.dump(),
        "switches": {name: getattr(sandbox.switches, name) for name in sandbox.switches.names()},
        "latency": dataclasses.asdict(sandbox.latency),
        "apps": [dataclasses.asdict(app) for app in sandbox.oauth.apps.values()],
        "accounts": [_account(account) for account in sandbox.accounts.values()],
        "stores": {name: held.dump() for name, held in sandbox.stores() if hasattr(held, "dump")},
    }
    for account in sandbox.accounts.values():
        for audience in account.audiences.values():
            yield {"audience": _audience(audience), "account": account.id}
            members = iter(audience)
            while chunk := list(islice(members, _CHUNK)):
                yield {"members": [_member(member) for member in chunk], "of": audience.id}


def _account(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "data_centre": account.data_centre,
        "created": account.created,
        "contact": account.contact,
        "extras": account.extras,
        "users": [dataclasses.asdict(user) for user in account.users],
        "credentials": [
            {
                "secret": held.secret,
                "user": held.user.id,
                "client_id": held.client_id,
                "label": held.label,
                "revoked": held.revoked,
            }
            for held in account.credentials.values()
        ],
    }


def _audience(audience: Audience) -> dict[str, Any]:
    return {
        **{name: getattr(audience, name) for name in _AUDIENCE_PLAIN},
        **{name: sorted(getattr(audience, name)) for name in _AUDIENCE_SETS},
        "salt": str(audience.salt),
        "counters": audience.counters(),
        "merge_fields": [dataclasses.asdict(field) for field in audience.merge_fields.values()],
        "tags": [dataclasses.asdict(tag) for tag in audience.tags.by_id.values()],
        "interests": {key: list(value) for key, value in audience.interests.items()},
        "interest_categories": audience.interest_categories,
        "stats": dataclasses.asdict(audience.stats),
    }


def _member(member: Member) -> list[Any]:
    row: list[Any] = [getattr(member, name) for name in _MEMBER_FIELDS]
    for at, name in enumerate(_MEMBER_FIELDS):
        if name in ("interests", "permissions"):
            row[at] = sorted(row[at])
        elif name == "history" and row[at]:
            row[at] = [(entry.at, entry.what, entry.detail) for entry in row[at]]
    return row


def _restore_head(sandbox: Sandbox, head: dict[str, Any]) -> None:
    sandbox.clock.set(head["clock"]["now"])
    sandbox.clock.run(head["clock"]["rate"])
    sandbox.ids.load(head["ids"])
    for name, value in head["switches"].items():
        sandbox.switches.set(name, value)
    sandbox.latency = Latency(**head["latency"])
    for app in head["apps"]:
        sandbox.oauth.apps[app["client_id"]] = OAuthApp(
            **app | {"redirect_uris": tuple(app["redirect_uris"])}
        )
    for saved in head["accounts"]:
        users = [User(**user) for user in saved["users"]]
        account = Account(
            saved["id"], saved["name"], saved["data_centre"], saved["created"], users,
            contact=saved["contact"], extras=saved["extras"],
        )  # fmt: skip
        sandbox.accounts[account.id] = account
        by_id = {user.id: user for user in users}
        for held in saved["credentials"]:
            sandbox.add_credential(account, Credential(**held | {"user": by_id[held["user"]]}))
    sandbox.restore_stores(head["stores"])


def _restore_line(sandbox: Sandbox, audiences: dict[str, Audience], line: dict[str, Any]) -> None:
    if "members" in line:
        audience = audiences[line["of"]]
        for row in line["members"]:
            audience.take_in(_restored_member(audience, row))
        return
    saved = line["audience"]
    audience = Audience(
        saved["id"], saved["name"], web_id=saved["web_id"], created=saved["created"], salt=int(saved["salt"]),
        web_id_base=saved["web_id_base"], events=sandbox.events, settings=saved["settings"],
    )  # fmt: skip
    audience.permission_texts = saved["permission_texts"]
    for name in _AUDIENCE_SETS:
        setattr(audience, name, set(saved[name]))
    for field in saved["merge_fields"]:
        audience.merge_fields[field["merge_id"]] = MergeField(**field)
    audience.refresh_columns()
    audience.set_counters(saved["counters"])
    for tag in saved["tags"]:
        audience.tags.add(Tag(**tag))
    audience.interests = {key: (value[0], value[1]) for key, value in saved["interests"].items()}
    audience.interest_categories = saved["interest_categories"]
    audience.stats = Stats(**saved["stats"])
    sandbox.accounts[line["account"]].audiences[audience.id] = audience
    audiences[audience.id] = audience


def _restored_member(audience: Audience, row: list[Any]) -> Member:
    saved = dict(zip(_MEMBER_FIELDS, row, strict=True))
    saved["values"] = tuple(
        audience.shared(tuple(value) if isinstance(value, list) else value) for value in saved["values"]
    )
    saved["tags"] = tuple((tag_id, at) for tag_id, at in saved["tags"])
    saved["location"] = tuple(saved["location"])
    saved["interests"] = frozenset(saved["interests"])
    saved["permissions"] = frozenset(saved["permissions"])
    if saved["history"]:
        saved["history"] = [HistoryEntry(*entry) for entry in saved["history"]]
    return Member(**saved)
