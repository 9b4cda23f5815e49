"""The work of one connection, as a worker does it.

The sequence is that of `apps.sync.runner`; what it decides (`core.rhythm`, the guards, the engine) is the
same code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from lockstep.bridge import (
    MailchimpAudience,
    WebhookState,
    ensure_fields,
    read_hint,
    register_webhook,
    verify_webhook,
)
from lockstep.bridge.failures import SetupRefused
from lockstep.core import rhythm
from lockstep.core.engine import Engine
from lockstep.core.errors import AudienceUnavailable, ConnectionBroken, StopAsked
from lockstep.core.guards import check
from lockstep.core.plan import Plan
from lockstep.core.planner import Slice
from lockstep.core.ports import Control
from lockstep.simulation.desk import OPEN, Desk, Mode, Run, RunKind, RunState
from lockstep.simulation.site import FIELD_MAP, Site
from lockstep.simulation.store import WorkerStore

if TYPE_CHECKING:
    from lockstep.simulation.worker import Worker

CHECK_WEBHOOK_EVERY = timedelta(hours=1)

T = TypeVar("T")


@dataclass(slots=True)
class Runner:
    """Everything there is to do for one connection, until nothing is."""

    worker: Worker
    site: Site
    desk: Desk = field(init=False)
    _audience: MailchimpAudience = field(init=False)

    def __post_init__(self) -> None:
        self.desk = self.site.desk
        self._audience = MailchimpAudience(
            self.worker.api,
            self.site.audience.id,
            FIELD_MAP,
            now=self.worker.now,
            tag_rule=self.desk.store.book.tag_rule,
        )

    def _tell(self, words: str) -> None:
        where = f" ({self.site.audience.name})" if self.site.number else ""
        self.worker.tell(f"{self.worker.name} {words}{where}")

    async def _row(self, work: Callable[[], T]) -> T:
        """One transaction on the connection's and run's rows."""
        await self.worker.beat()
        result = work()
        await self.worker.beat()
        return result

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
        self.worker.doing = "keeping step"
        desk, store = self.desk, self._store(None)
        engine = self._engine(store)
        try:
            await self._heed_webhooks(store)
            if rhythm.poll_is_due(desk.last_polled_at, self.worker.now()):
                await self._poll(store)
            await engine.catch_up()
            if await self._row(desk.heed_opt_outs):
                await engine.catch_up()
            checked = desk.webhook_checked_at
            if checked is None or self.worker.now() - checked >= CHECK_WEBHOOK_EVERY:
                await self._see_to_webhook()
        except StopAsked:
            return True
        except AudienceUnavailable as error:
            self._tell(f"waits {error.retry_after:.0f} s for Mailchimp")
            await rhythm.be_patient(self.worker, store, error.retry_after)
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
        began = self.worker.now()
        since = rhythm.poll_since(self.desk.poll_cursor, self.desk.mirror_complete_at, began)
        await rhythm.poll(self._audience, store, since)

        def polled() -> None:
            self.desk.poll_cursor = self.desk.last_polled_at = began

        await self._row(polled)

    async def _see_to_webhook(self) -> None:
        desk, api = self.desk, self.worker.api
        list_id, url = self.site.audience.id, self.site.hook_url
        try:
            state = WebhookState.MISSING
            if desk.webhook_id:
                state = await verify_webhook(api, list_id, desk.webhook_id, url)
            if state is WebhookState.MISSING:
                made = await register_webhook(api, list_id, url)

                def registered() -> None:
                    desk.webhook_id, desk.webhook_signing_secret = made.webhook_id, made.signing_secret

                await self._row(registered)
        except (SetupRefused, ConnectionBroken):
            self._tell("Mailchimp can't reach our webhook")

        def checked() -> None:
            desk.webhook_checked_at = self.worker.now()

        await self._row(checked)

    # --- runs -----------------------------------------------------------------------------------------

    async def _perform(self, run: Run) -> None:
        self._tell(f"begins run {run.number} ({run.kind.value}, {run.state.value})")
        self.worker.doing = run.kind.value
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
                    self._tell(f"waits {error.retry_after:.0f} s for Mailchimp")
                    await rhythm.be_patient(self.worker, store, error.retry_after)
        except StopAsked:
            await self._row(lambda: self.desk.finish(run, "stopped"))
        except ConnectionBroken as error:
            await self._broken(error)
        except SetupRefused:
            await self._row(lambda: self.desk.finish(run, "setup refused"))
        except Exception as error:  # noqa: BLE001  -- as the runner does; and noted as a fault of ours
            self.worker.faults.append(f"run {run.number} met a fault of our own: {error!r}")
            await self._row(lambda: self.desk.finish(run, "internal"))
        self._tell(f"leaves run {run.number} ({run.ended_as or run.state.value})")

    async def _steps(self, run: Run, store: WorkerStore, engine: Engine) -> None:
        match run.kind:
            case RunKind.PREVIEW:
                await self._row(lambda: self.desk.begin(run, RunState.AUDITING))
                await engine.audit()
                counts = await engine.plan_everything(_nobody_keeps)
                await self._row(lambda: self.desk.finish_preview(run, counts))
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
                (await ensure_fields(self.worker.api, self.site.audience.id, FIELD_MAP)).require_room()
                if desk.proof == "unknown":
                    kept = await engine.audience.batches_keep_status()

                    def proven() -> None:
                        desk.proof = "kept" if kept else "not_kept"

                    await self._row(proven)
                await self._see_to_webhook()
            engine.batches = desk.proof == "kept"
            before = desk.synced_before()
            await self._row(lambda: desk.begin(run, RunState.AUDITING))
            began = self.worker.now()
            observed = await engine.audit()
            desk.mirror_complete_at = began
            tally = rhythm.Tally()
            counts = await engine.plan_everything(tally.look)
            trips = check(tally.census(counts, synced_before=before, observed=observed), desk.thresholds)
            if not await self._row(lambda: desk.let_through(run, counts, trips)):
                return
        await engine.push_everything(run.cursor)
        await self._row(lambda: desk.finish(run, "finished"))

    async def _broken(self, error: ConnectionBroken) -> None:
        self._tell(f"pauses the connection: {error.kind.value}")
        await self._row(lambda: self.desk.note_broken(error.kind))

    # --- both -------------------------------------------------------------------------------------

    def _engine(self, store: WorkerStore) -> Engine:
        return Engine(
            audience=self._audience,
            store=store,
            clock=self.worker,
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

        return WorkerStore(
            self.desk.store, self.worker.beat, control, note_cursor, self.worker, self.worker.seen
        )


async def _nobody_keeps(part: Slice, plan: Plan) -> None:
    """Where a dry run's rows would go, for the page."""
