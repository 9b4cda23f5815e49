"""Everything that a history happens in: practice Mailchimp, wire, database, two workers, timers."""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import dataclass, field

from lockstep.bridge import AccountAccess, AuthKind
from lockstep.core import rhythm
from lockstep.core.engine import Limits
from lockstep.core.field_map import FieldMap
from lockstep.core.planner import Policy
from lockstep.mailchimp.asgi import AsgiTransport
from lockstep.mailchimp.hooks import signature_matches
from lockstep.sandbox.account import Account
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.clock import Clock as SandboxClock
from lockstep.sandbox.courier import InlineCourier, Outcome, Post
from lockstep.sandbox.door import ApiDoor
from lockstep.sandbox.sandbox import Sandbox
from lockstep.sandbox.subscription import archive, create
from lockstep.simulation.desk import Delivery, Desk, Mode
from lockstep.simulation.events import ADDRESSES, Beginning
from lockstep.simulation.jobs import Jobs
from lockstep.simulation.loop import Group, SimulatedLoop
from lockstep.simulation.network import Network
from lockstep.simulation.store import SimulatedStore
from lockstep.simulation.watch import Watch, WatchedApi
from lockstep.simulation.worker import EPOCH, Worker

FIELD_MAP = FieldMap()
HOOK_URL = "https://lockstep.test/hooks/mailchimp/1/a-secret-in-the-path"
API_KEY = "0123456789abcdef0123456789abcdef-us6"
SWEEP_EVERY = 10.0
THEIRS = {"FNAME": "Theirs", "LNAME": "Theirs"}
TRACE_LINES = 20_000


@dataclass(slots=True)
class World:
    """Made inside its loop; `random` streams come from the seed, one for each purpose."""

    loop: SimulatedLoop
    seed: int
    beginning: Beginning
    sandbox: Sandbox = field(init=False)
    account: Account = field(init=False)
    audience: Audience = field(init=False)
    watch: Watch = field(init=False)
    store: SimulatedStore = field(init=False)
    desk: Desk = field(init=False)
    network: Network = field(init=False)
    jobs: Jobs = field(default_factory=Jobs)
    workers: list[Worker] = field(default_factory=list)
    group: Group = field(default_factory=lambda: Group("world"))
    door_down_until: float = 0.0
    trace: list[str] = field(default_factory=list)
    kills: int = 0
    freezes: int = 0
    hooks_heard: int = 0
    faults: list[str] = field(default_factory=list)
    """What must never happen: an exception that nobody expected."""
    _digest: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=12))
    _incarnations: itertools.count[int] = field(default_factory=itertools.count)
    _tick_at: float = float("inf")

    def __post_init__(self) -> None:
        start = EPOCH.timestamp()
        clock = SandboxClock(lambda: start + self.loop.time())
        courier = InlineCourier(self._hook, now=lambda: start + self.loop.time())
        self.sandbox = Sandbox(seed=self.seed, clock=clock, courier=courier)
        self.sandbox.switches.set("batch_validator", self.beginning.validator)
        self.account = self.sandbox.add_account("Example Club", api_key=API_KEY)
        self.audience = self.sandbox.add_audience(self.account, "Members")
        for tag, label in zip(FIELD_MAP.tags, FIELD_MAP.labels, strict=True):
            self.audience.add_merge_field(tag=tag, name=label, type="text", public=False)
        self._people_before_us()
        self.watch = Watch(self.audience, FIELD_MAP, self.beginning.new_status)
        api = WatchedApi(self.sandbox, self.watch, self._expect_tick)
        door = ApiDoor(self.sandbox, api, sleep=self.loop.pause)
        self.network = Network(self.loop, AsgiTransport(door), self._dice("network"), self.tell)
        self.store = SimulatedStore()
        for index in self.beginning.book:
            self.add_contact(ADDRESSES[index])
        begin = self.beginning
        limits = Limits(
            in_flight=begin.in_flight,
            slice_size=begin.slice_size,
            urgent_up_to=begin.urgent_up_to,
            singles_up_to=begin.singles_up_to,
        )
        self.desk = Desk(self.store, Policy(begin.new_status), limits, begin.proof, begin.opt_out_flags)
        for place in range(2):
            self.workers.append(self._worker(place))
        for worker in self.workers:
            worker.start()
        self.loop.spawn(self.group, self._sweep())

    def _dice(self, purpose: str) -> random.Random:
        return random.Random(f"{purpose} {self.seed}")  # noqa: S311  -- repeatable is the point

    def _people_before_us(self) -> None:
        for index, status in self.beginning.audience:
            doing = self.sandbox.doing(self.account, label="Admin Add", source="admin", set_by="admin")
            first = "subscribed" if status == "archived" else status
            create(self.audience, ADDRESSES[index], first, {"merge_fields": dict(THEIRS)}, doing)
            if status == "archived":
                archive(self.audience, ADDRESSES[index], doing)

    def add_contact(self, email: str) -> int:
        number = len(self.store.book.contacts) + 1
        group = "red" if number % 3 else "blue"
        return self.store.add(email, first_name=f"Name {number}", group=group)

    # --- what is written down -----------------------------------------------------------------------

    def tell(self, line: str) -> None:
        """One line of the trace; its digest tells two plays of a history apart."""
        text = f"{self.loop.time():10.3f}  {line}"
        self._digest.update(text.encode())
        if len(self.trace) < TRACE_LINES:
            self.trace.append(text)

    def digest(self) -> str:
        return self._digest.hexdigest()

    # --- processes ----------------------------------------------------------------------------------

    def _worker(self, place: int) -> Worker:
        number = next(self._incarnations)
        return Worker(
            name=f"worker {'AB'[place]}{number}",
            loop=self.loop,
            desk=self.desk,
            jobs=self.jobs,
            network=self.network,
            access=AccountAccess("https://us6.api.mailchimp.com", API_KEY, AuthKind.API_KEY),
            list_id=self.audience.id,
            field_map=FIELD_MAP,
            hook_url=HOOK_URL,
            dice=self._dice(f"worker {number}"),
            skew=self.beginning.skews[place],
            tell=self.tell,
            bury=self._bury,
        )

    def _bury(self, worker: Worker) -> None:
        self.kills += 1
        self.loop.spawn(self.group, self._replace(worker))

    async def _replace(self, worker: Worker) -> None:
        """Another process is started where one was killed."""
        await self.loop.pause(1.0)
        await worker.reap()
        self.faults += worker.faults
        place = self.workers.index(worker)
        self.workers[place] = self._worker(place)
        self.workers[place].start()

    async def _sweep(self) -> None:
        """The timers of the job queue: take the lock from the silent, wake whoever has something to do."""
        for turn in itertools.count():
            await self.loop.pause(SWEEP_EVERY / 2)
            if self.jobs.take_from_the_silent(self.loop.time()):
                self.tell("the job of a silent worker goes back into the queue")
            if turn % 2 and self._has_something_to_do():
                self.wake()

    def _has_something_to_do(self) -> bool:
        desk, now = self.desk, EPOCH.timestamp() + self.loop.time()
        polled = desk.last_polled_at
        due = polled is None or now - polled.timestamp() >= rhythm.POLL_EVERY.total_seconds()
        hinted = any(not delivery.heeded for delivery in desk.deliveries)
        return (
            desk.open_run() is not None
            or (desk.mode is Mode.STOPPING and desk.broken is None)
            or (desk.is_live and (due or bool(self.store.marks) or hinted))
        )

    def why_busy(self) -> str:
        """What is left to do, in words; '' when nothing is."""
        desk = self.desk
        run = desk.open_run()
        reasons = {
            f"run {run.number if run else ''} is {run.state.value if run else ''}": run is not None,
            "it is being stopped": desk.mode is Mode.STOPPING and desk.broken is None,
            "a job waits": self.jobs.queued,
            "a worker works": self.jobs.holder is not None or any(worker.working for worker in self.workers),
            f"{len(self.store.marks)} contacts are marked": desk.is_live and bool(self.store.marks),
            "webhook calls wait": desk.is_live and any(not d.heeded for d in desk.deliveries),
            "requests are under way": self.network.under_way > 0,
            "a worker is dead": any(worker.dead for worker in self.workers),
            "a worker stands still": any(w.frozen_until > self.loop.time() for w in self.workers),
        }
        return ", ".join(reason for reason, holds in reasons.items() if holds)

    def is_idle(self) -> bool:
        return not self.why_busy()

    def wake(self) -> None:
        """Somebody said that there is something to do: one job waits, however many say so."""
        self.jobs.ring()

    async def end(self) -> None:
        """Nobody goes on."""
        for group in (self.group, self.network.group):
            group.cancel()
        for worker in self.workers:
            worker.dead = True
            await worker.reap()

    # --- webhooks -----------------------------------------------------------------------------------

    def _hook(self, post: Post) -> Outcome:
        """Our webhook door: asked with a GET, else checks, keeps, wakes."""
        if not self.beginning.hooks:
            return Outcome(None, "no route to host")
        if self.loop.time() < self.door_down_until:
            return Outcome(502)
        if post.method == "GET":
            return Outcome(200)
        now = EPOCH.timestamp() + self.loop.time()
        secret, signature = self.desk.webhook_signing_secret, post.headers.get("X-Mailchimp-Signature", "")
        if post.url != HOOK_URL or (secret and not signature_matches(secret, signature, post.body, now=now)):
            return Outcome(403)
        if self.desk.mode is Mode.ON:
            self.tell("a webhook call comes in")
            self.hooks_heard += 1
            self.desk.deliveries.append(Delivery(post.body))
            self.wake()
        return Outcome(200)

    def _expect_tick(self) -> None:
        """Let the sandbox's timers run when they are due, though nobody may ask it anything by then."""
        due = self.sandbox.schedule.next_due()
        if due is None:
            return
        at = max(due - EPOCH.timestamp(), self.loop.time())
        if at < self._tick_at or self._tick_at < self.loop.time():
            self._tick_at = at
            self.loop.call_at(at + 0.001, self._tick)

    def _tick(self) -> None:
        self._tick_at = float("inf")
        self.sandbox.tick()
        self._expect_tick()

    def happened_at_mailchimp(self) -> None:
        """After a deed of a person there: calls of our webhook may be due."""
        self._expect_tick()
