"""One worker process: takes the account's job when nobody holds it, and does what there is to do.

The sequence is that of `apps.sync.runner`; what it decides (`core.rhythm`, the guards, the engine) is the
same code. Between any two effects it can be killed, and nothing of it tidies up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from lockstep.bridge import (
    AccountAccess,
    MailchimpAudience,
    WebhookState,
    ensure_fields,
    open_api,
    read_hint,
    register_webhook,
    verify_webhook,
)
from lockstep.bridge.failures import SetupRefused
from lockstep.core import rhythm
from lockstep.core.engine import Engine, StopAsked
from lockstep.core.errors import AudienceUnavailable, ConnectionBroken
from lockstep.core.field_map import FieldMap
from lockstep.core.guards import Thresholds, check
from lockstep.core.ports import Control
from lockstep.core.testing import Killed
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.throttle import Gate
from lockstep.simulation.desk import OPEN, Desk, Mode, Run, RunKind, RunState
from lockstep.simulation.jobs import Jobs
from lockstep.simulation.loop import Group, SimulatedLoop
from lockstep.simulation.network import Network, Wire
from lockstep.simulation.store import WorkerStore

EPOCH = datetime(2026, 1, 5, 9, tzinfo=UTC)
CHECK_WEBHOOK_EVERY = timedelta(hours=1)
HEARTBEAT_SECONDS = 3.0
_PAUSES = (None, None, 0.0, 0.003)
"""Seconds that a worker spends on its own between two effects; None lets nobody else go first."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Worker:
    """One process, from its start to its end. `clock` and `sleep` are those of its machine."""

    name: str
    loop: SimulatedLoop
    desk: Desk
    jobs: Jobs
    network: Network
    access: AccountAccess
    list_id: str
    field_map: FieldMap
    hook_url: str
    dice: random.Random
    skew: float
    tell: Callable[[str], None]
    bury: Callable[[Worker], None]
    """Told when it dies."""
    kill_at: int | None = None
    """The effect, counted from now, at which it is killed."""
    dead: bool = False
    effects: int = 0
    frozen_until: float = 0.0
    working: bool = False
    faults: list[str] = field(default_factory=list)
    group: Group = field(init=False)
    _api: MailchimpAPI = field(init=False)
    _audience: MailchimpAudience = field(init=False)

    def __post_init__(self) -> None:
        self.group = Group(self.name)
        self._api = open_api(
            self.access,
            transport=Wire(self.network, self.name, self.beat),
            gate=Gate(now=self.loop.time),
            sleep=self.sleep,
            jitter=self.dice.random,
        )
        self._audience = MailchimpAudience(self._api, self.list_id, self.field_map, now=self.now)

    # --- being a process --------------------------------------------------------------------------

    def start(self) -> None:
        self.loop.spawn(self.group, self._main())

    def kill(self) -> None:
        """SIGKILL. From here on every port refuses; the tasks are ended by `reap`."""
        self.dead = True
        self.tell(f"{self.name} is killed")
        self.bury(self)

    async def reap(self) -> None:
        for _ in range(1000):
            if not len(self.group):
                return
            self.group.cancel()
            await asyncio.sleep(0)
        self.faults.append(f"{self.name} has tasks that will not end.")

    async def beat(self) -> None:
        """Passed before and after every effect: here the process dies, or stands still for a while."""
        if self.dead:
            raise Killed
        self.effects += 1
        if self.kill_at is not None:
            self.kill_at -= 1
            if self.kill_at <= 0:
                self.kill()
                raise Killed
        pause = _PAUSES[self.dice.getrandbits(2)]
        if self.frozen_until > self.loop.time():
            await self.loop.pause(self.frozen_until - self.loop.time())
        elif pause is not None:
            await self.loop.pause(pause)
        if self.dead:
            raise Killed

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.loop.time() + self.skew)

    async def sleep(self, seconds: float) -> None:
        await self.loop.pause(seconds)
        if self.dead:
            raise Killed

    async def _main(self) -> None:
        """Take the job whenever it waits and nobody holds the lock; say meanwhile that we live."""
        while True:
            await self.jobs.wait()
            await self.sleep(max(0.1 * self.dice.random(), self.frozen_until - self.loop.time()))
            if self.loop.time() < self.frozen_until or not self.jobs.take(self, self.loop.time()):
                continue
            self.working = True
            living = asyncio.ensure_future(self._live())
            try:
                await self.work()
            except Exception as error:  # noqa: BLE001  -- the job fails, and the sweep brings the next
                self.faults.append(f"{self.name} met a fault of our own: {error!r}")
            living.cancel()
            await self.beat()
            self.jobs.give_back(self)
            self.working = False

    async def _live(self) -> None:
        while True:
            await self.beat()
            self.jobs.hear(self, self.loop.time())
            await self.sleep(HEARTBEAT_SECONDS)

    async def _row(self, work: Callable[[], T]) -> T:
        """One transaction on the connection's and run's rows."""
        await self.beat()
        result = work()
        await self.beat()
        return result

    # --- the work of one connection ----------------------------------------------------------------

    async def work(self) -> None:
        desk = self.desk
        while True:
            run = await self._row(desk.next_run)
            if run is not None:
                await self._perform(run)
                continue
            if not desk.is_live or not await self._keep_step():
                return
            if await self._row(desk.next_run) is None:
                return

    async def _keep_step(self) -> bool:
        desk, store = self.desk, self._store(None)
        engine = self._engine(store)
        try:
            await self._heed_webhooks(store)
            if rhythm.poll_is_due(desk.last_polled_at, self.now()):
                await self._poll(store)
            await engine.catch_up()
            if await self._row(desk.heed_opt_outs):
                await engine.catch_up()
            checked = desk.webhook_checked_at
            if checked is None or self.now() - checked >= CHECK_WEBHOOK_EVERY:
                await self._see_to_webhook()
        except StopAsked:
            return True
        except AudienceUnavailable as error:
            self.tell(f"{self.name} waits {error.retry_after:.0f} s for Mailchimp")
            await rhythm.be_patient(self, store, error.retry_after)
            return True
        except ConnectionBroken as error:
            await self._broken(error)
            return False
        return True

    async def _heed_webhooks(self, store: WorkerStore) -> None:
        while waiting := await self._row(lambda: [d for d in self.desk.deliveries if not d.heeded]):
            hints = [read_hint(delivery.body) for delivery in waiting]
            members = dict.fromkeys(member for hint in hints if hint for member in hint.members)
            await rhythm.heed(self._audience, store, members)

            def heeded() -> None:
                for delivery in waiting:
                    delivery.heeded = True

            await self._row(heeded)

    async def _poll(self, store: WorkerStore) -> None:
        began = self.now()
        since = rhythm.poll_since(self.desk.poll_cursor, self.desk.mirror_complete_at, began)
        await rhythm.poll(self._audience, store, since)

        def polled() -> None:
            self.desk.poll_cursor = self.desk.last_polled_at = began

        await self._row(polled)

    async def _see_to_webhook(self) -> None:
        desk = self.desk
        try:
            state = WebhookState.MISSING
            if desk.webhook_id:
                state = await verify_webhook(self._api, self.list_id, desk.webhook_id, self.hook_url)
            if state is WebhookState.MISSING:
                made = await register_webhook(self._api, self.list_id, self.hook_url)

                def registered() -> None:
                    desk.webhook_id, desk.webhook_signing_secret = made.webhook_id, made.signing_secret

                await self._row(registered)
        except (SetupRefused, ConnectionBroken):
            self.tell(f"{self.name}: Mailchimp can't reach our webhook")

        def checked() -> None:
            desk.webhook_checked_at = self.now()

        await self._row(checked)

    # --- runs -----------------------------------------------------------------------------------------

    async def _perform(self, run: Run) -> None:
        self.tell(f"{self.name} begins run {run.number} ({run.kind.value}, {run.state.value})")
        store = self._store(run)
        engine = self._engine(store)
        if run.kind is RunKind.STOP:
            self.desk.store.book.groups = frozenset()
        try:
            while True:
                try:
                    await self._steps(run, store, engine)
                    break
                except AudienceUnavailable as error:
                    self.tell(f"{self.name} waits {error.retry_after:.0f} s for Mailchimp")
                    await rhythm.be_patient(self, store, error.retry_after)
        except StopAsked:
            await self._row(lambda: self.desk.finish(run, "stopped"))
        except ConnectionBroken as error:
            await self._broken(error)
        except SetupRefused:
            await self._row(lambda: self.desk.finish(run, "setup refused"))
        except Exception as error:  # noqa: BLE001  -- as the runner does; and noted as a fault of ours
            self.faults.append(f"run {run.number} met a fault of our own: {error!r}")
            await self._row(lambda: self.desk.finish(run, "internal"))
        self.tell(f"{self.name} leaves run {run.number} ({run.ended_as or run.state.value})")

    async def _steps(self, run: Run, store: WorkerStore, engine: Engine) -> None:
        match run.kind:
            case RunKind.START | RunKind.REFRESH | RunKind.AUDIT:
                await self._start(run, store, engine)
            case RunKind.RETRY:
                await self._row(lambda: self.desk.begin(run, RunState.SYNCING))
                await self._poll(store)
                await engine.catch_up()
                await self._row(lambda: self.desk.finish(run, "finished"))
            case RunKind.STOP:
                await self._row(lambda: self.desk.begin(run, RunState.SYNCING))
                await engine.push_everything(run.cursor)
                await self._row(lambda: self.desk.switched_off(run))

    async def _start(self, run: Run, store: WorkerStore, engine: Engine) -> None:
        desk = self.desk
        if run.state is not RunState.SYNCING:
            if run.kind is RunKind.START:
                (await ensure_fields(self._api, self.list_id, self.field_map)).require_room()
                if desk.proof == "unknown":
                    kept = await engine.audience.batches_keep_status()

                    def proven() -> None:
                        desk.proof = "kept" if kept else "not_kept"

                    await self._row(proven)
            engine.batches = desk.proof == "kept"
            before = desk.synced_before()
            await self._row(lambda: desk.begin(run, RunState.AUDITING))
            began = self.now()
            observed = await engine.audit()
            desk.mirror_complete_at = began
            tally = rhythm.Tally()
            counts = await engine.plan_everything(tally.look)
            trips = check(tally.census(counts, synced_before=before, observed=observed), Thresholds())
            if not await self._row(lambda: desk.let_through(run, counts, trips)):
                return
        await engine.push_everything(run.cursor)
        await self._row(lambda: desk.finish(run, "finished"))

    async def _broken(self, error: ConnectionBroken) -> None:
        self.tell(f"{self.name} pauses the connection: {error.kind.value}")
        await self._row(lambda: self.desk.note_broken(error.kind))

    # --- both -------------------------------------------------------------------------------------

    def _engine(self, store: WorkerStore) -> Engine:
        return Engine(
            audience=self._audience,
            store=store,
            clock=self,
            policy=self.desk.policy,
            limits=self.desk.limits,
            batches=self.desk.proof == "kept",
        )

    def _store(self, run: Run | None) -> WorkerStore:
        def control() -> Control:
            if run is None:
                return Control(stop=self.desk.mode is not Mode.ON)
            return Control(stop=run.stop_asked or run.state not in OPEN)

        def note_cursor(through: int) -> None:
            if run is not None:
                run.cursor = through

        return WorkerStore(self.desk.store, self.beat, control, note_cursor, self)


__all__ = ["EPOCH", "Worker"]
