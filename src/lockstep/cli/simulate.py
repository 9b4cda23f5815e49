"""``lockstep simulate``: random histories of the whole sync in simulated time, judged by the promises."""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from lockstep.simulation import Result, coverage, make_history, play
from lockstep.simulation.mutants import MUTANTS, Catch, hunt
from lockstep.simulation.shrink import shrink

__all__ = ["run"]

DEFAULT_SEEDS = range(2000)
_SHOWN = 5
"""Failing seeds that are made small and shown; of the others the numbers."""
_CHUNK = 20
_LINE_EVERY = 30.0
"""Seconds between two lines that say how far it is."""
_FIGURES = ("events", "requests", "writes")


def run(arguments: Sequence[str]) -> int:
    """Play histories; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="lockstep simulate",
        description="Plays random histories (edits, people at Mailchimp, crashes, lost answers, late "
        "webhooks) against the real planner, engine, bridge and client in simulated time, and checks the "
        "five promises at the end of each. A seed always plays the same history.",
    )
    parser.add_argument("--seeds", metavar="A..B", type=_seeds, default=DEFAULT_SEEDS, help="default 0..1999")
    parser.add_argument("--seed", metavar="N", type=int, help="play this one alone")
    parser.add_argument("--only", metavar="N,N", type=_numbers, help="with --seed: only these of its events")
    parser.add_argument("--verbose", action="store_true", help="with --seed: everything that happened")
    parser.add_argument(
        "--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="processes; default one a core"
    )
    parser.add_argument("--mutants", action="store_true", help="show that planted defects are caught")
    parser.add_argument("--brief", action="store_true", help="one line, if all is well")
    chosen = parser.parse_args(arguments)
    _get_ready()
    if chosen.seed is not None:
        return _one(chosen.seed, chosen.only, verbose=chosen.verbose)
    if chosen.mutants:
        return _mutants(chosen.seeds, chosen.jobs)
    return _many(chosen.seeds, chosen.jobs, brief=chosen.brief)


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form A..B") from None
    if not found or found[0] < 0:
        raise argparse.ArgumentTypeError(f"there are no seeds in {text!r}")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers") from None


def _get_ready() -> None:
    """The sync's own log tells of every simulated fault; and what a history leaves is collected seldom."""
    logging.getLogger("lockstep").setLevel(logging.CRITICAL)
    gc.set_threshold(20_000, 20, 20)


# --- one -------------------------------------------------------------------------------------------


def _one(seed: int, only: Sequence[int] | None, *, verbose: bool) -> int:
    history = make_history(seed)
    result = play(history if only is None else history.only(only))
    if verbose:
        print(f"{result.history.beginning}\n")
        print("\n".join(result.trace))
    _print_result(result)
    if not result.broken:
        return 0
    if only is None:
        _print_small(result)
    return 1


def _print_result(result: Result) -> None:
    figures = ", ".join(f"{result.figures[name]} {name}" for name in _FIGURES)
    print(f"\nseed {result.history.seed}: {figures}; trace {result.digest}")
    for words in result.broken:
        print(f"  BROKEN  {words}")


def _print_small(result: Result) -> None:
    small = shrink(result)
    numbers = ",".join(str(event.number) for event in small.history.events)
    print("\nthe smallest history found that breaks it:")
    for number, words in small.happened:
        print(f"  [{number}] {words}")
    for words in small.broken:
        print(f"  BROKEN  {words}")
    print(f"  again: lockstep simulate --seed {small.history.seed} --only {numbers} --verbose")


# --- many ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Total:
    """What many histories add up to."""

    figures: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)

    def add(self, other: _Total) -> None:
        self.figures.update(other.figures)
        self.seen.update(other.seen)
        self.failed += other.failed


def _many(seeds: range, processes: int, *, brief: bool) -> int:
    began = time.monotonic()
    total = _Total()
    next_line = began + _LINE_EVERY
    for some in _played(seeds, processes):
        total.add(some)
        if not brief and time.monotonic() > next_line:
            next_line += _LINE_EVERY
            done, seconds = total.figures["histories"], time.monotonic() - began
            failed = f"{len(total.failed)} broken"
            print(
                f"{done:,} of {len(seeds):,} histories, {failed}, {done / seconds:.0f} a second", flush=True
            )
    figures = total.figures
    print(
        f"{figures['histories']:,} histories in {time.monotonic() - began:.0f} s: "
        + ", ".join(f"{figures[name]:,} {name}" for name in _FIGURES)
        + f"; {figures['seconds'] / 3600:,.0f} hours of simulated time; "
        + f"{len(total.failed)} broke a promise"
    )
    missing = coverage.missing(total.seen) if len(seeds) >= coverage.ENOUGH else []
    for title, line in () if brief and not missing and not total.failed else coverage.lines(total.seen):
        print(textwrap.fill(line, 110, initial_indent=f"  {title}: ", subsequent_indent="    "))
    if missing:
        print(f"These never happened, so nothing is proven of them: {', '.join(missing)}")
    if total.failed:
        _print_failed(sorted(total.failed))
    if total.failed or missing:
        return 1
    if not brief:
        print("Every promise was kept.")
    return 0


def _print_failed(failed: Sequence[int]) -> None:
    print(f"Promises were broken in {len(failed)} histories: seeds {', '.join(map(str, failed[:50]))}")
    for seed in failed[:_SHOWN]:
        result = play(make_history(seed))
        _print_result(result)
        _print_small(result)


def _played(seeds: range, processes: int) -> Iterator[_Total]:
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    if processes < 2 or len(chunks) < 2:
        yield from map(_play_chunk, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_get_ready) as pool:
        yield from pool.imap_unordered(_play_chunk, chunks)


def _play_chunk(seeds: range) -> _Total:
    total = _Total()
    for seed in seeds:
        result = play(make_history(seed))
        total.add(_Total(result.figures, result.seen, [seed] if result.broken else []))
    return total


# --- mutants ---------------------------------------------------------------------------------------


def _mutants(seeds: range, processes: int) -> int:
    """Each until it is caught; 1 when one is not."""
    print(f"{len(MUTANTS)} planted defects, each until a history notices it\n", flush=True)
    missed = 0
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_get_ready) as pool:
        for catch in pool.imap(partial(hunt, seeds=seeds), MUTANTS):
            missed += catch.caught is None
            print(_told(catch), flush=True)
    print(f"\n{len(MUTANTS) - missed} of {len(MUTANTS)} were caught.")
    return 1 if missed else 0


def _told(catch: Catch) -> str:
    if catch.caught is None:
        return f"{catch.mutant.name}: NOT CAUGHT in {catch.plays:,} histories. {catch.mutant.what}"
    return f"{catch.mutant.name}: seed {catch.caught.history.seed}: {catch.caught.broken[0]}"
