"""Every fault of the practice Mailchimp at every phase of a sync: what is done, and how it is told what came
of it. The cells, as they are expected, stand in `fault_table`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from django.db import connections as databases

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Contact
from lockstep.apps.connections import asking
from lockstep.apps.connections import services as connecting
from lockstep.apps.connections.errors import ConnectError
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.services.accounts import check_again
from lockstep.apps.sync import queries, services
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.core import rhythm
from lockstep.core.errors import ConnectionBroken
from lockstep.core.field_map import FieldMap
from lockstep.core.member import SyncState
from lockstep.sandbox.courier import InlineCourier, Outcome
from lockstep.sandbox.faults import KINDS
from lockstep.sandbox.ids import contact_id
from lockstep.sandbox.member import hash_of
from lockstep.sandbox.seeding import add_members
from lockstep.sandbox.testing import SandboxServer
from tests.factories import ClientFactory, CompanyFactory, ContactFactory, SeatFactory
from tests.kills.judge import Census, broken
from tests.scenarios.world import SyncWorld

__all__ = ["API_KINDS", "PHASES", "Cell", "play"]

API_KINDS = tuple(kind for kind in KINDS if not kind.startswith("hook_"))
"""Those that strike requests; webhook calls have their own (`test_faults.py`)."""

PARAMETERS: dict[str, dict[str, float]] = {
    "latency": {"ms": 30},
    "timeout": {"seconds": 0.02},
    "slow_drip": {"bytes": 512, "ms": 1},
}

NEW, HELD, LEFT, GONE = "new", "held", "left", "gone"
LIST = r"^/lists/\w+$"
MEMBERS = r"^/lists/\w+/members$"
MEMBER = r"^/lists/\w+/members/\w{32}$"


FIELDS = FieldMap("CSKU")


class HurriedClock:
    """The time of this machine, on which the practice Mailchimp goes, too; but nobody really sleeps."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass(slots=True)
class Cell:
    """One fault in one phase, while it is played."""

    world: SyncWorld
    people: dict[str, Contact]
    waited: list[bool] = field(default_factory=list)
    """Of each time that the worker had to be patient: whether a page said so."""
    refused: str = ""
    """How a page refused, by the class of what was raised."""

    @property
    def actor(self) -> Actor:
        return self.world.actor

    def edit(self, who: str, **changes: Any) -> None:
        Contact.objects.filter(pk=self.people[who].pk).update(**changes)

    def live(self, *, batches: bool = True) -> None:
        """The first sync is done, and everybody is in step."""
        proof = Connection.BatchProof.KEPT if batches else Connection.BatchProof.NOT_KEPT
        Connection.objects.filter(pk=self.world.connection.pk).update(batch_proof=proof)
        self.world.start()

    def poll(self) -> None:
        Connection.objects.filter(pk=self.world.connection.pk).update(last_polled_at=None)
        self.world.work()


@dataclass(frozen=True, slots=True)
class Phase:
    """What happens before the fault is there, what happens under it, and which requests it strikes."""

    name: str
    act: Callable[[Cell], object]
    where: tuple[dict[str, str], ...]
    arrange: Callable[[Cell], object] = lambda cell: None

    @property
    def proves(self) -> bool:
        """Whether batches were not proven, one way or the other, when it began."""
        return self.name in ("create fields", "prove batches", "webhook")


def _proven(kept: bool) -> Callable[[Cell], object]:
    proof = Connection.BatchProof.KEPT if kept else Connection.BatchProof.NOT_KEPT
    return lambda cell: Connection.objects.filter(pk=cell.world.connection.pk).update(batch_proof=proof)


def _start(cell: Cell) -> None:
    cell.world.start()


def _page(question: Callable[[Cell], object]) -> Callable[[Cell], object]:
    def ask(cell: Cell) -> None:
        try:
            question(cell)
        except (ConnectError, ConnectionBroken) as error:
            cell.refused = type(error).__name__

    return ask


def _edited(who: str, **changes: Any) -> Callable[[Cell], object]:
    def act(cell: Cell) -> None:
        cell.edit(who, **changes)
        cell.world.work()

    return act


def _with_failed(cell: Cell) -> None:
    """Somebody stands under Failed, and would be taken now."""
    cell.world.audience.too_recent.add(hash_of(cell.people[NEW].email))
    cell.live()
    cell.world.audience.too_recent.clear()


def _with_lost(cell: Cell) -> None:
    """A write whose answer was lost when the worker died: its member has to be looked at first."""
    cell.live()
    record = MemberRecord.objects.filter(contact=cell.people[HELD])
    record.update(uncertain=True, sent_key=record.get().wanted_key)


def _stopped(cell: Cell) -> None:
    cell.live()
    cell.world.stop()


def _audit(cell: Cell) -> None:
    world = cell.world
    SyncRun.objects.create(company=world.company, connection=world.connection, kind=SyncRun.Kind.AUDIT)
    world.work()


def _retry(cell: Cell) -> None:
    services.retry(cell.actor, cell.world.connection, states=[SyncState.FAILED, SyncState.PENDING])
    cell.world.work()


def _unsubscribed(cell: Cell) -> None:
    cell.live()
    cell.world.happen(cell.people[HELD].email, "unsubscribe")


ANYTHING: tuple[dict[str, str], ...] = ({},)
WRITES = ({"method": "PUT", "path": MEMBER}, {"method": "PATCH", "path": MEMBER})

CURRENT = {"method": "GET", "path": MEMBERS, "query": "^(?!.*status=archived)"}
ARCHIVED = {"method": "GET", "path": MEMBERS, "query": "status=archived"}
TOGETHER = {"method": "POST", "path": LIST}
LOOK = {"method": "GET", "path": MEMBER}


def _connect(cell: Cell) -> None:
    connecting.connect_api_key(cell.actor, cell.world.server.api_key)


def _select(cell: Cell) -> None:
    connecting.select_audience(cell.actor, cell.world.account, cell.world.audience.id)


def _disconnect(cell: Cell) -> None:
    connecting.disconnect(cell.actor, cell.world.account)


def _new_contact(cell: Cell) -> None:
    _newcomer(cell)
    cell.world.work()


PHASES: tuple[Phase, ...] = (
    Phase("connect", _page(_connect), ANYTHING),
    Phase("select audience", _page(_select), ANYTHING),
    Phase("create fields", _start, ({"path": "/merge-fields"},)),
    Phase("prove batches", _start, ({"method": "POST", "path": MEMBERS},)),
    Phase("webhook", _start, ({"path": "/webhooks"},)),
    Phase("read audience", _start, (CURRENT,), _proven(True)),
    Phase("read archived", _start, (ARCHIVED,), _proven(True)),
    Phase("push together", _start, (TOGETHER,), _proven(True)),
    Phase("push singly", _start, WRITES, _proven(False)),
    Phase("edit", _edited(HELD, first_name="Edited"), WRITES, Cell.live),
    Phase("newcomer", _new_contact, WRITES, Cell.live),
    Phase("new address", _edited(HELD, email="moved@kestrel.example.net"), WRITES, Cell.live),
    Phase("leaves the scope", _edited(HELD, active=False), WRITES, Cell.live),
    Phase("look after a kill", lambda cell: cell.world.work(), (LOOK,), _with_lost),
    Phase("retry", _retry, ANYTHING, _with_failed),
    Phase("stop", lambda cell: cell.world.stop(), (TOGETHER, *WRITES), Cell.live),
    Phase("poll", Cell.poll, (CURRENT,), _unsubscribed),
    Phase("nightly audit", _audit, (CURRENT,), _unsubscribed),
    Phase("disconnect", _page(_disconnect), ANYTHING, _stopped),
)


# --- playing ---------------------------------------------------------------------------------------


def play(phase: Phase, kind: str, server: SandboxServer, patch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """What came of the fault, in a word or two; and what is broken once it is gone and people did what the
    pages told them to."""
    cell = _begin(phase, server, patch)
    phase.arrange(cell)
    before = _census(cell)
    where = ({"path": "^/lists/"},) if kind == "audience_deleted" else phase.where
    rules = [server.sandbox.faults.add(kind, PARAMETERS.get(kind), **one) for one in where]
    phase.act(cell)
    if phase.name != "connect" or kind != "audience_deleted":  # connecting asks for no audience
        assert sum(rule.struck for rule in rules), f"{phase.name}: {kind} never struck"
    outcome = _outcome(phase, cell)
    server.sandbox.faults.clear()
    _recover(cell)
    wrong = broken(cell.world.connection, before, _census(cell), moved=(), edited=(), refused=())
    cell.world.check_counts()
    return outcome, [*wrong, *_failures(cell), *_not_at_rest(cell)]


def _begin(phase: Phase, server: SandboxServer, patch: pytest.MonkeyPatch) -> Cell:
    sandbox = server.sandbox
    sandbox.reset()
    sandbox.courier = InlineCourier(lambda post: Outcome(200))
    company = CompanyFactory()
    world = SyncWorld(server, company, HurriedClock())
    world.actor = SeatFactory(company=company).actor()
    client = ClientFactory(company=company)
    names = [NEW, "new2", "new3", "new4", HELD, LEFT, GONE]
    people = {
        name: ContactFactory(
            company=company, client=client, email=f"{name}@kestrel.example.net", first_name=name
        )
        for name in names
    }
    statuses = {HELD: "subscribed", LEFT: "unsubscribed", GONE: "archived"}
    members = [
        {
            "email_address": people[name].email,
            "status": status,
            "merge_fields": {"LNAME": "theirs"},
            "tags": ["vip"],
        }
        for name, status in statuses.items()
    ]
    add_members(sandbox, world.audience.id, members=members)
    if phase.name != "create fields":
        for tag, label in zip(FIELDS.tags, FIELDS.labels, strict=True):
            world.audience.add_merge_field(tag=tag, name=label, type="text", public=False)
    cell = Cell(world, people)

    original = rhythm.be_patient

    async def patient(clock: Any, store: Any, seconds: float) -> None:
        """The page says that it waits; then the fault goes away."""
        cell.waited.append(await asyncio.to_thread(_says_so, world.connection.pk))
        sandbox.faults.clear()
        await original(clock, store, seconds)

    patch.setattr(rhythm, "be_patient", patient)
    patch.setattr(asking, "open_api", partial(_open_api, sleep=world.clock.sleep))
    return cell


_open_api = asking.open_api


def _says_so(connection_id: int) -> bool:
    try:
        connection = Connection.objects.get(pk=connection_id)
        progress = queries.run_progress(connection)
        return bool(progress and progress.run.waiting_until) or connection.unavailable_until is not None
    finally:
        databases["default"].close()


def _outcome(phase: Phase, cell: Cell) -> str:
    """What a person finds: on the page, in the sync window."""
    world = cell.world
    world.connection.refresh_from_db()
    told = [f"refused: {cell.refused}"] if cell.refused else []
    if cell.waited:
        told.append("waits" if all(cell.waited) else "waits in silence")
    if world.connection.broken_kind:
        told.append(f"pauses: {world.connection.broken_kind}")
    run = world.connection.runs.order_by("-id").first()
    if run is not None and run.state == SyncRun.State.FAILED and not world.connection.broken_kind:
        told.append(f"run fails: {run.error_kind}")
    failed = MemberRecord.objects.filter(connection=world.connection, state=SyncState.FAILED)
    kinds = Counter(failed.values_list("refusal_kind", flat=True))
    told += [f"{number} failed: {kind}" for kind, number in sorted(kinds.items())]
    if phase.proves and world.connection.batch_proof == Connection.BatchProof.NOT_KEPT:
        told.append("goes on singly")
    if world.connection.webhook_trouble:
        told.append("no webhook, polls")
    return ", ".join(told) or "goes on"


def _recover(cell: Cell) -> None:
    """What the pages tell a person to do, and a minute's passing."""
    world = cell.world
    world.account.refresh_from_db()
    if world.account.disconnected_at is not None:
        world.account = connecting.connect_api_key(cell.actor, world.server.api_key)
    if world.account.broken_kind:
        check_again(cell.actor, world.account)
    world.connection.refresh_from_db()
    if world.connection.broken_kind or world.connection.mode == Connection.Mode.OFF:
        world.start()
    run = world.connection.runs.order_by("-id").first()
    if run is not None and run.state == SyncRun.State.FAILED:
        world.start()
    cell.poll()
    if world.states().get(SyncState.FAILED):
        _retry(cell)


def _failures(cell: Cell) -> list[str]:
    return [
        f"contact {r.contact_id} is still under Failed"
        for r in MemberRecord.objects.filter(connection=cell.world.connection, state=SyncState.FAILED)
    ]


def _not_at_rest(cell: Cell) -> list[str]:
    """Nothing more is written."""
    world = cell.world
    world.forget_requests()
    cell.poll()
    return [f"{method} {path} though nothing is left to do" for method, path, _ in world.writes()]


def _newcomer(cell: Cell) -> None:
    client = cell.people[NEW].client
    cell.people["late"] = ContactFactory(
        company=cell.world.company, client=client, email="late@kestrel.example.net", first_name="late"
    )


def _census(cell: Cell) -> Census:
    audience = cell.world.audience
    found: dict[str, dict[str, Any]] = {}
    for member in audience:
        one = cell.world.member(member.email)
        tags = [{"name": name} for name in one["tags"]]
        found[contact_id(member.serial, audience.salt)] = {**one, "tags": tags}
    return Census(found)
