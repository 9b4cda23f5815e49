"""``lockstep simulate``: random histories of the whole sync in simulated time, judged by the promises."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from lockstep.simulation import Result, make_history, play
from lockstep.simulation.shrink import shrink

__all__ = ["run"]

DEFAULT_SEEDS = range(2000)
_SHOWN = 5
"""Failing seeds that are made small and shown; of the others the numbers."""
_CHUNK = 20
_FIGURES = ("events", "requests", "writes", "faults", "hooks", "kills", "freezes")


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
    parser.add_argument("--processes", metavar="N", type=int, default=min(2, os.cpu_count() or 1))
    chosen = parser.parse_args(arguments)
    _hush()
    if chosen.seed is not None:
        return _one(chosen.seed, chosen.only, verbose=chosen.verbose)
    return _many(chosen.seeds, chosen.processes)


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


def _hush() -> None:
    """The sync's own log tells of every simulated fault."""
    logging.getLogger("lockstep").setLevel(logging.CRITICAL)


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


def _many(seeds: range, processes: int) -> int:
    began = time.monotonic()
    total: Counter[str] = Counter()
    failed: list[int] = []
    next_line = began + 10
    for figures, broken in _played(seeds, processes):
        total.update(figures)
        failed += broken
        if time.monotonic() > next_line:
            next_line += 10
            print(f"{total['histories']:,} of {len(seeds):,} histories, {len(failed)} broken", flush=True)
    seconds = time.monotonic() - began
    print(
        f"{total['histories']:,} histories in {seconds:.0f} s: "
        + ", ".join(f"{total[name]:,} {name}" for name in _FIGURES)
        + f"; {total['seconds'] / 3600:,.0f} hours of simulated time"
    )
    if not failed:
        print("Every promise was kept.")
        return 0
    failed.sort()
    print(f"Promises were broken in {len(failed)} histories: seeds {', '.join(map(str, failed[:50]))}")
    for seed in failed[:_SHOWN]:
        result = play(make_history(seed))
        _print_result(result)
        _print_small(result)
    return 1


def _played(seeds: range, processes: int) -> Iterator[tuple[Counter[str], list[int]]]:
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    if processes < 2 or len(chunks) < 2:
        yield from map(_play_chunk, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_hush) as pool:
        yield from pool.imap_unordered(_play_chunk, chunks)


def _play_chunk(seeds: range) -> tuple[Counter[str], list[int]]:
    total: Counter[str] = Counter()
    broken: list[int] = []
    for seed in seeds:
        result = play(make_history(seed))
        total.update(result.figures)
        if result.broken:
            broken.append(seed)
    return total, broken
