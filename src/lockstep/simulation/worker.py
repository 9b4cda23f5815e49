"""One worker process: takes the account's job when nobody holds it, and does what there is to do.

Between any two effects it can be killed, and nothing of it tidies up.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lockstep.bridge import AccountAccess, open_api
from lockstep.core.testing import Killed
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.throttle import Gate
from lockstep.simulation.jobs import Jobs
from lockstep.simulation.loop import Group, SimulatedLoop
from lockstep.simulation.network import Network, Wire
from lockstep.simulation.runner import Runner
from lockstep.simulation.site import Site

EPOCH = datetime(2026, 1, 5, 9, tzinfo=UTC)
HEARTBEAT_SECONDS = 3.0
_PAUSES = (None, None, 0.0, 0.003)
"""Seconds that a worker spends on its own between two effects; None lets nobody else go first."""


@dataclass(slots=True, eq=False)
class Worker:
    """One process, from its start to its end. `clock` and `sleep` are those of its machine."""

    name: str
    loop: SimulatedLoop
    sites: Sequence[Site]
    jobs: Jobs
    network: Network
    access: AccountAccess
    dice: random.Random
    skew: float
    tell: Callable[[str], None]
    seen: Counter[str]
    bury: Callable[[Worker], None]
    """Told when it dies."""
    kill_at: int | None = None
    """The effect, counted from now, at which it is killed."""
    dead: bool = False
    effects: int = 0
    frozen_until: float = 0.0
    working: bool = False
    doing: str = "waiting"
    """What a kill would interrupt."""
    faults: list[str] = field(default_factory=list)
    group: Group = field(init=False)
    api: MailchimpAPI = field(init=False)

    def __post_init__(self) -> None:
        self.group = Group(self.name)
        self.api = open_api(
            self.access,
            transport=Wire(self.network, self.name, self.beat),
            gate=Gate(now=self.loop.time),
            sleep=self.sleep,
            jitter=self.dice.random,
        )

    # --- being a process --------------------------------------------------------------------------

    def start(self) -> None:
        self.loop.spawn(self.group, self._main())

    def kill(self) -> None:
        """SIGKILL. From here on every port refuses; the tasks are ended by `reap`."""
        self.dead = True
        self.tell(f"{self.name} is killed")
        self.seen[f"killed while {self.doing}"] += 1
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
                await self._work()
            except Exception as error:  # noqa: BLE001  -- the job fails, and the sweep brings the next
                self.faults.append(f"{self.name} met a fault of our own: {error!r}")
            living.cancel()
            await self.beat()
            self.jobs.give_back(self)
            self.working, self.doing = False, "waiting"

    async def _live(self) -> None:
        while True:
            await self.beat()
            self.jobs.hear(self, self.loop.time())
            await self.sleep(HEARTBEAT_SECONDS)

    async def _work(self) -> None:
        """Everything there is to do, for all connections of the account side by side."""
        runners = [Runner(self, site) for site in self.sites if site.used]
        if len(runners) == 1:
            await runners[0].work()
            return
        ends = await asyncio.gather(*(runner.work() for runner in runners), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end


__all__ = ["EPOCH", "Worker"]
