"""One audience with the connection that syncs it: what is there, what we remember, and who watches."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.core.field_map import FieldMap
from lockstep.core.tags import TagRule
from lockstep.sandbox.account import Account
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.sandbox import Sandbox
from lockstep.sandbox.subscription import archive, create
from lockstep.simulation.desk import Desk
from lockstep.simulation.events import ADDRESSES
from lockstep.simulation.watch import Watch

FIELD_MAP = FieldMap()
TAG_RULE = TagRule("CSKU ")
_THEIRS = {"FNAME": "Theirs", "LNAME": "Theirs"}
_HOOKS = "https://lockstep.test/hooks/mailchimp/"


@dataclass(frozen=True, slots=True)
class Site:
    """A company may sync several (S13); a history begins with one, and may go over to another."""

    number: int
    audience: Audience
    watch: Watch
    desk: Desk

    @property
    def hook_url(self) -> str:
        return f"{_HOOKS}{self.number}/a-secret-in-the-path"

    @property
    def used(self) -> bool:
        """Whether anybody ever asked for anything here."""
        return bool(self.desk.runs)


def make_audience(
    sandbox: Sandbox, account: Account, name: str, people: tuple[tuple[int, str], ...]
) -> Audience:
    """An audience with our fields, and with people who are there before us."""
    audience = sandbox.add_audience(account, name)
    for tag, label in zip(FIELD_MAP.tags, FIELD_MAP.labels, strict=True):
        audience.add_merge_field(tag=tag, name=label, type="text", public=False)
    for index, status in people:
        doing = sandbox.doing(account, label="Admin Add", source="admin", set_by="admin")
        first = "subscribed" if status == "archived" else status
        create(audience, ADDRESSES[index], first, {"merge_fields": dict(_THEIRS)}, doing)
        if status == "archived":
            archive(audience, ADDRESSES[index], doing)
    return audience
