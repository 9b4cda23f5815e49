"""What a bulk edit does to each row: checked against the company, told in words, and as SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import Contact, ListValue, Tag
from lockstep.apps.book.services.choices import check_list_value
from lockstep.apps.book.services.fields import MAX_TAGS, FieldCheck, tag_names

CAN_SET = {
    "client": ("status_id", "industry_id", "rep_id", "active", "deleted"),
    "contact": ("department_id", "active", "no_marketing", "no_marketing_reason", "deleted"),
}
"""What `BulkEdit.sets` may name."""

LIST_KINDS = {
    "status_id": ListValue.Kind.STATUS,
    "industry_id": ListValue.Kind.INDUSTRY,
    "department_id": ListValue.Kind.DEPARTMENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkEdit:
    """What every chosen client (or contact) gets; what isn't named stays as it is.

    `sets` maps names of `CAN_SET` to ids (None for “none”), booleans, and the
    reason's text. `deleted` True deletes, False restores, and stands alone.
    """

    subject: str
    sets: Mapping[str, Any] = field(default_factory=dict)
    add_tags: Sequence[str] = ()
    """Names; new ones are made."""
    remove_tag_ids: Sequence[int] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.sets or self.add_tags or self.remove_tag_ids)

    @property
    def restores(self) -> bool:
        return self.sets.get("deleted") is False

    @property
    def permission(self) -> Permission:
        return Permission.DELETE_BOOK if "deleted" in self.sets else Permission.EDIT_BOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEdit:
    """A bulk edit that the company's lists allow: ids only, as `BulkChange.edit` holds it."""

    subject: str
    sets: dict[str, Any]
    add_tag_ids: list[int]
    remove_tag_ids: list[int]
    words: str
    new_tags: bool = False
    """Whether a tag would be made, so that nobody has it yet."""

    def as_json(self) -> dict[str, Any]:
        return {
            "sets": self.sets,
            "add_tag_ids": self.add_tag_ids,
            "remove_tag_ids": self.remove_tag_ids,
        }

    @classmethod
    def from_json(cls, subject: str, kept: Mapping[str, Any], words: str) -> CheckedEdit:
        return cls(subject=subject, words=words, **kept)


def check_edit(actor: Actor, edit: BulkEdit) -> CheckedEdit:
    """What the edit means in this company; makes no tag.

    Raises `NotPermitted`, or `Invalid` with all fields that are wrong.
    """
    actor.require(edit.permission)
    check = FieldCheck()
    if edit.is_empty:
        check.complain("", "Choose what to change.")
    if "deleted" in edit.sets and (len(edit.sets) > 1 or edit.add_tags or edit.remove_tag_ids):
        check.complain("", "Deleting and restoring stand alone.")
    sets: dict[str, Any] = {}
    words: list[str] = []
    for name, value in edit.sets.items():
        if name not in CAN_SET[edit.subject]:
            check.complain(name, "This can't be changed here.")
            continue
        sets[name], said = _check_value(actor, check, name, value)
        words.append(said)
    if sets.get("no_marketing_reason") and not sets.get("no_marketing"):
        check.complain("no_marketing_reason", "A reason belongs to No Marketing: choose that as well.")
    kind = Tag.Kind(edit.subject)
    names = check.tags(edit.add_tags, "add_tags")
    known = _tags_by_name(actor, kind, names)
    removed = dict(
        Tag.objects.filter(company=actor.company, kind=kind, pk__in=list(edit.remove_tag_ids)).values_list(
            "pk", "name"
        )
    )
    if len(removed) < len(set(edit.remove_tag_ids)):
        check.complain("remove_tag_ids", "Choose one of the tags in the list.")
    if both := {tag_id for tag_id in known.values() if tag_id in removed}:
        check.complain("remove_tag_ids", f"“{removed[min(both)]}” can't be added and taken off at once.")
    check.finish()
    words = [said for said in words if said]
    words += [f"tag “{name}” added" for name in names] + [
        f"tag “{name}” taken off" for name in removed.values()
    ]
    sentence = ", ".join(words)
    return CheckedEdit(
        subject=edit.subject,
        sets=sets,
        add_tag_ids=sorted(known.values()),
        remove_tag_ids=sorted(removed),
        words=(sentence[:1].upper() + sentence[1:])[:500],
        new_tags=len(known) < len(names),
    )


def _check_value(actor: Actor, check: FieldCheck, name: str, value: Any) -> tuple[Any, str]:
    """The value as it is kept, and what is done in words."""
    if name in LIST_KINDS:
        chosen = check_list_value(actor, check, name, LIST_KINDS[name], value, None)
        return (
            value,
            f"{LIST_KINDS[name]} set to “{chosen.name}”" if chosen else f"{LIST_KINDS[name]} emptied",
        )
    if name == "rep_id":
        return value, _check_rep(actor, check, value)
    if name == "no_marketing_reason":
        text = check.texts(Contact, {name: value}, [name])[name]
        return text, ""
    words = {
        "active": ("made active", "made inactive"),
        "no_marketing": ("flagged No Marketing", "No Marketing taken off"),
        "deleted": ("deleted", "restored"),
    }[name]
    return bool(value), words[0] if value else words[1]


def _check_rep(actor: Actor, check: FieldCheck, rep_id: int | None) -> str:
    if actor.own_clients_only:
        check.complain("rep_id", "You see only your own clients, so you can't give them to somebody else.")
    elif rep_id is not None:
        open_seats = Seat.objects.filter(company=actor.company, user_id=rep_id, deactivated_at=None)
        seat = open_seats.select_related("user").first()
        if seat is not None:
            return f"client rep set to {seat.user.full_name}"
        check.complain("rep_id", "Choose one of the people in your company.")
    return "client rep taken off"


def _tags_by_name(actor: Actor, kind: Tag.Kind, names: Sequence[str]) -> dict[str, int]:
    wanted = {name.lower(): name for name in tag_names(names)}
    tags = Tag.objects.filter(company=actor.company, kind=kind).values_list("pk", "name") if wanted else ()
    return {wanted[name.lower()]: pk for pk, name in tags if name.lower() in wanted}


@dataclass(frozen=True, slots=True)
class EditSQL:
    """The edit as SQL about a row `k`; parameters are `edit_parameters`."""

    assigned: dict[str, str]
    """Column → its new value."""
    differs: str
    """Whether the row is not so already."""
    impossible: str
    """Whether the row can't take it."""


def edit_sql(edit: CheckedEdit) -> EditSQL:
    assigned: dict[str, str] = {}
    differs: list[str] = []
    impossible = "false"
    for name in edit.sets:
        match name:
            case "deleted":
                assigned["deleted_at"] = "NULL" if not edit.sets[name] else "%(now)s::timestamptz"
                if not edit.sets[name]:
                    assigned["merged_into_id"] = "NULL"
                    if edit.subject == "contact":
                        impossible = """EXISTS (SELECT FROM book_client c
                            WHERE c.id = k.client_id AND c.deleted_at IS NOT NULL)"""
                differs.append("true")
            case "no_marketing":
                _mark(edit, assigned, differs)
            case "no_marketing_reason":
                pass
            case _:
                assigned[name] = f"%({name})s::{'boolean' if name == 'active' else 'bigint'}"
                differs.append(f"k.{name} IS DISTINCT FROM {assigned[name]}")
    if edit.add_tag_ids or edit.remove_tag_ids:
        assigned["tag_ids"] = """ARRAY(SELECT t FROM unnest(k.tag_ids) WITH ORDINALITY AS h(t, place)
                WHERE t <> ALL(%(minus)s::bigint[]) ORDER BY place)
            || ARRAY(SELECT t FROM unnest(%(plus)s::bigint[]) AS t WHERE t <> ALL(k.tag_ids))"""
        differs.append("NOT k.tag_ids @> %(plus)s::bigint[] OR k.tag_ids && %(minus)s::bigint[]")
        impossible = f"cardinality(k.tag_ids) > {MAX_TAGS} - cardinality(%(plus)s::bigint[])"
    return EditSQL(assigned, "(" + " OR ".join(f"({one})" for one in differs) + ")", f"({impossible})")


def _mark(edit: CheckedEdit, assigned: dict[str, str], differs: list[str]) -> None:
    """As `set_no_marketing`: set again keeps the first date, and the reason unless a new one is given."""
    if not edit.sets["no_marketing"]:
        assigned |= {"no_marketing": "false", "no_marketing_reason": "''", "no_marketing_at": "NULL"}
        differs.append("k.no_marketing")
        return
    given = bool(edit.sets.get("no_marketing_reason"))
    reason = "%(no_marketing_reason)s::text"
    held = "CASE WHEN k.no_marketing THEN k.no_marketing_reason ELSE '' END"
    assigned |= {
        "no_marketing": "true",
        "no_marketing_reason": reason if given else held,
        "no_marketing_at": "coalesce(k.no_marketing_at, %(now)s::timestamptz)",
    }
    differs.append(f"NOT k.no_marketing{f' OR k.no_marketing_reason <> {reason}' if given else ''}")


def edit_parameters(edit: CheckedEdit) -> dict[str, Any]:
    return {
        "no_marketing_reason": "",
        **edit.sets,
        "plus": edit.add_tag_ids,
        "minus": edit.remove_tag_ids,
    }


def require_possible(edit: BulkEdit, count: int) -> None:
    """Raise `Invalid` when nobody is chosen."""
    if count == 0:
        raise Invalid({"": f"No {edit.subject} is chosen."})
