"""A transport that answers from a script and writes down what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lockstep.mailchimp import ApiKey, Gate, MailchimpAPI, MailchimpError, RetryPolicy
from lockstep.mailchimp.exchange import HttpReply, HttpRequest
from lockstep.mailchimp.retry import PATIENT

Step = HttpReply | MailchimpError | Callable[[HttpRequest], HttpReply]


def ok(body: Any = None, status: int = 200, **headers: str) -> HttpReply:
    return HttpReply(status, headers, b"" if body is None else json.dumps(body).encode())


class ScriptedTransport:
    """Answers with one step after the other; more requests than steps are an error of the test."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.requests: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        step = self._steps.pop(0)
        if isinstance(step, MailchimpError):
            raise step
        return step if isinstance(step, HttpReply) else step(request)

    async def close(self) -> None:
        assert not self._steps, "not all of the script was played"


class Pauses:
    """A sleep that only notes how long it would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.now = 0.0

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def scripted_api(
    *steps: Step, policy: RetryPolicy = PATIENT
) -> tuple[MailchimpAPI, ScriptedTransport, Pauses]:
    transport, pauses = ScriptedTransport(*steps), Pauses()
    api = MailchimpAPI(
        base_url="https://us6.api.mailchimp.com/3.0",
        credential=ApiKey("0" * 32 + "-us6"),
        transport=transport,
        gate=Gate(now=pauses.clock),
        policy=policy,
        sleep=pauses,
        jitter=lambda: 1.0,
    )
    return api, transport, pauses
