"""What Mailchimp's limits make of 1, 10 and 100 million contacts, by arithmetic and by playing the queue.

Two things can be short: Mailchimp's ten calls at once for each account, and the cores of our worker hosts.
The arithmetic takes the larger of the two times. The play follows every single call: it takes one of its
account's ten places, waits for a core of its account's host, first come, first served, and keeps the place
until Mailchimp has answered. No clock and no chance: the same numbers always give the same answer. PostgreSQL
is left out; what it costs a contact is T2's second part.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Sequence
from dataclasses import dataclass

NEEDS_DATABASE = False

MEMBERS_A_CALL = 500
CALLS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Setup:
    """Contacts spread evenly over accounts, accounts over hosts.

    `seconds` is what Mailchimp takes for a call, `cpu` what a contact costs of a worker's core, in seconds.
    """

    contacts: int
    accounts: int
    hosts: int
    seconds: float
    cpu: float
    cores: int = 2

    def calls_of(self, account: int) -> int:
        """How many calls an account's share takes."""
        share, rest = divmod(self.contacts, self.accounts)
        return -(-(share + (account < rest)) // MEMBERS_A_CALL)

    @property
    def by_mailchimp(self) -> float:
        """Seconds that the busiest account takes, were our hosts endlessly fast."""
        return -(-self.calls_of(0) // CALLS_AT_ONCE) * self.seconds

    @property
    def by_us(self) -> float:
        """Seconds that the cores of the busiest host take, were Mailchimp's answers there at once."""
        busiest = -(-self.accounts // self.hosts)
        return self.contacts * busiest / self.accounts * self.cpu / self.cores

    @property
    def by_arithmetic(self) -> float:
        """No queue can be done sooner."""
        return max(self.by_mailchimp, self.by_us)


def play(setup: Setup) -> float:
    """Seconds until the last call is answered."""
    piece = MEMBERS_A_CALL * setup.cpu
    cores = [[0.0] * setup.cores for _ in range(setup.hosts)]
    left = [setup.calls_of(account) for account in range(setup.accounts)]
    # Moments at which a place of an account is free: all ten are at the beginning.
    places = [(0.0, turn, account) for turn in range(CALLS_AT_ONCE) for account in range(setup.accounts)]
    heapq.heapify(places)
    ended = 0.0
    while places:
        now, turn, account = heapq.heappop(places)
        if not left[account]:
            continue
        left[account] -= 1
        host = cores[account % setup.hosts]
        sent = max(now, heapq.heappop(host)) + piece
        heapq.heappush(host, sent)
        answered = sent + setup.seconds
        ended = max(ended, answered)
        heapq.heappush(places, (answered, turn, account))
    return ended


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench limits", description=__doc__)
    parser.add_argument(
        "--cpu", type=float, default=200, help="microseconds of a core that a contact costs us"
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.2, 2.0, 10.0], help="of one call")
    given = parser.parse_args(arguments)
    print(f"{given.cpu:.0f} us of a core a contact, hosts of two cores; times as h:mm:ss\n")
    print("| contacts | accounts | hosts | a call | Mailchimp alone | our cores alone | played | short of |")
    print("|---|---|---|---|---|---|---|---|")
    for contacts, spread in _SPREADS:
        for accounts, hosts in spread:
            for seconds in given.seconds:
                setup = Setup(contacts, accounts, hosts, seconds, given.cpu / 1e6)
                short = "places" if setup.by_mailchimp >= setup.by_us else "cores"
                print(
                    f"| {contacts:,} | {accounts:,} | {hosts} | {seconds:g} s | {_clock(setup.by_mailchimp)} "
                    f"| {_clock(setup.by_us)} | {_clock(play(setup))} | {short} |"
                )
    return 0


_SPREADS = (
    (1_000_000, ((1, 1), (10, 1), (100, 2))),
    (10_000_000, ((1, 1), (10, 2), (100, 10))),
    (100_000_000, ((10, 2), (100, 10), (1_000, 50))),
)
"""Contacts, and over how many accounts and hosts."""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


if __name__ == "__main__":
    sys.exit(main())
