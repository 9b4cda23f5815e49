"""Hears of changes in the book the moment they are committed, and wakes the accounts concerned.

Runs in every worker process; which of them wakes first does not matter. What
is missed while nobody listens is found by the sweep of `tasks`.
"""

from __future__ import annotations

import asyncio
import logging

import psycopg
from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db import connection as database

from lockstep.apps.book.capture import CHANNEL
from lockstep.apps.sync.waking import wake_company

log = logging.getLogger("lockstep.sync")

RECONNECT_AFTER = 1.0


async def listen_for_changes() -> None:
    """Listen until cancelled; a lost database connection is taken up again."""
    while True:
        try:
            await _listen()
        except (psycopg.Error, DatabaseError, InterfaceError):
            # Of waking, too: its connection is another one, and stays broken until it is closed.
            log.warning("listening for changes broke off; trying again")
            await sync_to_async(close_old_connections)()
            await asyncio.sleep(RECONNECT_AFTER)


async def _listen() -> None:
    parameters = await sync_to_async(database.get_connection_params)()
    for key in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(key, None)
    async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        async for notice in connection.notifies():
            await sync_to_async(wake_company)(int(notice.payload))
