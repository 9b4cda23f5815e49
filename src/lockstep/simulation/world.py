"""Everything that a history happens in: practice Mailchimp, wire, database, two workers, timers."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lockstep.bridge import AccountAccess, AuthKind, read_hint
from lockstep.core import rhythm
from lockstep.core.engine import Limits
from lockstep.core.guards import Thresholds
from lockstep.core.planner import Policy
from lockstep.core.testing import BookContact, MemoryBook
from lockstep.mailchimp.asgi import AsgiTransport
from lockstep.mailchimp.hooks import signature_matches
from lockstep.sandbox.account import Account
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.clock import Clock as SandboxClock
from lockstep.sandbox.courier import InlineCourier, Outcome, Post
from lockstep.sandbox.door import ApiDoor
from lockstep.sandbox.sandbox import Sandbox
from lockstep.simulation.desk import Delivery, Desk, Mode
from lockstep.simulation.events import ADDRESSES, Beginning
from lockstep.simulation.jobs import Jobs
from lockstep.simulation.loop import Group, SimulatedLoop
from lockstep.simulation.network import Network
from lockstep.simulation.site import FIELD_MAP, TAG_RULE, Site, make_audience
from lockstep.simulation.store import SimulatedStore
from lockstep.simulation.watch import Watch, WatchedApi
from lockstep.simulation.worker import EPOCH, Worker

API_KEY = "0123456789abcdef0123456789abcdef-us6"
SWEEP_EVERY = 10.0
TRACE_LINES = 20_000


@dataclass(slots=True)
class World:
    """Made inside its loop; `random` streams come from the seed, one for each purpose."""

    loop: SimulatedLoop
    seed: int
    beginning: Beginning
    sandbox: Sandbox = field(init=False)
    account: Account = field(init=False)
    sites: list[Site] = field(init=False)
    current: int = 0
    """Which audience the people at the pages, and at Mailchimp, are busy with."""
    network: Network = field(init=False)
    jobs: Jobs = field(default_factory=Jobs)
    workers: list[Worker] = field(default_factory=list)
    group: Group = field(default_factory=lambda: Group("world"))
    door_down_until: float = 0.0
    last_edited: int = 0
    """The contact that somebody in the book edited last."""
    only_an_audit_tells: bool = False
    """Something happened that no poll and no webhook is sure to tell of."""
    trace: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    """What happened, by kind, and how often."""
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
        begin = self.beginning
        book = MemoryBook(tag_rule=TAG_RULE if begin.tags else None)
        self.sites = [self._site(0, "Members", begin.audience, book)]
        other = MemoryBook(book.contacts, chosen=book.chosen, tag_rule=book.tag_rule)
        self.sites.append(self._site(1, "Others", begin.others, other))
        for site in self.sites:
            site.watch.note_who_is_there()
        self.sites[0].desk.store.beside.append(self.sites[1].desk.store)
        self.sites[1].desk.store.beside.append(self.sites[0].desk.store)
        watches = {site.audience.id: site.watch for site in self.sites}
        api = WatchedApi(self.sandbox, watches, self._expect_tick)
        door = ApiDoor(self.sandbox, api, sleep=self.loop.pause)
        self.network = Network(self.loop, AsgiTransport(door), self._dice("network"), self.tell, self.seen)
        for index in begin.book:
            self.add_contact(ADDRESSES[index])
        for place in range(2):
            self.workers.append(self._worker(place))
        for worker in self.workers:
            worker.start()
        self.loop.spawn(self.group, self._sweep())

    def _dice(self, purpose: str) -> random.Random:
        return random.Random(f"{purpose} {self.seed}")  # noqa: S311  -- repeatable is the point

    def _site(self, number: int, name: str, people: tuple[tuple[int, str], ...], book: MemoryBook) -> Site:
        begin = self.beginning
        audience = make_audience(self.sandbox, self.account, name, people)
        limits = Limits(
            in_flight=begin.in_flight,
            slice_size=begin.slice_size,
            urgent_up_to=begin.urgent_up_to,
            singles_up_to=begin.singles_up_to,
        )
        desk = Desk(
            SimulatedStore(book),
            Policy(begin.new_status),
            limits,
            begin.proof,
            begin.opt_out_flags,
            Thresholds(at_least=begin.guarded_from),
            self.seen,
        )
        return Site(
            number, audience, Watch(audience, FIELD_MAP, begin.new_status, book.tag_rule, self.seen), desk
        )

    # --- what people are busy with --------------------------------------------------------------------

    @property
    def site(self) -> Site:
        return self.sites[self.current]

    @property
    def desk(self) -> Desk:
        return self.site.desk

    @property
    def audience(self) -> Audience:
        return self.site.audience

    @property
    def store(self) -> SimulatedStore:
        """The book, and what is remembered of the current audience."""
        return self.site.desk.store

    @property
    def contacts(self) -> dict[int, BookContact]:
        return self.sites[0].desk.store.book.contacts

    def add_contact(self, email: str) -> int:
        number = len(self.contacts) + 1
        group = "red" if number % 3 else "blue"
        return self.sites[0].desk.store.add(email, first_name=f"Name {number}", group=group)

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
            sites=self.sites,
            jobs=self.jobs,
            network=self.network,
            access=AccountAccess("https://us6.api.mailchimp.com", API_KEY, AuthKind.API_KEY),
            dice=self._dice(f"worker {number}"),
            skew=self.beginning.skews[place],
            tell=self.tell,
            seen=self.seen,
            bury=self._bury,
        )

    def _bury(self, worker: Worker) -> None:
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
        return any(self._has_work(site) for site in self.sites if site.used)

    def _has_work(self, site: Site) -> bool:
        desk, now = site.desk, EPOCH.timestamp() + self.loop.time()
        polled = desk.last_polled_at
        due = polled is None or now - polled.timestamp() >= rhythm.POLL_EVERY.total_seconds()
        hinted = any(not delivery.heeded for delivery in desk.deliveries)
        return (
            desk.open_run() is not None
            or (desk.mode is Mode.STOPPING and desk.broken is None)
            or (desk.is_live and (due or bool(desk.store.marks) or hinted))
        )

    def why_busy(self) -> str:
        """What is left to do, in words; '' when nothing is."""
        reasons = [
            f"{reason} ({site.audience.name})"
            for site in self.sites
            if site.used
            for reason in _why_busy(site.desk)
        ]
        if self.jobs.queued:
            reasons.append("a job waits")
        if self.jobs.holder is not None or any(worker.working for worker in self.workers):
            reasons.append("a worker works")
        if self.network.under_way:
            reasons.append("requests are under way")
        if any(worker.dead for worker in self.workers):
            reasons.append("a worker is dead")
        if any(worker.frozen_until > self.loop.time() for worker in self.workers):
            reasons.append("a worker stands still")
        return ", ".join(reasons)

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
        desk = next((site.desk for site in self.sites if site.hook_url == post.url), None)
        signature = post.headers.get("X-Mailchimp-Signature", "")
        secret = desk.webhook_signing_secret if desk else ""
        if desk is None or (secret and not signature_matches(secret, signature, post.body, now=now)):
            return Outcome(403)
        if desk.mode is Mode.ON:
            self.tell("a webhook call comes in")
            self.seen[_kind_of_hook(post.body)] += 1
            desk.deliveries.append(Delivery(post.body))
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
        self.site.watch.note_who_is_there()
        self._expect_tick()


def _why_busy(desk: Desk) -> Iterator[str]:
    run = desk.open_run()
    if run is not None:
        yield f"run {run.number} is {run.state.value}"
    if desk.mode is Mode.STOPPING and desk.broken is None:
        yield "it is being stopped"
    if desk.is_live and desk.store.marks:
        yield f"{len(desk.store.marks)} contacts are marked"
    if desk.is_live and any(not delivery.heeded for delivery in desk.deliveries):
        yield "webhook calls wait"


def _kind_of_hook(body: bytes) -> str:
    hint = read_hint(body)
    if hint is None or not hint.members:
        return "webhook of no use"
    if hint.opt_out:
        return "webhook of an unsubscribe"
    return "webhook of an address change" if len(hint.members) > 1 else "webhook of a member"
