"""What each kind of event does to the world, and the words for it in a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from lockstep.core.field_map import CONTACT_URL
from lockstep.core.identity import address_key
from lockstep.core.testing import BookContact
from lockstep.sandbox.happenings import happen
from lockstep.sandbox.ids import contact_id
from lockstep.sandbox.member import Member, hash_of
from lockstep.sandbox.subscriber import CannotHappen
from lockstep.sandbox.tag import add_tag, remove_tag
from lockstep.simulation.desk import Mode, RunKind
from lockstep.simulation.events import ADDRESSES, EVERY_ADDRESS, FIELD_FAULTS, Event
from lockstep.simulation.network import Mishap
from lockstep.simulation.site import FIELD_MAP
from lockstep.simulation.watch import BY_HAND
from lockstep.simulation.world import World

T = TypeVar("T")
GROUPS = (None, frozenset({"red"}), frozenset({"blue"}), frozenset({"red", "blue"}))
MOST_CONTACTS = 9
STICKY = 4
"""In how many of ten cases somebody edits again what was edited last: two writes for one member."""
_PATHS = ("", "/members", "/lists/[^/]+$", "/members/")
_LEFT = ("unsubscribed", "cleaned", "archived")
NOTHING = ""
"""Returned by deeds that found nobody to do it to."""


def do(world: World, event: Event) -> str:
    """Let it happen; what happened, in words, or `NOTHING`."""
    return _DEEDS[event.kind](world, event)


def _of(choices: Sequence[T], number: int) -> T | None:
    return choices[number % len(choices)] if choices else None


# --- in the book -------------------------------------------------------------------------------------


def _contact(world: World, number: int, like: Callable[[BookContact], bool] | None = None) -> int | None:
    """A contact in the book, of those that are like that; often the one that was edited last."""
    contacts = world.contacts
    if number % 10 < STICKY and (last := contacts.get(world.last_edited)) and (like is None or like(last)):
        return last.contact_id
    return _of([c for c in sorted(contacts) if like is None or like(contacts[c])], number // 10)


def _edited(world: World) -> None:
    world.wake()


def _add(world: World, event: Event) -> str:
    return _added(world, ADDRESSES[event.one % len(ADDRESSES)])


def _duplicate(world: World, event: Event) -> str:
    """Another contact with an address that the book has already, perhaps in another spelling."""
    of = _contact(world, event.one, lambda contact: bool(contact.key))
    if of is None:
        return NOTHING
    email = world.contacts[of].email
    return _added(world, email.upper() if event.chance < 0.3 else email)


def _added(world: World, email: str) -> str:
    if len(world.contacts) >= MOST_CONTACTS:
        return NOTHING
    contact = world.add_contact(email)
    _edited(world)
    return f"book: contact {contact} is added with {email}"


def _import(world: World, event: Event) -> str:
    """Rows matched by address: known contacts change, others are added, all in one transaction."""
    lines = []
    for place in range(3):
        email = ADDRESSES[(event.one + place * (1 + event.two % 3)) % len(ADDRESSES)]
        known = [c for c, k in sorted(world.contacts.items()) if k.key == address_key(email)]
        if known:
            world.store.edit(known[0], first_name=f"Imported {event.number}", deleted=False)
            lines.append(f"changes {known[0]}")
        elif len(world.contacts) < MOST_CONTACTS:
            lines.append(f"adds {world.add_contact(email)}")
    _edited(world)
    return f"book: an import {', '.join(lines)}"


def _edit(world: World, contact: int | None, what: str, **changes: object) -> str:
    if contact is None:
        return NOTHING
    world.store.edit(contact, **changes)
    world.last_edited = contact
    _edited(world)
    return f"book: contact {contact} {what}"


def _rename(world: World, event: Event) -> str:
    return _edit(world, _contact(world, event.one), "gets another name", first_name=f"Name {event.two}")


def _email(world: World, event: Event) -> str:
    email = _of((*EVERY_ADDRESS, "", "nobody"), event.two) or ""
    return _edit(world, _contact(world, event.one), f"gets the address {email or '(none)'}", email=email)


def _case(world: World, event: Event) -> str:
    """The same address, spelled another way."""
    contact = _contact(world, event.one, lambda contact: bool(contact.key))
    if contact is None:
        return NOTHING
    email = world.contacts[contact].email
    other = email.swapcase() if event.chance < 0.5 else f" {email.title()} "
    return _edit(world, contact, f"has its address spelled {other!r}", email=other)


def _swap(world: World, event: Event) -> str:
    one, two = _contact(world, event.one), _contact(world, event.two)
    if one is None or two is None or one == two:
        return NOTHING
    first, second = world.contacts[one].email, world.contacts[two].email
    world.store.edit(one, email=second)
    world.store.edit(two, email=first)
    _edited(world)
    return f"book: contacts {one} and {two} swap their addresses"


def _turns(name: str, value: bool, what: str) -> Callable[[World, Event], str]:
    """The deed that sets something of a contact that is not so yet."""

    def deed(world: World, event: Event) -> str:
        contact = _contact(world, event.one, lambda contact: getattr(contact, name) is not value)
        return _edit(world, contact, what, **{name: value})

    return deed


def _vanish(world: World, event: Event) -> str:
    contact = _contact(world, event.one)
    if contact is None:
        return NOTHING
    world.store.vanish(contact)
    _edited(world)
    return f"book: contact {contact} is gone for good"


def _choose(world: World, event: Event) -> str:
    contact = _contact(world, event.one)
    if contact is None or not world.contacts[contact].key:
        return NOTHING
    world.store.choose(contact)
    _edited(world)
    return f"book: sync contact {contact} instead"


def _bulk(world: World, event: Event) -> str:
    tags = _of((("vip",), ("vip", "Early bird"), ()), event.one) or ()
    for contact in sorted(world.contacts):
        world.store.edit(contact, tags=tags)
    _edited(world)
    return f"book: a bulk edit tags everybody {', '.join(tags) or 'with nothing'}"


# --- at Mailchimp ------------------------------------------------------------------------------------


def _person(world: World, number: int) -> Member | None:
    return _of(sorted(world.audience, key=lambda m: m.serial), number)


def _there(world: World, email: str, what: str, **more: object) -> str:
    try:
        happen(world.sandbox, world.audience.id, email, what, **more)  # type: ignore[arg-type]
    except CannotHappen:
        return NOTHING
    world.happened_at_mailchimp()
    return f"Mailchimp: {email}: {what} {more or ''}".rstrip()


def _member_deed(what: str) -> Callable[[World, Event], str]:
    def deed(world: World, event: Event) -> str:
        member = _person(world, event.one)
        return NOTHING if member is None else _there(world, member.email, what)

    return deed


def _address_deed(what: str) -> Callable[[World, Event], str]:
    return lambda world, event: _there(world, ADDRESSES[event.one % len(ADDRESSES)], what)


def _clear(world: World, event: Event) -> str:
    """The marketer deletes everybody in the audience for good."""
    gone = [_there(world, member.email, "delete") for member in list(world.audience)]
    return f"Mailchimp: all {len(gone)} members are deleted for good" if gone else NOTHING


def _resubscribe(world: World, event: Event) -> str:
    """Somebody who had left, bounced, or was archived signs up again."""
    left = [m for m in sorted(world.audience, key=lambda m: m.serial) if m.shown_status in _LEFT]
    member = _of(left, event.one)
    return NOTHING if member is None else _there(world, member.email, "sign_up")


def _edit_there(world: World, event: Event, merges: dict[str, str]) -> str:
    member = _person(world, event.one)
    return NOTHING if member is None else _there(world, member.email, "edit", merges=merges)


def _edit_theirs(world: World, event: Event) -> str:
    return _edit_there(world, event, {"LNAME": f"Theirs {event.two}"})


def _edit_ours(world: World, event: Event) -> str:
    """Somebody there meddles with our fields; only we write Active.

    The Contact URL is spared while no look has told us the member's own id: with both gone, and the address
    changed as well, nothing at all would tell whose member it is.
    """
    member = _person(world, event.one)
    if member is None:
        return NOTHING
    tags = [FIELD_MAP.tags[1], FIELD_MAP.tags[16]]
    if _is_known(world, member):
        tags.append(FIELD_MAP.tags[CONTACT_URL])
    return _edit_there(world, event, {_of(tags, event.two) or "": f"meddled {event.three}"})


def _is_known(world: World, member: Member) -> bool:
    """Whether a look has told us the member's own id; the answer to a batch has none (contract 5)."""
    return bool(_linked_to(world, member))


def _linked_to(world: World, member: Member) -> list[int]:
    key = contact_id(member.serial, world.audience.salt)
    return [number for number, record in world.store.records.items() if record.synced.contact_key == key]


def _move(world: World, event: Event) -> str:
    """Moved before we know the member's own id, or while one contact hands it over to another, only its
    Contact URL tells an audit whose it is."""
    member, email = _person(world, event.one), EVERY_ADDRESS[event.two % len(EVERY_ADDRESS)]
    if member is None or member.archived or member.id == hash_of(email):
        return NOTHING
    view = world.store.book.view()
    rivals = [c for c in world.contacts.values() if c.key == address_key(member.email)]
    if len(rivals) > 1 or not any(view.desired(number).fits for number in _linked_to(world, member)):
        world.only_an_audit_tells = True
    return _there(world, member.email, "edit", new_email=email, by="user")


def _tag(world: World, event: Event) -> str:
    member = _person(world, event.one)
    if member is None:
        return NOTHING
    at, name = world.sandbox.clock.second(), _of(BY_HAND, event.two) or ""
    add_tag(member, world.audience.tag_named(name, world.sandbox.ids, at).id, at)
    return f"Mailchimp: {member.email} is tagged {name} by somebody there"


def _untag(world: World, event: Event) -> str:
    """The marketer takes a tag off, ours or theirs."""
    tagged = [(m, tag) for m in sorted(world.audience, key=lambda m: m.serial) for tag, _ in m.tags]
    found = _of(tagged, event.one)
    if found is None:
        return NOTHING
    remove_tag(*found)
    return f"Mailchimp: {found[0].email} loses a tag"


# --- people at the sync's pages ------------------------------------------------------------------------


def _start(world: World, event: Event) -> str:
    """After a dry run mostly of the plan that it showed."""
    last = world.desk.runs[-1] if world.desk.runs else None
    shown = last is not None and last.kind is RunKind.PREVIEW and last.ended_as == "finished"
    approved = last.fingerprint if last is not None and shown and event.chance < 0.7 else ""
    what = f"Start Sync{' of the plan that was shown' if approved else ''}"
    return _asked(world, world.desk.start(approved=approved), what)


def _preview(world: World, event: Event) -> str:
    return _asked(world, world.desk.preview(), "Dry run")


def _switch(world: World, event: Event) -> str:
    """Another audience: the sync stops here, and starts there."""
    stopped = world.desk.stop()
    world.current = 1 - world.current
    world.desk.groups = world.sites[1 - world.current].desk.groups
    started = world.desk.start()
    return _asked(world, started or stopped, f"another audience, {world.audience.name}")


def _asked(world: World, taken: bool, what: str) -> str:
    """People see what is refused, and nothing happens."""
    if not taken:
        return NOTHING
    world.wake()
    return f"page: {what}"


def _stop(world: World, event: Event) -> str:
    return _asked(world, world.desk.stop(), "Stop Sync")


def _filter(world: World, event: Event) -> str:
    """Filters are changed while the sync is off: whoever wants others stops it first, and starts it again."""
    world.desk.groups = GROUPS[event.one % len(GROUPS)]
    words = f"with the filter {sorted(world.desk.groups or ())}"
    if world.desk.mode is not Mode.OFF:
        return _asked(world, world.desk.stop(), f"Stop Sync, to start it {words}")
    return _asked(world, world.desk.start(), f"Start Sync {words}")


def _asks_for(kind: RunKind) -> Callable[[World, Event], str]:
    return lambda world, event: _asked(world, world.desk.ask_for(kind), kind.value.title())


def _confirm_plan(world: World, event: Event) -> str:
    return _asked(world, world.desk.confirm(), "the plan that a guard stopped is right")


# --- bad luck ------------------------------------------------------------------------------------------


def _kill(world: World, event: Event) -> str:
    worker = world.workers[event.one % 2]
    if worker.dead:
        return NOTHING
    busy = world.jobs.holder
    if event.chance < 0.7 and busy in world.workers:
        worker = busy
    worker.kill_at = 1 + event.two % (24 if event.two % 3 else 120)
    return f"bad luck: {worker.name} will be killed at its effect {worker.kill_at} from now"


def _freeze(world: World, event: Event) -> str:
    """The whole process stands still, longer than others believe that it lives, and then goes on."""
    worker = world.workers[event.one % 2]
    if world.jobs.holder in world.workers:
        worker = world.jobs.holder
    seconds = 5 + event.two % 60
    worker.frozen_until = world.loop.time() + seconds
    return f"bad luck: {worker.name} stands still for {seconds} s"


def _lose(world: World, event: Event) -> str:
    mishap = Mishap(_of(("lost", "lost", "unsent"), event.one) or "lost", writes=event.chance < 0.8)
    world.network.mishaps.append(mishap)
    return f"bad luck: the next {'write' if mishap.writes else 'request'} is {mishap.kind}"


def _delay(world: World, event: Event) -> str:
    kind = _of(("late", "slow"), event.one) or "late"
    mishap = Mishap(kind, 2 + event.two % 100, writes=event.chance < 0.8)
    world.network.mishaps.append(mishap)
    return f"bad luck: the next {'write' if mishap.writes else 'request'} is {mishap.seconds:.0f} s {kind}"


def _fault(world: World, event: Event) -> str:
    kind, path = FIELD_FAULTS[event.one % len(FIELD_FAULTS)], _PATHS[event.two % len(_PATHS)]
    times = 1 + event.three % 4
    seconds = {"stale": 5 + event.three % 90, "timeout": 1 + event.three % 119}.get(kind)
    parameters = {} if seconds is None else {"seconds": seconds}
    world.sandbox.faults.add(kind, parameters, path=path, times=times)
    return f"bad luck: {kind} {parameters or ''} for {times} requests of {path or '/'}"


def _hook(world: World, event: Event) -> str:
    kind = _of(("hook_late", "hook_twice", "hook_never", "hook_disorder"), event.one) or ""
    parameters = {"seconds": 5 + event.two % 120} if kind in ("hook_late", "hook_disorder") else {}
    world.sandbox.faults.add(kind, parameters, times=1 + event.three % 4)
    return f"bad luck: {kind} {parameters or ''}".rstrip()


def _door(world: World, event: Event) -> str:
    world.door_down_until = world.loop.time() + event.one % 300
    return "bad luck: our webhook door answers 502 for a while"


def _revoke(world: World, event: Event) -> str:
    kind = _of(("key_revoked", "user_disabled", "audience_deleted"), event.one) or ""
    world.sandbox.faults.add(kind, {}, times=1 + event.two % 3)
    return f"bad luck: {kind}"


def _plan_limit(world: World, event: Event) -> str:
    world.sandbox.faults.add("plan_limit", {}, times=1 + event.two % 3)
    return "bad luck: the plan is full"


def _poison(world: World, event: Event) -> str:
    email = address_key(ADDRESSES[event.one % len(ADDRESSES)])
    world.site.watch.poison.symmetric_difference_update({email})
    there = email in world.site.watch.poison
    return f"bad luck: calls with {email} are {'refused as a whole' if there else 'taken again'}"


def _nothing(world: World, event: Event) -> str:
    return "time passes"


_DEEDS: dict[str, Callable[[World, Event], str]] = {
    "add": _add, "duplicate": _duplicate, "import": _import, "rename": _rename, "email": _email,
    "case": _case, "swap": _swap,
    "flag": _turns("no_marketing", True, "is flagged No Marketing"),
    "unflag": _turns("no_marketing", False, "is no longer flagged No Marketing"),
    "deactivate": _turns("active", False, "is inactive"),
    "activate": _turns("active", True, "is active again"),
    "delete": _turns("deleted", True, "is deleted"), "restore": _turns("deleted", False, "is restored"),
    "vanish": _vanish, "choose": _choose, "bulk": _bulk,
    "unsubscribe": _member_deed("unsubscribe"), "complain": _member_deed("complain"),
    "bounce": _member_deed("bounce"), "confirm": _member_deed("confirm"),
    "admin_unsubscribe": _member_deed("admin_unsubscribe"), "archive": _member_deed("archive"),
    "forget": _member_deed("delete"), "clear": _clear,
    "sign_up": _address_deed("sign_up"), "resubscribe": _resubscribe,
    "edit_theirs": _edit_theirs, "edit_ours": _edit_ours, "move": _move, "bar": _address_deed("bar"),
    "too_many": _address_deed("too_many_signups"), "tag": _tag, "untag": _untag,
    "start": _start, "preview": _preview, "stop": _stop, "filter": _filter, "switch": _switch,
    "refresh": _asks_for(RunKind.REFRESH), "retry": _asks_for(RunKind.RETRY),
    "audit": _asks_for(RunKind.AUDIT), "confirm_plan": _confirm_plan,
    "kill": _kill, "freeze": _freeze, "lose": _lose, "delay": _delay, "fault": _fault, "hook": _hook,
    "door": _door, "revoke": _revoke, "plan_limit": _plan_limit, "poison": _poison,
    "minute": _nothing, "hour": _nothing,
}  # fmt: skip

WAITS = {"minute": 75.0, "hour": 1500.0}
"""Seconds that pass with an event of this kind."""
