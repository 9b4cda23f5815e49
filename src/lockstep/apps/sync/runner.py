"""The work of one account: its runs, its continuous changes, its polls. Called by one job at a time.

Written so that it may be killed anywhere: what a run needs to go on is in its
row, what the engine needs is in the records, and both are looked at again by
whoever comes next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.db import InterfaceError, OperationalError

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync import bookkeeping, previews, webhooks
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.apps.sync.models import SyncRun
from lockstep.apps.sync.opting_out import heed_opt_outs
from lockstep.apps.sync.store import PostgresStore
from lockstep.apps.sync.undoing import UndoStore
from lockstep.bridge.failures import SetupRefused
from lockstep.core import rhythm
from lockstep.core.consent import NewStatus
from lockstep.core.engine import Engine, Limits, StopAsked
from lockstep.core.errors import AudienceUnavailable, ConnectionBroken
from lockstep.core.guards import Thresholds, check
from lockstep.core.planner import Policy
from lockstep.core.ports import Audience, Clock
from lockstep.core.undoing import UndoAudience, Undoing
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.throttle import GateState

TELL_EVERY = 1.0
"""Seconds between two notes of how busy the gate is: pages look as often."""

log = logging.getLogger("lockstep.sync")


class Account(Protocol):
    """What a runner needs of an opened account."""

    @property
    def api(self) -> MailchimpAPI: ...

    def audience(self, connection: Connection) -> UndoAudience: ...

    def gate_state(self) -> GateState: ...

    async def ensure_fields(self, connection: Connection) -> None:
        """Create our missing fields, set labels back (S5). Raises the core's errors."""


@dataclass(slots=True)
class ConnectionRunner:
    """Everything there is to do for one connection, until nothing is."""

    connection_id: int
    account: Account
    clock: Clock
    database: DatabaseThread

    async def work(self) -> None:
        """Do open runs in their order, then continuous changes; return when there is nothing left."""
        while True:
            run = await self.database.run(bookkeeping.next_run, self.connection_id)
            if run is not None:
                await self._perform(run)
                continue
            connection = await self.database.run(bookkeeping.connection, self.connection_id)
            if not _is_live(connection) or not await self._keep_step(connection):
                return
            if await self.database.run(bookkeeping.next_run, self.connection_id) is None:
                return

    # --- continuous ---------------------------------------------------------------------------

    async def _keep_step(self, connection: Connection) -> bool:
        """Send changes of the book, poll when it is time; False when the connection had to pause."""
        store = PostgresStore(self.database, connection.pk, connection.company_id)
        try:
            engine = self._engine(connection, store)
            await self._heed_webhooks(connection, store, engine.audience)
            if rhythm.poll_is_due(connection.last_polled_at, self.clock.now()):
                await self._poll(connection, store)
            await self._clear_up(connection, store)
            await engine.catch_up()
            if await self.database.run(heed_opt_outs, connection):
                await engine.catch_up()
            if webhooks.check_is_due(connection, self.clock.now()):
                await webhooks.see_to_webhook(connection, self.account.api, self.database)
        except StopAsked:
            return True
        except AudienceUnavailable as error:
            await self.database.run(bookkeeping.note_unavailable, connection.pk, self.clock.now(), error)
            await rhythm.be_patient(self.clock, store, error.retry_after)
            return True
        except ConnectionBroken as error:
            await self.database.run(bookkeeping.note_broken, connection.pk, error)
            return False
        return True

    async def _heed_webhooks(self, connection: Connection, store: PostgresStore, audience: Audience) -> None:
        """Look at the members that deliveries name; who is not as known is marked by that."""
        while True:
            deliveries, members, hints = await self.database.run(webhooks.take, connection.pk)
            if not deliveries:
                return
            await rhythm.heed(audience, store, members)
            await self.database.run(webhooks.note_heeded, connection.pk, deliveries, hints)

    async def _poll(self, connection: Connection, store: PostgresStore) -> None:
        began = self.clock.now()
        since = rhythm.poll_since(connection.poll_cursor, connection.mirror_complete_at, began)
        await rhythm.poll(self.account.audience(connection), store, since)
        await self.database.run(bookkeeping.note_polled, connection.pk, began)

    async def _clear_up(self, connection: Connection, store: PostgresStore) -> None:
        """See to the many contacts that a worker left uncertain when it died; a few the engine looks at."""
        uncertain = await self.database.run(bookkeeping.uncertain, connection.pk)
        if len(uncertain) <= rhythm.SINGLY_UP_TO or connection.mirror_complete_at is None:
            return
        since = rhythm.poll_since(
            connection.poll_cursor, connection.mirror_complete_at, connection.mirror_complete_at
        )
        await rhythm.clear_up(self.account.audience(connection), store, uncertain, since)

    # --- runs ---------------------------------------------------------------------------------

    async def _perform(self, run: SyncRun) -> None:
        connection = await self.database.run(bookkeeping.connection, self.connection_id)
        stopping = run.kind == SyncRun.Kind.STOP
        store = PostgresStore(
            self.database, connection.pk, connection.company_id, run_id=run.pk, nobody_fits=stopping
        )
        log.info("run begins", extra={"run": run.pk, "connection": connection.pk, "kind": run.kind})
        try:
            while True:
                try:
                    # A new engine for each attempt: who went unanswered too often is left out by the old one
                    # for good, and would be waited for without end.
                    engine = self._engine(connection, store)
                    async with self._telling(run.pk):
                        await self._steps(run, connection, store, engine)
                    break
                except AudienceUnavailable as error:
                    await self.database.run(bookkeeping.note_waiting, run.pk, self.clock.now(), error)
                    await rhythm.be_patient(self.clock, store, error.retry_after)
                    run = await self.database.run(bookkeeping.run, run.pk)
                    connection = await self.database.run(bookkeeping.connection, self.connection_id)
        except StopAsked:
            await self.database.run(bookkeeping.finish, run.pk, SyncRun.State.STOPPED, self.clock.now())
        except ConnectionBroken as error:
            await self.database.run(bookkeeping.note_broken, connection.pk, error)
        except SetupRefused as error:
            await self.database.run(bookkeeping.fail, run.pk, "setup", str(error), self.clock.now())
        except (OperationalError, InterfaceError):
            raise  # the database went away: the run stays open, and whoever comes next goes on with it
        except Exception:
            await self.database.run(
                bookkeeping.fail,
                run.pk,
                "internal",
                "Lockstep met a fault of its own. What was done so far is kept; start again to go on.",
                self.clock.now(),
            )
            log.exception("run failed", extra={"run": run.pk, "connection": connection.pk})

    @asynccontextmanager
    async def _telling(self, run_id: int) -> AsyncIterator[None]:
        """Note beside the work how busy the account's gate is: calls under way, slowed down or not."""

        async def tell() -> None:
            told = None
            while True:
                gate = self.account.gate_state()
                now = (gate.in_flight, gate.width, gate.slowed)
                if now != told:
                    await self.database.run(bookkeeping.note_calls, run_id, *now)
                    told = now
                await self.clock.sleep(TELL_EVERY)

        telling = asyncio.ensure_future(tell())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(
                telling, return_exceptions=True
            )  # a note that failed is no failure of the run

    async def _steps(
        self, run: SyncRun, connection: Connection, store: PostgresStore, engine: Engine
    ) -> None:
        match run.kind:
            case SyncRun.Kind.PREVIEW:
                observed = await self._audit(run, engine)
                await self.database.run(previews.clear_rows, run.pk)
                counts = await engine.plan_everything(
                    lambda part, plan: store.do(lambda: previews.write_rows(run.pk, part, plan))
                )
                await self.database.run(
                    bookkeeping.finish_preview, run.pk, counts, observed, self.clock.now()
                )
            case SyncRun.Kind.START | SyncRun.Kind.REFRESH | SyncRun.Kind.AUDIT:
                await self._start(run, connection, store, engine)
            case SyncRun.Kind.RETRY:
                await self.database.run(bookkeeping.begin_syncing, run.pk, self.clock.now(), None)
                await self._poll(connection, store)
                await self._clear_up(connection, store)
                await engine.catch_up()
                await self.database.run(bookkeeping.finish_with_counts, run.pk, self.clock.now())
            case SyncRun.Kind.STOP:
                await self.database.run(bookkeeping.begin_syncing, run.pk, self.clock.now(), None)
                await self._clear_up(connection, store)
                await engine.push_everything(run.cursor)
                await self.database.run(bookkeeping.switched_off, run.pk, self.clock.now())
            case SyncRun.Kind.UNDO:
                await self._undo(run, connection, store, engine)

    async def _undo(self, run: SyncRun, connection: Connection, store: PostgresStore, engine: Engine) -> None:
        """Read, plan, wait for a person; once approved, read what changed since, plan again, write.

        A run that was killed while writing reads what changed meanwhile and goes on.
        """
        assert run.undoes_id is not None
        memory = UndoStore(store, run.pk, run.undoes_id)
        observed = 0
        if run.state == SyncRun.State.SYNCING or run.approved:
            await self._poll(connection, store)
        else:
            observed = await self._audit(run, engine)
        if run.state != SyncRun.State.SYNCING and not await self.database.run(
            bookkeeping.let_undo_through, run.pk, await memory.plan(), observed, self.clock.now()
        ):
            return
        undoing = Undoing(
            self.account.audience(connection),
            memory,
            archive=run.archive_added,
            batches=await self.database.run(bookkeeping.batches_proven, connection.pk),
        )
        await undoing.carry_out(run.cursor)
        await self.database.run(bookkeeping.finish_undo, run.pk, self.clock.now())

    async def _audit(self, run: SyncRun, engine: Engine) -> int:
        await self.database.run(bookkeeping.begin_auditing, run.pk, self.clock.now())
        return await engine.audit()

    async def _start(
        self, run: SyncRun, connection: Connection, store: PostgresStore, engine: Engine
    ) -> None:
        """Audit, plan, guard, push. A run that was killed while pushing goes on behind its cursor."""
        if run.state != SyncRun.State.SYNCING:
            if run.kind == SyncRun.Kind.START:
                await self.account.ensure_fields(connection)
                if connection.batch_proof == Connection.BatchProof.UNKNOWN:
                    kept = await engine.audience.batches_keep_status()
                    await self.database.run(bookkeeping.note_batch_proof, connection.pk, kept)
                await webhooks.see_to_webhook(connection, self.account.api, self.database)
            engine.batches = await self.database.run(bookkeeping.batches_proven, connection.pk)
            before = await self.database.run(bookkeeping.synced_before, connection.pk)
            observed = await self._audit(run, engine)
            tally = rhythm.Tally()
            counts = await engine.plan_everything(tally.look)
            census = tally.census(counts, synced_before=before, observed=observed)
            trips = check(census, Thresholds())
            if not await self.database.run(
                bookkeeping.let_through, run.pk, counts, trips, observed, self.clock.now()
            ):
                return
        else:
            await self._clear_up(connection, store)
        await engine.push_everything(run.cursor)
        await self.database.run(bookkeeping.finish_with_counts, run.pk, self.clock.now())

    # --- both ---------------------------------------------------------------------------------

    def _engine(self, connection: Connection, store: PostgresStore) -> Engine:
        return Engine(
            audience=self.account.audience(connection),
            store=store,
            clock=self.clock,
            policy=Policy(NewStatus(connection.new_status)),
            limits=Limits(in_flight=settings.LOCKSTEP_MAILCHIMP_CALLS),
            batches=connection.batch_proof == Connection.BatchProof.KEPT,
        )


async def run_connections(connection_ids: Sequence[int], account: Account, clock: Clock) -> None:
    """Work for these connections of one account side by side, under its one gate.

    Trouble of one keeps none of the others from its work; it is raised at the end.
    """

    async def one(pk: int) -> None:
        async with DatabaseThread() as database:
            await ConnectionRunner(pk, account, clock, database).work()

    results = await asyncio.gather(*map(one, connection_ids), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _is_live(connection: Connection) -> bool:
    return connection.on and connection.live_at is not None and not connection.broken_kind
