"""Tags under our prefix, for pages: what the book says, what the member carries, and whose the rest is."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import WrittenTag
from lockstep.core.tags import Tags


def has_written_tags(connection: Connection) -> bool:
    """Whether any tag at Mailchimp was written by Lockstep and not taken off since."""
    return WrittenTag.objects.filter(connection=connection).exists()


def compared_tags(
    connection: Connection, member_hash: str, wanted: Tags, observed: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The member's tags that are ours, in the book's spelling where it has them, and those of others.

    Others' are under our prefix too, but neither in the book nor written by us: they are left alone.
    """
    book = {name.casefold(): name for name in wanted}
    rows = WrittenTag.objects.filter(connection=connection, member_hash=member_hash)
    written = {name.casefold() for name in rows.values_list("name", flat=True)}
    ours, others = [], []
    for name in observed:
        folded = name.casefold()
        if folded in book or folded in written:
            ours.append(book.get(folded, name))
        else:
            others.append(name)
    return ours, others
