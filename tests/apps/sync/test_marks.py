"""Marks of transactions that commit late: ids become visible in another order than they were drawn."""

from __future__ import annotations

import psycopg
from django.db import connection as database
from tests.apps.sync.test_store_contract import DatabaseWorld, pytestmark, world
from tests.contracts.store import confirmed

from lockstep.core.planner import Policy, make_plan

__all__ = ["pytestmark", "world"]


async def test_a_mark_drawn_before_and_committed_after_the_slice_is_not_lost(world: DatabaseWorld) -> None:
    """A person presses Retry while the worker reads: the older id appears after the newer one was taken."""
    one = await world.add("ann@book.example")
    await world.store.begin_audit()
    await world.store.finish_audit()
    part = await world.store.next_slice(10, frozenset())
    assert part is not None
    plan = make_plan(part, Policy())
    await world.store.record_plan(part, plan)
    await world.store.record_outcomes([confirmed(change) for change in plan.changes])
    settings = await world.store.do(lambda: database.get_connection_params())
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: settings[name] for name in names if settings.get(name)}) as late:
        late.execute(
            "INSERT INTO sync_mark (connection_id, contact_id, marked_at) VALUES (%s, %s, now())",
            [world.connection.pk, one],
        )
        await world.store.look_again([one])
        part = await world.store.next_slice(10, frozenset())
        assert part is not None
        late.commit()

    await world.store.record_plan(part, make_plan(part, Policy()))

    again = await world.store.next_slice(10, frozenset())
    assert again is not None
    assert set(again.receipts) == {one}
