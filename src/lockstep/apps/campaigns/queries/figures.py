"""Numbers of campaigns, and whose they are for: a rep limited to own clients sees only those counted."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lockstep.apps.accounts.permissions import Actor

__all__ = ["FIGURES", "Figures", "own_clients"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What recipients of one or several campaigns did. Clicks are the firm ones; opens read high.

    `openers` have opened, or a program did for them; `human_openers` have an open that no program made, as
    far as that can be told (see `reading.machines`).
    """

    recipients: int = 0
    opens: int = 0
    machine_opens: int = 0
    openers: int = 0
    human_openers: int = 0
    clicks: int = 0
    clickers: int = 0
    soft_bounces: int = 0
    hard_bounces: int = 0
    unsubscribed: int = 0

    @property
    def human_opens(self) -> int:
        return self.opens - self.machine_opens

    @property
    def bounces(self) -> int:
        return self.soft_bounces + self.hard_bounces

    @property
    def delivered(self) -> int:
        """Mails that did not bounce: what rates are of, as at Mailchimp."""
        return max(0, self.recipients - self.bounces)

    @property
    def open_share(self) -> float | None:
        """Share of those reached who opened themselves, in per cent; None of nobody."""
        return _share(self.human_openers, self.delivered)

    @property
    def all_open_share(self) -> float | None:
        """As `open_share`, programs included: the number that Mailchimp shows."""
        return _share(self.openers, self.delivered)

    @property
    def click_share(self) -> float | None:
        return _share(self.clickers, self.delivered)

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, name) + getattr(other, name) for name in FIGURES))


FIGURES = tuple(field.name for field in fields(Figures))


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def own_clients(actor: Actor, column: str) -> tuple[str, dict[str, object]]:
    """A condition on a column of client ids, and its parameters: TRUE for who sees all clients."""
    if not actor.own_clients_only:
        return "TRUE", {}
    return (
        f"{column} IN (SELECT id FROM book_client"
        " WHERE company_id = %(own_company)s AND rep_id = %(own_rep)s)",
        {"own_company": actor.company.pk, "own_rep": actor.user.pk if actor.user else None},
    )
