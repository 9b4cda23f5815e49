"""May a failed call be repeated, and after how long? Pure: time and chance are passed in, nobody sleeps
here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.mailchimp.calls.call import Repeat
from lockstep.mailchimp.errors import (
    Advice,
    AnswerLost,
    Applied,
    EdgeRefused,
    MailchimpError,
    TooManyRequests,
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient to be. Seconds throughout.

    `attempts` counts the first one. The pause before the n-th repeat lies between half of and all of
    `first * 2**(n-1)`, but never above `cap`; after an edge refusal `edge_first` takes the place of
    `first`, because those go by reputation and pass slowly (contract 7). A lost answer to a write is
    not repeated unless `repeat_lost_writes`: whoever called should look first what became of it.
    """

    attempts: int = 6
    first: float = 0.5
    edge_first: float = 5.0
    cap: float = 60.0
    repeat_lost_writes: bool = False


#: for a sync that runs in the background
PATIENT = RetryPolicy()
#: for a person who waits at a page
IMPATIENT = RetryPolicy(attempts=2, first=0.3, edge_first=1.0, cap=2.0)
#: for whoever does their own waiting
ONE_ATTEMPT = RetryPolicy(attempts=1)


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Whether to repeat, and the pause before it in seconds (0 if not)."""

    repeat: bool
    pause: float = 0.0


GIVE_UP = RetryDecision(repeat=False)


def decide(
    error: MailchimpError, repeat: Repeat, attempt: int, jitter: float, policy: RetryPolicy
) -> RetryDecision:
    """What to do after `attempt` attempts (from 1) of which the last one failed with `error`.

    `jitter` is a random number in [0, 1).
    """
    if attempt >= policy.attempts or not may_repeat(error, repeat, policy):
        return GIVE_UP
    return RetryDecision(repeat=True, pause=pause_before_repeat(error, attempt, jitter, policy))


def may_repeat(error: MailchimpError, repeat: Repeat, policy: RetryPolicy) -> bool:
    """Whether a second attempt could help and cannot harm."""
    if error.advice is not Advice.RETRY:
        return False
    if repeat is Repeat.READ or error.applied is Applied.NO:
        return True
    if repeat is Repeat.ONCE:
        return False
    return policy.repeat_lost_writes or not isinstance(error, AnswerLost)


def pause_before_repeat(error: MailchimpError, attempt: int, jitter: float, policy: RetryPolicy) -> float:
    """Seconds to wait before repeat number `attempt` (from 1): at least what Mailchimp asked for, up to
    the cap.
    """
    first = policy.edge_first if isinstance(error, EdgeRefused) else policy.first
    backoff = min(policy.cap, first * 2.0 ** min(attempt - 1, 30))
    pause = backoff * (0.5 + jitter / 2)
    if isinstance(error, TooManyRequests) and error.retry_after is not None:
        pause = max(pause, min(error.retry_after, policy.cap))
    return pause
