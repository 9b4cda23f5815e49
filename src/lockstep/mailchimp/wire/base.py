"""What every reply and request has in common, the problem document, and the kinds of value a member holds."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

#: what may be sent as the value of a merge field; null and booleans are refused (contract trap 8)
MergeValue: TypeAlias = str | int | float | dict[str, str]

#: the status of somebody who is new to the audience; `cleaned` is not for us to say
NewStatus: TypeAlias = Literal["subscribed", "unsubscribed", "pending", "transactional"]


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """Base of everything Mailchimp sends. gc=False: plain data, never cyclic, and there are many of them."""


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything we send. Keys left at their default are left out."""


class FieldProblem(Reply, frozen=True, kw_only=True):
    """One of the `errors` of a problem document."""

    field: str = ""
    message: str = ""

    def item_position(self) -> int | None:
        """n for `members.item:<n>.<field>` (contract 4.5), else None."""
        head, _, rest = self.field.partition("members.item:")
        number = rest.partition(".")[0]
        return int(number) if not head and number.isascii() and number.isdigit() and len(number) < 7 else None


class Problem(Reply, frozen=True, kw_only=True):
    """`application/problem+json` (contract 7); `type` is sometimes missing, `instance` sometimes ""."""

    type: str = ""
    title: str = ""
    status: int = 0
    detail: str = ""
    instance: str = ""
    errors: list[FieldProblem] = []
