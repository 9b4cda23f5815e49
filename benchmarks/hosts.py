"""Syncs on several hosts (network namespaces) over one PostgreSQL; one is cut off, one dies."""

from __future__ import annotations

NEEDS_DATABASE = False
"""It brings its own, which is reached over a network of its own."""


def main(arguments: list[str] | None = None) -> int:
    from tests.hosts.play import main as play

    return play(arguments)
