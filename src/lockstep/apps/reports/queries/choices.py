"""What the report's filters offer, each with how many contacts have it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.tallies import CONTACT, Clause, Facet, numbers_of, read_sheet

_KINDS = ("status", "industry", "department", "rep", "client_tag", "tag", "state", "country")


@dataclass(frozen=True, slots=True)
class Offer:
    """`value` is '0' for none given; of states and countries it is the text itself."""

    value: str
    name: str
    number: int
    glyph: str = ""


def offers(actor: Actor) -> dict[str, list[Offer]]:
    """By kind; five queries. What is retired, or nobody's rep any more, is offered while somebody has it."""
    actor.require(Permission.VIEW_BOOK)
    numbers = _numbers(actor)
    found: dict[str, list[Offer]] = {kind: [] for kind in _KINDS}
    values = ListValue.objects.filter(company=actor.company).order_by("position", "id")
    for value in values:
        number = numbers[value.kind, str(value.pk)]
        if number or not value.retired:
            found[value.kind].append(Offer(str(value.pk), value.name, number, value.glyph))
    tags = Tag.objects.filter(company=actor.company)
    for tag in sorted(tags, key=lambda tag: (tag.name.lower(), tag.pk)):
        kind = "client_tag" if tag.kind == Tag.Kind.CLIENT else "tag"
        found[kind].append(Offer(str(tag.pk), tag.name, numbers[kind, str(tag.pk)]))
    seats = Seat.objects.filter(company=actor.company).select_related("user")
    if actor.own_clients_only:
        seats = seats.filter(user=actor.user)
    people = [(seat.user.full_name, str(seat.user_id)) for seat in seats]
    found["rep"] = [Offer(pk, name, numbers["rep", pk]) for name, pk in sorted(people)]
    for kind, none in _NONES.items():
        if numbers[kind, "0"]:
            found[kind].append(Offer("0", none, numbers[kind, "0"]))
    for kind in ("state", "country"):
        texts = sorted(value for of, value in numbers if of == kind and numbers[of, value])
        found[kind] = [Offer(text or "0", text or "Not given", numbers[kind, text]) for text in texts]
        found[kind].sort(key=lambda offer: offer.value == "0")
    return found


_NONES = {
    "status": "No status",
    "industry": "No industry",
    "department": "No department",
    "rep": "No rep",
    "client_tag": "No tags",
    "tag": "No tags",
}


def _numbers(actor: Actor) -> Counter[Facet]:
    within = [Clause.of("rep", [actor.user.pk if actor.user else None])] if actor.own_clients_only else []
    numbers = numbers_of(actor.company.pk, CONTACT, _KINDS, within)
    if numbers is not None:
        return numbers
    sheet = read_sheet(actor.company.pk, CONTACT, kinds=_KINDS)
    among = sheet.fitting(within)
    return Counter({facet: (bits & among).bit_count() for facet, bits in sheet.bits.items()})
