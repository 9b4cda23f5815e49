"""A sandbox in which every path has something to answer, for the tests with Mailchimp's official clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockstep.sandbox.campaign import campaigns_of
from lockstep.sandbox.courier import InlineCourier, Outcome
from lockstep.sandbox.interest import add_category
from lockstep.sandbox.marketer import create_campaign, play
from lockstep.sandbox.sandbox import Sandbox
from lockstep.sandbox.testing import SandboxServer

HOME = "https://club.example/"
DONATE = "https://club.example/donate"


@dataclass(frozen=True)
class Played:
    """The audience of the first account, and a campaign that Pat opened and clicked."""

    audience: str
    campaign: str


def set_up(sandbox: Sandbox) -> Played:
    """Webhooks that answer, batches that do not dawdle, interests, and a campaign with a reader."""
    sandbox.courier = InlineCourier(lambda post: Outcome(200))
    sandbox.switches.set("batch_stage_seconds", 0)
    sandbox.switches.set("batch_operations_per_second", 0)
    account = next(iter(sandbox.accounts.values()))
    audience = next(iter(account.audiences.values()))
    add_category(audience, "Topics", ["Music", "Sport"], sandbox.ids)
    nobody = {"open": 0, "machine": 0, "soft": 0, "hard": 0}
    sent: dict[str, Any] = create_campaign(
        sandbox, audience.id, "Spring", links=[HOME, DONATE], send=True, behaviour=nobody
    )
    sandbox.clock.advance(60)
    sandbox.tick()
    play(sandbox, sent["id"], "pat@club.example", "click", HOME)
    assert campaigns_of(sandbox).find(sent["id"]) is not None
    return Played(audience.id, sent["id"])


def uncalled(server: SandboxServer) -> set[tuple[str, str]]:
    """(method, pattern) of the sandbox's routes that nobody has called with success."""
    api = server.sandbox.api
    assert api is not None
    called = {(method, route) for (method, route, status) in server.sandbox.log.counts if status < 300}
    return {(route.method, route.pattern) for route in api.routes} - called
