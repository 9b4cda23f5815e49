"""A worker that stood still while another took its run over: when it goes on, it finds the run ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone
from tests.apps.sync.test_store_contract import DatabaseWorld, pytestmark, world

from lockstep.apps.sync import bookkeeping
from lockstep.apps.sync.models import SyncRun
from lockstep.apps.sync.store import PostgresStore
from lockstep.core.engine import StopAsked
from lockstep.core.plan import PlanCounts

__all__ = ["pytestmark", "world"]

State = SyncRun.State


async def _run(world: DatabaseWorld, state: State) -> SyncRun:
    return await world.store.do(
        lambda: SyncRun.objects.create(
            company=world.company, connection=world.connection, kind=SyncRun.Kind.START, state=state
        )
    )


async def _state(world: DatabaseWorld, run: SyncRun) -> str:
    return await world.store.do(lambda: SyncRun.objects.values_list("state", flat=True).get(pk=run.pk))


@pytest.mark.parametrize("ended", [State.FINISHED, State.STOPPED, State.FAILED, State.WAITING])
@pytest.mark.parametrize(
    "step",
    [
        lambda run: bookkeeping.begin_auditing(run, timezone.now()),
        lambda run: bookkeeping.begin_syncing(run, timezone.now(), None),
        lambda run: bookkeeping.let_through(run, PlanCounts(), (), 0, timezone.now()),
        lambda run: bookkeeping.finish_preview(run, PlanCounts(), 0, timezone.now()),
    ],
    ids=["audit", "sync", "guard", "preview"],
)
async def test_a_run_that_has_ended_is_not_begun_again(
    world: DatabaseWorld, ended: State, step: Callable[[int], object]
) -> None:
    run = await _run(world, ended)

    with pytest.raises(StopAsked):
        await world.store.do(lambda: step(run.pk))

    assert await _state(world, run) == ended


@pytest.mark.parametrize("ended", [State.FINISHED, State.PARTIAL, State.FAILED, State.WAITING])
async def test_a_run_that_has_ended_keeps_how_it_ended(world: DatabaseWorld, ended: State) -> None:
    run = await _run(world, ended)

    await world.store.do(lambda: bookkeeping.finish(run.pk, State.STOPPED, timezone.now()))
    await world.store.do(lambda: bookkeeping.fail(run.pk, "internal", "Too late.", timezone.now()))

    assert await _state(world, run) == ended
    assert not await world.store.do(lambda: SyncRun.objects.get(pk=run.pk).error_text)


@pytest.mark.parametrize(
    ("state", "stops"), [(State.AUDITING, False), (State.SYNCING, False), (State.FINISHED, True)]
)
async def test_work_for_a_run_that_has_ended_stops(world: DatabaseWorld, state: State, stops: bool) -> None:
    run = await _run(world, state)
    store = PostgresStore(world.store.database, world.connection.pk, world.company.pk, run_id=run.pk)

    assert (await store.control()).stop is stops
