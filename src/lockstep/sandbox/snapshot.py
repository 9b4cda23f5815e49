"""The snapshot file: everything the sandbox holds, as JSON lines, so that it outlives the process.

One line for the whole, one for each audience, one for each thousand members. Resource modules take part when
what they keep in `Sandbox.store` has `dump() -> JSON` and `load(data) -> None`. What happened since the
snapshot is in the `journal` beside it; each belongs to one snapshot, by its number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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

__all__ = ["BadSnapshot", "audience_line", "head_line", "journal_of", "load", "member_row", "save"]

_VERSION = 1
_CHUNK = 1000
_MEMBER_FIELDS = tuple(one.name for one in dataclasses.fields(Member))
_SERIAL = _MEMBER_FIELDS.index("serial")
_AUDIENCE_PLAIN = ("id", "name", "web_id", "created", "salt", "web_id_base", "settings", "permission_texts")
_AUDIENCE_SETS = ("forgotten", "barred", "too_recent")


class BadSnapshot(ValueError):
    """The file is not a snapshot that this version can read; the message says why."""


def journal_of(path: Path) -> Path:
    """The file of what happened since the snapshot at `path`."""
    return path.with_name(path.name + ".journal")


def save(sandbox: Sandbox, path: Path, *, number: int = 0) -> None:
    """Write everything to `path`; the old file stays until the new one is whole.

    `number` is what a journal names that goes on from this snapshot; 0 where none does.
    """
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        for line in _lines(sandbox, number):
            file.write(encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def load(sandbox: Sandbox, path: Path) -> None:
    """Replace what `sandbox` holds by what `path` and its journal hold. Raises BadSnapshot, OSError."""
    with path.open("rb") as file:
        try:
            head = json.loads(file.readline())
            if head.get("version") != _VERSION:
                raise BadSnapshot(f"{path} is no snapshot of version {_VERSION}")
            saved = _Saved(head)
            for line in file:
                saved.take(json.loads(line))
            for entry in _entries(journal_of(path), head.get("number", 0)):
                saved.take_entry(entry)
            saved.restore(sandbox)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, BadSnapshot):
                raise
            raise BadSnapshot(f"{path} cannot be read: {error}") from error


def _entries(path: Path, number: int) -> Iterator[dict[str, Any]]:
    """What a journal tells, if it goes on from the snapshot of that number. An entry without its end was
    being written when the process was killed: nobody had its answer."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        first = file.readline()
        if not number or not first.endswith(b"\n") or json.loads(first).get("after") != number:
            return
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


@dataclass(slots=True)
class _Saved:
    """What the lines of the files come to, the later ones having their way."""

    head: dict[str, Any]
    audiences: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, dict[int, list[Any]]] = field(default_factory=dict)

    def take(self, line: dict[str, Any]) -> None:
        """A line of the snapshot."""
        if "members" in line:
            self._put(line["of"], line["members"])
        else:
            self.audiences[line["audience"]["id"]] = line

    def take_entry(self, entry: dict[str, Any]) -> None:
        """A line of the journal."""
        self.head |= entry["head"]
        for line in entry["audiences"]:
            self.take(line)
        for gone in self.audiences.keys() - set(entry["there"]):
            del self.audiences[gone]
            self.members.pop(gone, None)
        for audience, rows in entry["members"].items():
            self._put(audience, rows)
        for audience, serials in entry["gone"].items():
            for serial in serials:
                self.members.get(audience, {}).pop(serial, None)

    def _put(self, audience: str, rows: Iterable[list[Any]]) -> None:
        self.members.setdefault(audience, {}).update((row[_SERIAL], row) for row in rows)

    def restore(self, sandbox: Sandbox) -> None:
        sandbox.reset(empty=True)
        _restore_head(sandbox, self.head)
        for line in self.audiences.values():
            audience = _restored_audience(sandbox, line["audience"])
            sandbox.accounts[line["account"]].audiences[audience.id] = audience
            for row in self.members.get(audience.id, {}).values():
                audience.take_in(_restored_member(audience, row))


def _lines(sandbox: Sandbox, number: int) -> Iterator[dict[str, Any]]:
    yield {"version": _VERSION, "number": number, **head_line(sandbox)}
    for account in sandbox.accounts.values():
        for audience in account.audiences.values():
            yield audience_line(account, audience)
            members = iter(audience)
            while chunk := list(islice(members, _CHUNK)):
                yield {"members": [member_row(member) for member in chunk], "of": audience.id}


def head_line(sandbox: Sandbox, *, stores: bool = True) -> dict[str, Any]:
    """All but audiences and their members; without `stores` also without what resource modules keep."""
    return {
        "clock": sandbox.clock.dump(),
        "ids": sandbox.ids.dump(),
        "switches": {name: getattr(sandbox.switches, name) for name in sandbox.switches.names()},
        "latency": dataclasses.asdict(sandbox.latency),
        "apps": [dataclasses.asdict(app) for app in sandbox.oauth.apps.values()],
        "accounts": [_account(account) for account in sandbox.accounts.values()],
        **({"stores": sandbox.dump_stores()} if stores else {}),
    }


def audience_line(account: Account, audience: Audience) -> dict[str, Any]:
    """An audience without its members."""
    return {"audience": _audience(audience), "account": account.id}


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


def member_row(member: Member) -> list[Any]:
    """A member as the files hold it."""
    row: list[Any] = [getattr(member, name) for name in _MEMBER_FIELDS]
    for at, name in enumerate(_MEMBER_FIELDS):
        if name in ("interests", "permissions"):
            row[at] = sorted(row[at])
        elif name == "history" and row[at]:
            row[at] = [(entry.at, entry.what, entry.detail) for entry in row[at]]
    return row


def _restore_head(sandbox: Sandbox, head: dict[str, Any]) -> None:
    sandbox.clock.load(head["clock"])
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


def _restored_audience(sandbox: Sandbox, saved: dict[str, Any]) -> Audience:
    audience = Audience(
        saved["id"], saved["name"], web_id=saved["web_id"], created=saved["created"], salt=int(saved["salt"]),
        web_id_base=saved["web_id_base"], events=sandbox.events, settings=saved["settings"],
    )  # fmt: skip
    audience.permission_texts = saved["permission_texts"]
    for name in _AUDIENCE_SETS:
        setattr(audience, name, set(saved[name]))
    for made in saved["merge_fields"]:
        audience.merge_fields[made["merge_id"]] = MergeField(**made)
    audience.refresh_columns()
    audience.set_counters(saved["counters"])
    for tag in saved["tags"]:
        audience.tags.add(Tag(**tag))
    audience.interests = {key: (value[0], value[1]) for key, value in saved["interests"].items()}
    audience.interest_categories = saved["interest_categories"]
    audience.stats = Stats(**saved["stats"])
    return audience


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
