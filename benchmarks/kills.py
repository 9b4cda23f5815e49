"""Kills workers, web, PostgreSQL and Mailchimp at random moments of a sync; checks every promise after.

Two workers on one server, real processes, SIGKILL. Each round people edit the book, act at Mailchimp, stop,
start and refresh, while processes are killed and started again. Then everything comes to rest, and the
promises are checked for every contact and every member. Exit code 1 when one was broken, when anything did
not come to rest, or when a takeover took longer than a minute. The same seed deals the same deeds and kills
at the same moments.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NEEDS_DATABASE = False
"""It brings its own: one that may be killed."""

TARGET_TAKEOVER = 60.0
"""Seconds from a kill until the work goes on (product.md R2)."""

_VICTIMS = ("busy worker", "both workers", "web", "postmaster", "backend", "sandbox")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=0, help="end with the round that is on by then")
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--latency", type=float, default=100, help="milliseconds of every answer of Mailchimp"
    )
    parser.add_argument(
        "--victims", default="", help="only these, in this order, one a round: web,sandbox,..."
    )
    parser.add_argument("--rest", type=float, default=240, help="seconds to come to rest within")
    parser.add_argument("--keep", type=Path, help="a folder for the logs and the database, to look at later")
    given = parser.parse_args(arguments)
    from tests.kills.stage import stage

    with tempfile.TemporaryDirectory(prefix="lockstep-kills-") as folder:
        place = given.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        with stage(place, latency=given.latency) as everything:
            return _Torture(everything, given).run()


@dataclass(slots=True)
class _Watch:
    """Waits for the work to go on after a kill."""

    victim: str
    killed_at: float
    by: tuple[str, ...]


@dataclass(slots=True)
class _Torture:
    stage: Any
    given: argparse.Namespace
    people: Any = None
    takeovers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    kills: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    under_way: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    watches: list[_Watch] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def run(self) -> int:
        from tests.kills.judge import census
        from tests.kills.people import People

        given, began = self.given, time.monotonic()
        print(f"{given.contacts:,} contacts, seed {given.seed}, {os.cpu_count()} cores", flush=True)
        self.stage.start("sandbox")
        self.people = People(self.stage, given.contacts)
        self.people.prepare(random.Random(given.seed))
        for name in ("web", "worker 1", "worker 2"):
            self.stage.start(name)
        before = census(self.stage.stack, self.people.audience, self.people.key)
        rounds = 0
        for number in range(given.rounds):
            try:
                before = self._round(number, before)
            except KeyboardInterrupt:
                return self._report(rounds, time.monotonic() - began)
            rounds += 1
            late = given.minutes and time.monotonic() - began > given.minutes * 60
            if self.wrong or late:
                break
        if not self.wrong:
            self._nothing_left_to_write()
        return self._report(rounds, time.monotonic() - began)

    # --- a round ---

    def _round(self, number: int, before: Any) -> Any:
        from tests.kills.judge import broken, census

        dice = random.Random(f"{self.given.seed}/{number}")
        began = time.monotonic()
        schedule = self._schedule(number, dice)
        self.people.moved, self.people.edited = set(), set()
        self._play(schedule, began)
        rested = self._come_to_rest(number)
        took = time.monotonic() - began
        happened = "; ".join(f"{at:.1f} s {what}" for at, what, _, _ in schedule)
        print(f"round {number}: {happened}", flush=True)
        if not rested:
            return before
        self.rests.append(took)
        now = self.stage.ask(lambda: census(self.stage.stack, self.people.audience, self.people.key))
        found = self.stage.ask(
            lambda: broken(
                self.people.connection,
                before,
                now,
                moved=self.people.moved,
                edited=self.people.edited,
                refused=self.people.refused,
            )
        )
        self.wrong += [f"round {number}: {words}" for words in found]
        verdict = f"{len(found)} BROKEN" if found else "every promise kept"
        print(f"   at rest after {took:.0f} s, {len(now.members):,} members: {verdict}", flush=True)
        return now

    def _schedule(self, number: int, dice: random.Random) -> list[tuple[float, str, str, float]]:
        """(second, words, what, seconds that a victim stays away), in order of time."""
        from tests.kills.people import DEEDS

        if number == 0:
            deeds = [(0.0, "start", "start", 0.0)]
            moments = [dice.uniform(1.0, 2.0 + self.given.contacts / 1_500) for _ in range(2)]
        else:
            chosen = dice.sample(sorted(DEEDS), 3)
            deeds = [(dice.uniform(0, 3), deed, deed, 0.0) for deed in chosen]
            moments = [dice.uniform(0.2, 6.0) for _ in range(dice.choice((1, 1, 2, 3)))]
        victims = [dice.choice(_VICTIMS) for _ in moments]
        if self.given.victims:
            fixed = self.given.victims.split(",")
            victims, moments = [fixed[number % len(fixed)]], moments[:1]
        kills = []
        for moment, victim in zip(moments, victims, strict=True):
            # A worker stays away for long: the other has to take over.
            away = 25.0 if victim == "busy worker" else dice.uniform(0.5, 8.0)
            kills.append((moment, f"kill {victim}", f"kill {victim}", away))
        return sorted(deeds + kills)

    def _play(self, schedule: list[tuple[float, str, str, float]], began: float) -> None:
        from django.db import InterfaceError, OperationalError, connection

        todo = [(began + at, what, away) for at, _, what, away in schedule]
        dice = random.Random(f"{self.given.seed}/{schedule}")
        while todo:
            self._breathe()
            now = time.monotonic()
            due = [one for one in sorted(todo) if one[0] <= now]
            if not due:
                continue
            # A kill that waits for work to be under way keeps no deed from being done.
            at, what, away = next((one for one in due if not one[1].startswith("kill ")), due[0])
            todo.remove((at, what, away))
            if what.startswith("kill "):
                # In the middle of work, if there is any within the next seconds.
                if not self._is_at_work() and time.monotonic() < at + 6:
                    todo.append((at, what, away))
                else:
                    self._kill(what.removeprefix("kill "), dice, away)
                continue
            try:
                if what == "start":
                    self.people.start()
                else:
                    self.people.do(what, dice)
            except (OperationalError, InterfaceError, ConnectionError, AttributeError, TypeError) as error:
                if isinstance(error, AttributeError | TypeError) and self.stage.all_are_up():
                    raise
                connection.close()
                todo.append((time.monotonic() + 1.0, what, away))

    def _kill(self, victim: str, dice: random.Random, away: float) -> None:
        stage = self.stage
        busy = self._is_at_work()
        gone = stage.kill(victim, dice, away)
        self.kills[victim] += 1
        if not busy:
            return
        self.under_way[victim] += 1
        if victim != "web":
            left = tuple(name for name in ("worker 1", "worker 2") if name not in gone)
            if victim in ("both workers", "postmaster", "backend", "sandbox"):
                left = ("worker 1", "worker 2")
            self.watches.append(_Watch(victim, time.monotonic(), left))

    def _is_at_work(self) -> bool:
        return any(self.stage.is_busy(name) for name in ("worker 1", "worker 2"))

    def _breathe(self) -> None:
        self.stage.look_after()
        for watch in list(self.watches):
            waited = time.monotonic() - watch.killed_at
            if waited > 0.5 and self._goes_on(watch):
                self.takeovers[watch.victim].append(waited)
                self.watches.remove(watch)
            elif waited > TARGET_TAKEOVER * 2:
                self.wrong.append(f"Nobody took over for {waited:.0f} s after killing: {watch.victim}.")
                self.watches.remove(watch)
        time.sleep(0.02)

    def _goes_on(self, watch: _Watch) -> bool:
        if watch.victim in ("postmaster", "backend", "sandbox") and not self.stage.all_are_up():
            return False
        return any(self.stage.is_busy(name) for name in watch.by)

    # --- rest ---

    def _come_to_rest(self, number: int) -> bool:
        deadline = time.monotonic() + self.given.rest
        polled = False
        while time.monotonic() < deadline:
            self._breathe()
            if not self.stage.all_are_up() or not self.stage.ask(self._is_quiet):
                time.sleep(0.1)
                continue
            if self.watches:
                self.watches = [w for w in self.watches if time.monotonic() - w.killed_at < 1]
                continue
            if not self.stage.ask(self._is_on):
                self.stage.ask(self.people.start)
            elif not polled:
                # What would come by itself a minute later; nothing may be left after it.
                self.stage.ask(self._let_a_minute_pass)
                polled = True
            else:
                return True
        self.wrong.append(f"round {number}: not at rest: {self.stage.ask(self._unrest)}")
        return False

    def _is_on(self) -> bool:
        return bool(self.people.connection.on)

    def _let_a_minute_pass(self) -> None:
        from lockstep.apps.connections.models import Connection

        Connection.objects.filter(pk=self.people.connection_id).update(last_polled_at=None)

    def _is_quiet(self) -> bool:
        return not self._unrest()

    def _unrest(self) -> str:
        """What is still to do; '' when nothing is."""
        from django.db import connection as database

        from lockstep.apps.book.models import Change
        from lockstep.apps.connections.models import Connection
        from lockstep.apps.sync.models import Mark, MemberRecord, SyncRun, WebhookDelivery

        link = self.people.connection
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'lockstep.sync.look'"
                " AND status IN ('todo', 'doing')"
            )
            (jobs,) = cursor.fetchone()
        run = SyncRun.objects.filter(connection=link).order_by("-id").first()
        if run is not None and run.state in (SyncRun.State.FAILED, SyncRun.State.WAITING):
            self._take_up_again(run)
        left = {
            "run open": SyncRun.objects.filter(connection=link, state__in=SyncRun.OPEN_STATES).count(),
            "marks": Mark.objects.filter(connection_id=link.pk).count(),
            "changes": Change.objects.count(),
            "uncertain": MemberRecord.objects.filter(connection=link, uncertain=True).count(),
            "deliveries": WebhookDelivery.objects.filter(heeded_at=None).count(),
            "jobs": jobs,
            "stopping": int(link.mode == Connection.Mode.STOPPING),
            "poll due": int(link.on and link.live_at is not None and link.last_polled_at is None),
            f"broken {link.broken_kind}": int(bool(link.broken_kind)),
        }
        return ", ".join(f"{name}: {count}" for name, count in left.items() if count)

    def _take_up_again(self, run: Any) -> None:
        """A person confirms what the guards ask about. A run that failed is a fault of ours."""
        from lockstep.apps.sync import services
        from lockstep.apps.sync.models import SyncRun

        if run.state == SyncRun.State.WAITING:
            services.confirm_guards(self.people.actor(), run)
        else:
            self.wrong.append(f"A {run.kind} run failed: {run.error_kind} {run.error_text}")
            SyncRun.objects.filter(pk=run.pk).update(state=SyncRun.State.STOPPED)

    def _nothing_left_to_write(self) -> None:
        """P3: a run with nothing to change writes nothing."""
        from lockstep.apps.sync import services

        before = self.stage.stack.number_of_requests()
        services.refresh(self.people.actor(), self.people.connection)
        if not self._come_to_rest(-1):
            return
        writes = [
            one
            for one in self.stage.stack.requests(after=before, writes=True)
            if "/webhooks" not in one["path"]
        ]
        if writes:
            self.wrong.append(f"P3: a run with nothing to change made {len(writes)} writes.")

    # --- report ---

    def _report(self, rounds: int, seconds: float) -> int:
        print(f"\n{rounds} rounds in {seconds / 60:.1f} min; load {os.getloadavg()[0]:.1f}\n")
        print(f"{'killed':<16}{'times':>6}{'under way':>11}   the work went on after")
        for victim in _VICTIMS:
            waits = sorted(self.takeovers[victim])
            words = f"{statistics.median(waits):.1f} s, at most {waits[-1]:.1f} s" if waits else "–"
            print(f"{victim:<16}{self.kills[victim]:>6}{self.under_way[victim]:>11}   {words}")
        if self.rests:
            print(f"\nat rest after {statistics.median(self.rests):.0f} s, at most {max(self.rests):.0f} s")
        alone = {name: self.stage.ended_alone.count(name) for name in sorted(set(self.stage.ended_alone))}
        print(f"ended by themselves and were started again: {alone or 'nobody'}")
        longest = max((max(waits) for waits in self.takeovers.values() if waits), default=0.0)
        if longest > TARGET_TAKEOVER:
            self.wrong.append(f"A takeover took {longest:.0f} s.")
        for words in self.wrong[:40]:
            print(f"  BROKEN  {words}")
        print("Every promise was kept." if not self.wrong else f"{len(self.wrong)} things are wrong.")
        return 1 if self.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
