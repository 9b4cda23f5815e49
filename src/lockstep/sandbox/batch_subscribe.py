"""Batch subscribe, `POST /lists/{list_id}`: the rules of contract section 5.

The body as a whole has been checked before (`member_schemas`); here an item fails alone and lands in
`errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import problems
from .audience import Audience
from .member import Member, hash_of
from .problems import Problem
from .subscription import Doing, check_new_address, create, return_archived, update
from .tag import add_tag

__all__ = ["BatchResult", "batch_subscribe"]

JSON = Any


@dataclass(slots=True)
class BatchResult:
    """What became of the items: members made or brought back, members written to, and refusals."""

    created: list[Member] = field(default_factory=list)
    updated: list[Member] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)


def batch_subscribe(
    audience: Audience, body: dict[str, JSON], doing: Doing, *, skip_duplicate_check: bool
) -> BatchResult:
    """Add or update up to 500 members; never raises for an item."""
    result = BatchResult()
    seen: set[str] = set()
    update_existing = bool(body.get("update_existing"))
    sync_tags = bool(body.get("sync_tags"))
    for item in body["members"]:
        address = item.get("email_address") or ""
        key = hash_of(address)
        if key in seen:
            if not skip_duplicate_check:
                # INFERRED: that repeated addresses are refused is known, the text is not (contract, section
                # 5).
                result.errors.append(
                    _error(address, "This email address appears more than once in this request.")
                )
            continue
        seen.add(key)
        try:
            member, is_new = _one(audience, item, address, doing, update_existing)
        except Problem as problem:
            result.errors.append(_refusal(address, problem))
            continue
        (result.created if is_new else result.updated).append(member)
        _tag(audience, member, item.get("tags"), doing, sync_tags)
    return result


def _one(
    audience: Audience, item: dict[str, JSON], address: str, doing: Doing, update_existing: bool
) -> tuple[Member, bool]:
    """The member that came of one item and whether it counts as new. Raises Problem."""
    status, status_if_new = item.get("status"), item.get("status_if_new")
    mode = doing.switches.batch_validator
    if mode == "status_if_new_ignored":
        status, status_if_new = status or "subscribed", None
    elif mode == "status_required":
        status_if_new = None
    body = {name: value for name, value in item.items() if name not in _NOT_WRITTEN}
    member = audience.get(hash_of(address)) if address else None
    if member is None:
        # With both on a new contact status_if_new wins (contract, 4.3).
        first = status_if_new or status
        check_new_address(audience, address, str(first), doing)
        return create(audience, address, str(first), body, doing), True
    if member.archived and status is not None:
        return return_archived(audience, member, status, body, doing, reset_opt_in=True), True
    if not update_existing:
        raise _Exists(address)
    if status == "subscribed" and member.refusal == "person" and doing.switches.batch_compliance == "silent":
        status = None  # stays unsubscribed, and the counts look fine (trap 21)
    written = body if status is None else body | {"status": status}
    return update(audience, member, written, doing, method="PUT"), False


_NOT_WRITTEN = {"email_address", "status", "status_if_new", "tags", "marketing_permissions"}


class _Exists(Problem):
    def __init__(self, address: str) -> None:
        super().__init__(400, "Member Exists", problems.BATCH_EXISTS.format(address=address))


def _refusal(address: str, problem: Problem) -> dict[str, str]:
    if isinstance(problem, _Exists):
        return _error(address, problem.detail, code="ERROR_CONTACT_EXISTS")
    if problem.errors and problem.detail == problems.MERGE_FIELDS_INVALID:
        name, message = problem.errors[0]
        return _error(address, problem.detail, field=name, message=message)
    return _error(address, problem.errors[0][1] if problem.errors else problem.detail)


def _error(
    address: str, text: str, *, code: str = "ERROR_GENERIC", field: str = "", message: str = ""
) -> dict[str, str]:
    return {
        "email_address": address,
        "error": text,
        "error_code": code,
        "field": field,
        "field_message": message,
    }


def _tag(audience: Audience, member: Member, names: list[str] | None, doing: Doing, sync_tags: bool) -> None:
    """`tags` are added; with `sync_tags` the member ends with exactly these (contract, section 5)."""
    if names is None:
        return
    wanted = [audience.tag_named(name.strip(), doing.ids, doing.at).id for name in names if name.strip()]
    if sync_tags:
        member.tags = tuple(entry for entry in member.tags if entry[0] in wanted)
    for tag_id in wanted:
        add_tag(member, tag_id, doing.at)
