"""What is expected of each cell of the fault matrix, and the table of it in the documentation.

`python -m tests.scenarios.fault_table` prints the table.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BEGIN", "END", "EXPECTED", "as_markdown"]

BEGIN, END = "<!-- fault matrix -->\n", "<!-- end of the fault matrix -->\n"

REFUSED = (
    *("too_many_requests", "too_many_requests_plain", "forbidden_html"),
    *("unavailable", "internal_error", "reset"),
)
"""Nothing was done, or it can be repeated; it is, for a while."""
LOST = ("reset_after", "timeout", "truncated")
"""It was done, and nobody was told."""
HARMLESS = ("latency", "slow_drip", "stale")
PAUSES = {
    "key_revoked": "pauses: key_revoked",
    "user_disabled": "pauses: user_disabled",
    "audience_deleted": "pauses: audience_gone",
}
KINDS = (*HARMLESS, *REFUSED, *LOST, *PAUSES, "plan_limit")


def _row(**cells: str) -> dict[str, str]:
    return {kind: cells.get(kind, "goes on") for kind in KINDS}


def _all(kinds: tuple[str, ...], word: str) -> dict[str, str]:
    return dict.fromkeys(kinds, word)


READS = _all((*REFUSED, *LOST), "waits") | PAUSES
"""A read is repeated, then waited for."""
WRITES = _all(REFUSED, "waits") | PAUSES
"""A write whose answer was lost is looked at: it was done, so the sync goes on."""
PAGE = _all((*REFUSED, *LOST), "refused: MailchimpAway")
"""A person waits: they are told to try again in a minute."""
NO_WEBHOOK = "no webhook, polls"
FULL = "1 failed: over_plan"

EXPECTED: Mapping[str, Mapping[str, str]] = {
    "connect": _row(**PAGE, **_all(("key_revoked", "user_disabled"), "refused: CredentialsRefused")),
    "select audience": _row(
        **PAGE,
        **_all(("key_revoked", "user_disabled"), "refused: ConnectionBroken"),
        audience_deleted="refused: MailchimpRefused",
    ),
    "create fields": _row(**READS),
    "prove batches": _row(**READS, plan_limit="goes on singly"),
    "webhook": _row(**READS | {"key_revoked": NO_WEBHOOK, "user_disabled": NO_WEBHOOK}),
    "read audience": _row(**READS),
    "read archived": _row(**READS),
    "push together": _row(**WRITES, plan_limit="4 failed: over_plan"),
    "push singly": _row(**WRITES, plan_limit="4 failed: over_plan"),
    "edit": _row(**WRITES),
    "newcomer": _row(**WRITES, plan_limit=FULL),
    "new address": _row(**WRITES),
    "leaves the scope": _row(**WRITES),
    "look after a kill": _row(**READS),
    "retry": _row(
        **READS | {kind: f"{words}, 1 failed: too_many_signups" for kind, words in PAUSES.items()},
        plan_limit=FULL,
    ),
    "stop": _row(**WRITES),
    "poll": _row(**READS),
    "nightly audit": _row(**READS),
    "disconnect": _row(),
}


def as_markdown() -> str:
    """The table: a row for each phase, faults with the same outcome everywhere together."""
    columns: dict[tuple[str, ...], list[str]] = {}
    for kind in KINDS:
        columns.setdefault(tuple(row[kind] for row in EXPECTED.values()), []).append(kind)
    head = [", ".join(f"`{kind}`" for kind in kinds) for kinds in columns.values()]
    lines = ["| phase | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for number, phase in enumerate(EXPECTED):
        lines.append(f"| {phase} | " + " | ".join(cells[number] for cells in columns) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_markdown())  # noqa: T201 -- the command's answer
