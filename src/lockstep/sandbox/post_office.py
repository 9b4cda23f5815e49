"""Webhook calls on their way: sent, repeated with growing gaps, given up; and the record of them.

Audience webhooks and batch webhooks both send through here. Gaps and faults are simulated time; sending is
the courier's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clock import iso
from .courier import Outcome, Post
from .faults import Fault

if TYPE_CHECKING:
    from .sandbox import Sandbox

__all__ = ["GAPS", "Attempt", "Delivery", "PostOffice", "post_office_of", "signature"]

USER_AGENT = "MailChimp.com"
#: Seconds before each repeat (contract, section 8): `growing` for 75 minutes as the guide says, `even` as the
#: release note of 2024-06-17 says.
# INFERRED: the steps within the 75 minutes.
GAPS: dict[str, tuple[int, ...]] = {
    "growing": (60, 180, 600, 1260, 2400),
    "even": (20 * 60,) * 20,
}
_REMEMBERED = 5000


def signature(secret: str, moment: int, body: bytes) -> str:
    """`X-Mailchimp-Signature` (contract, 8): HMAC-SHA256 over `<t>.<raw body>`."""
    digest = hmac.new(secret.encode(), str(moment).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try; `at` is simulated time."""

    at: float
    outcome: Outcome


@dataclass(slots=True)
class Delivery:
    """One call to one webhook. `state` is waiting, delivered, failed (given up) or lost (by a fault)."""

    number: int
    webhook: str
    url: str
    kind: str
    body: bytes
    secret: str
    made_at: float
    state: str = "waiting"
    attempts: list[Attempt] = field(default_factory=list)
    next_at: float | None = None
    fault: str = ""

    def document(self) -> dict[str, Any]:
        """As the control door shows it."""
        return {
            "number": self.number,
            "webhook": self.webhook,
            "url": self.url,
            "type": self.kind,
            "body": self.body.decode(),
            "made_at": iso(int(self.made_at)),
            "state": self.state,
            "fault": self.fault,
            "next_at": iso(None if self.next_at is None else int(self.next_at)),
            "attempts": [
                {
                    "at": iso(int(attempt.at)),
                    "status": attempt.outcome.status,
                    "error": attempt.outcome.error,
                    "milliseconds": attempt.outcome.milliseconds,
                }
                for attempt in self.attempts
            ],
        }


class PostOffice:
    """All deliveries of a sandbox. The last 5,000 are remembered."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.deliveries: deque[Delivery] = deque(maxlen=_REMEMBERED)
        self.number = 0

    def waiting(self, webhooks: set[str]) -> int:
        """How many calls to these webhooks have not been taken or given up."""
        return sum(d.state == "waiting" and d.webhook in webhooks for d in self.deliveries)

    def post(
        self,
        webhook: str,
        url: str,
        kind: str,
        body: bytes,
        at: float,
        *,
        secret: str = "",
        gone: Callable[[], bool],
        heard: Callable[[bool, bool], None],
    ) -> None:
        """Call a webhook about `kind`.

        `gone()` says whether the webhook is deleted or disabled by now; `heard(taken, given_up)` is told of
        every try.
        """
        faults = {
            fault.kind: fault
            for fault in self._sandbox.faults.striking("HOOK", f"/{webhook}/{kind}", self._sandbox.ids)
        }
        for _ in range(2 if "hook_twice" in faults else 1):
            self.number += 1
            delivery = Delivery(self.number, webhook, url, kind, body, secret, at)
            delivery.fault = ", ".join(faults)
            self.deliveries.append(delivery)
            self._dispatch(delivery, faults, gone, heard)

    def _dispatch(
        self,
        delivery: Delivery,
        faults: dict[str, Fault],
        gone: Callable[[], bool],
        heard: Callable[[bool, bool], None],
    ) -> None:
        schedule, delay = self._sandbox.schedule, self._sandbox.switches.webhook_delay_seconds
        if "hook_never" in faults:
            delivery.state = "lost"
            return
        if "hook_late" in faults:
            delay += int(faults["hook_late"]["seconds"])
        if "hook_disorder" in faults:
            # Somewhere in the next seconds, so that later ones overtake it.
            delay += int(faults["hook_disorder"]["seconds"] * self._sandbox.ids.chance()) + 1
        delivery.next_at = delivery.made_at + delay
        schedule.at(delivery.next_at, lambda moment: self._try(delivery, moment, gone, heard))

    def _try(
        self, delivery: Delivery, moment: float, gone: Callable[[], bool], heard: Callable[[bool, bool], None]
    ) -> None:
        if gone():
            delivery.state, delivery.next_at = "failed", None
            return
        headers = {
            "User-Agent": USER_AGENT,
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(delivery.body)),
        }
        courier = self._sandbox.courier
        if delivery.secret:
            headers["X-Mailchimp-Signature"] = signature(delivery.secret, int(courier.now()), delivery.body)
        delivery.next_at = None
        courier.send(
            Post("POST", delivery.url, headers, delivery.body),
            lambda outcome: self._heard(delivery, moment, outcome, gone, heard),
        )

    def _heard(
        self,
        delivery: Delivery,
        moment: float,
        outcome: Outcome,
        gone: Callable[[], bool],
        heard: Callable[[bool, bool], None],
    ) -> None:
        delivery.attempts.append(Attempt(moment, outcome))
        if outcome.good:
            delivery.state = "delivered"
            heard(True, False)
            return
        gaps = GAPS[self._sandbox.switches.webhook_retries]
        repeats = len(delivery.attempts) - 1
        if repeats >= len(gaps):
            delivery.state = "failed"
            heard(False, True)
            return
        heard(False, False)
        delivery.next_at = moment + gaps[repeats]
        self._sandbox.schedule.at(delivery.next_at, lambda due: self._try(delivery, due, gone, heard))


def post_office_of(sandbox: Sandbox) -> PostOffice:
    """The post office of a sandbox."""
    return sandbox.store("post", lambda: PostOffice(sandbox))
