"""The practice Mailchimp under observation: what every single write of Lockstep did to people (P1, P2).

Judged at the server, from the inside, request by request: what was sent is of no interest here, only what it
did. The canary test is the one thing that may set a status, and only on its own address.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.bridge.canary import CANARY_TAG
from lockstep.core.consent import NewStatus
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import AddressKey, address_key
from lockstep.core.member import MemberStatus
from lockstep.core.tags import TagRule
from lockstep.core.testing import new_members_as_chosen
from lockstep.sandbox.api import Api, Reply, Request
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.faults import Fault
from lockstep.sandbox.problems import NOT_VALIDATED
from lockstep.sandbox.routes import COLLECTIONS
from lockstep.sandbox.sandbox import Sandbox

STALE_REFUSALS = ("already in this list", "already a list member", "status is", "Resource Not Found")
"""Words of the sandbox's refusals that only say: not as you think. They excuse nothing."""


BY_HAND = ("Theirs", "CSKU by hand")
"""Tags that only the marketer puts on members; the second stands under our prefix."""


@dataclass(frozen=True, slots=True)
class _Person:
    """What of a member is not ours to change."""

    email: str
    status: str
    archived: bool
    theirs: tuple[object, ...]
    tags: tuple[int, ...]
    """Those that are not ours to change."""


@dataclass(slots=True)
class Watch:
    """What was seen. `broken` are broken promises, in sentences."""

    audience: Audience
    field_map: FieldMap
    new_status: NewStatus
    tag_rule: TagRule | None = None
    seen: Counter[str] = field(default_factory=Counter)
    poison: set[AddressKey] = field(default_factory=set)
    """Addresses for which Mailchimp refuses a whole call."""
    broken: list[str] = field(default_factory=list)
    refused: set[AddressKey] = field(default_factory=set)
    """Addresses that Mailchimp refused by name, as new, invalid or unwelcome."""
    writes: int = 0
    """Writes that changed something or could have."""
    ever: set[AddressKey] = field(default_factory=set)
    """Addresses at which anybody ever was in the audience."""
    made: dict[int, str] = field(default_factory=dict)
    """Members that we made: serial, status then."""

    def note_who_is_there(self) -> None:
        self.ever.update(address_key(member.email) for member in self.audience)

    def people(self) -> dict[int, _Person]:
        ours = set(self.field_map.tags)
        columns = [column for tag, column in self.audience.columns if tag not in ours]
        return {
            member.serial: _Person(
                member.email,
                member.status,
                member.archived,
                tuple(member.values[c] if c < len(member.values) else "" for c in columns),
                tuple(tag for tag, _ in member.tags if not self._may_write(tag)),
            )
            for member in self.audience
        }

    def _may_write(self, tag: int) -> bool:
        """Whether a tag is under our prefix and no marketer's."""
        name = self.audience.tags.by_id[tag].name
        return self.tag_rule is not None and name not in BY_HAND and bool(self.tag_rule.ours([name]))

    def judge(self, request: Request, before: Mapping[int, _Person]) -> None:
        after = self.people()
        self.note_who_is_there()
        for serial, was in before.items():
            now = after.get(serial)
            if now is None:
                self.broken.append(f"P2: {was.email} was deleted from the audience by us.")
                continue
            if _is_canary(was.email):
                continue
            if now.status != was.status:
                self.broken.append(f"P1: we changed the status of {was.email}: {was.status} to {now.status}.")
            if now.archived is not was.archived and not (request.method == "DELETE" and serial in self.made):
                self.broken.append(f"P1: we {'' if now.archived else 'un'}archived {was.email}.")
            if now.theirs != was.theirs:
                self.broken.append(f"P2: we changed a field of {was.email} that is not ours.")
            if now.tags != was.tags:
                self.broken.append(f"P2: we changed the tags of {was.email}.")
        for serial, now in after.items():
            if serial in before or _is_canary(now.email):
                continue
            self.made[serial] = now.status
            status = [(address_key(now.email), MemberStatus(now.status))]
            self.broken += new_members_as_chosen(status, self.new_status)
            if any(now.theirs) or now.tags:
                self.broken.append(f"P2: we gave {now.email} fields or tags that are not ours.")

    def note_refusals(self, request: Request, document: Mapping[str, Any], status: int) -> None:
        """Whom Mailchimp refused by name: in the errors of a batch, or alone."""
        if status == 200:
            for item in document.get("errors") or ():
                self._note(item.get("email_address", ""), f"{item.get('error')} {item.get('field_message')}")
        elif status == 400 and request.method in ("PUT", "PATCH"):
            words = f"{document.get('detail')} {document.get('errors')}"
            sent = str(_body(request).get("email_address", ""))
            member = self.audience.find(request.path.rpartition("/")[2])
            self._note(sent, words)
            if member is not None:
                self._note(member.email, words)

    def _note(self, email: str, words: str) -> None:
        if email and not any(stale in words for stale in STALE_REFUSALS):
            self.refused.add(address_key(email.strip("'\"")))

    def is_poisoned(self, request: Request) -> bool:
        if not self.poison or request.method == "GET":
            return False
        items = _body(request).get("members")
        addresses: Iterable[Any] = (
            (item.get("email_address") for item in items) if items else [_body(request).get("email_address")]
        )
        return any(address_key(str(address)) in self.poison for address in addresses if address)


class WatchedApi(Api):
    """The sandbox's API, with somebody who looks at the audience before and after every write.

    `watches` are those of the audiences, by id.
    """

    def __init__(
        self, sandbox: Sandbox, watches: Mapping[str, Watch], note_write: Callable[[], None]
    ) -> None:
        super().__init__(sandbox, COLLECTIONS)
        self._watches = watches
        self._note_write = note_write

    def answer(self, request: Request, request_id: str, faults: tuple[Fault, ...] = ()) -> Reply:
        watch = self._watches.get(request.path.removeprefix("/lists/").partition("/")[0])
        if request.method == "GET" or watch is None:
            return super().answer(request, request_id, faults)
        if "/members" in request.path or request.path.count("/") == 2:
            watch.writes += 1
        if watch.is_poisoned(request):
            watch.seen["call refused as a whole"] += 1
            reply = Reply(400, _refused_whole(request_id), {"Content-Type": "application/problem+json"})
        else:
            before = watch.people()
            reply = super().answer(request, request_id, faults)
            watch.judge(request, before)
        if isinstance(reply.document, dict):
            watch.note_refusals(request, reply.document, reply.status)
        self._note_write()
        return reply


def _refused_whole(request_id: str) -> dict[str, object]:
    """What Mailchimp answers when it does not like the request as such (contract 5)."""
    return {
        "type": "https://mailchimp.com/developer/marketing/docs/errors/",
        "title": "Invalid Resource",
        "status": 400,
        "detail": NOT_VALIDATED,
        "instance": request_id,
        "errors": [{"field": "", "message": "Schema describes object, NULL found instead"}],
    }


def _is_canary(email: str) -> bool:
    return CANARY_TAG in email


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
