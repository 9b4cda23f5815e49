"""A typed, asynchronous client of Mailchimp's Marketing API 3.0. It knows nothing of contacts.

What it decides it decides without I/O: `calls` builds requests, `replies` reads answers, `errors` names
failures, `retry` and `throttle` say when; `sending` waits; `transport` alone touches the network. Start at
`api.MailchimpAPI`.
"""

from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.credentials import AccessToken, ApiKey
from lockstep.mailchimp.errors import Advice, Applied, MailchimpError
from lockstep.mailchimp.refusals import Reason
from lockstep.mailchimp.retry import IMPATIENT, ONE_ATTEMPT, PATIENT, RetryPolicy
from lockstep.mailchimp.throttle import Gate, GateState, Lane

__all__ = [
    "IMPATIENT",
    "ONE_ATTEMPT",
    "PATIENT",
    "AccessToken",
    "Advice",
    "ApiKey",
    "Applied",
    "Gate",
    "GateState",
    "Lane",
    "MailchimpAPI",
    "MailchimpError",
    "Reason",
    "RetryPolicy",
]
