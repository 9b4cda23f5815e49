"""What can go wrong when talking to Mailchimp.

Every error answers one question through `advice`: try again later, skip this one, or stop the run. Those
that concern a write also answer through `applied` whether Mailchimp may have carried it out. The texts of
these exceptions (`str(error)`) never hold an address or a name and may be logged; `detail`, in Mailchimp's
own words and language, often names the person and belongs on a page only.

    MailchimpError
    ├── InvalidCall              stop    we would have built a wrong request; nothing was sent
    ├── NotSent                  retry   no connection; nothing was sent
    ├── AnswerLost               retry   sent, no readable answer: a write may have happened
    │   └── TimedOut                     no answer in time; one of the ten connections may stay taken
    ├── UnreadableReply          retry   a read was answered with something that is not the promised JSON
    ├── Busy                     retry
    │   ├── TooManyRequests              429: more than ten connections, or too many batches waiting
    │   ├── EdgeRefused                  refused before Mailchimp itself saw it: HTML 403, empty 503 ...
    │   └── ServerError                  5xx: a write may have happened
    ├── AccountRefused           stop
    │   ├── ApiKeyMissing
    │   ├── ApiKeyInvalid
    │   ├── UserDisabled
    │   ├── WrongDatacenter              (.datacenter: the right one)
    │   ├── MethodDisabled
    │   └── Forbidden
    │       └── RoleTooLow               the key works, its owner may not do this
    ├── RequestRefused           skip    (.reason, .errors)
    │   ├── NotFound
    │   ├── MethodNotAllowed             (.allow)
    │   ├── MemberExists
    │   ├── ComplianceState
    │   ├── ForgottenEmail
    │   ├── InvalidResource              (.errors: the fields; .culprits: which items of a batch)
    │   ├── TooLarge
    │   └── BadRequest                   any other 4xx with a problem document
    ├── BatchProblem
    │   ├── BatchLinkExpired     retry   ask for the batch again: it comes with a fresh link
    │   ├── BatchResultsTooLarge skip
    │   └── BatchNotFinished     retry   still running when our patience ended
    ├── OAuthRefused             stop    (.error: the code of RFC 6749)
    └── MalformedHook            skip    a webhook body that is no form Mailchimp sends
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar

from lockstep.mailchimp.refusals import Reason
from lockstep.mailchimp.wire import FieldProblem


class Advice(Enum):
    """What the caller should do about an error."""

    RETRY = "retry"  #: the same call may succeed later
    SKIP = "skip"  #: this call will not succeed as it is; others may go on
    STOP = "stop"  #: no call of this account will succeed until a person acts


class Applied(Enum):
    """Whether a write that failed may have taken effect."""

    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a failed exchange. `detail` is Mailchimp's prose and may name a person."""

    call: str = ""  #: name of the call (`Call.name`)
    status_code: int | None = None  #: HTTP status, None if there was no answer
    title: str = ""  #: title of the problem document
    detail: str = ""  #: Mailchimp's own words, in the audience's language
    instance: str = ""  #: Mailchimp's id of this failure, for its support
    applied: Applied = Applied.NO  #: whether a write may have happened in spite of the failure

    def about(self, call: str, *, writes: bool) -> Facts:
        """The same facts, of the call of this name; a read never leaves anything applied."""
        return replace(self, call=call, applied=self.applied if writes else Applied.NO)


NOTHING_KNOWN = Facts()


class MailchimpError(Exception):
    """Talking to Mailchimp failed.

    `explanation` is one sentence without personal data, by default the first line of the class's docstring.
    """

    #: what to do about it
    advice: ClassVar[Advice] = Advice.STOP

    def __init__(self, explanation: str = "", facts: Facts = NOTHING_KNOWN) -> None:
        self.explanation = explanation or (type(self).__doc__ or "").strip().partition("\n")[0]
        self.facts = facts
        super().__init__(self.explanation)

    @property
    def status_code(self) -> int | None:
        return self.facts.status_code

    @property
    def detail(self) -> str:
        return self.facts.detail

    @property
    def applied(self) -> Applied:
        return self.facts.applied

    def __str__(self) -> str:
        labelled = (
            ("call", self.facts.call),
            ("HTTP", self.facts.status_code),
            ("title", self.facts.title),
            ("instance", self.facts.instance),
        )
        facts = ", ".join(f"{label} {value}" for label, value in labelled if value)
        return f"{self.explanation} ({facts})" if facts else self.explanation


class InvalidCall(MailchimpError):
    """The call was not made because its arguments would have built a wrong request."""

    advice = Advice.STOP


class NotSent(MailchimpError):
    """No connection to Mailchimp could be made; nothing was sent."""

    advice = Advice.RETRY


class AnswerLost(MailchimpError):
    """The request was sent but no readable answer came back; Mailchimp may have carried it out.

    Mailchimp cuts a request after 120 s and may still finish it (contract 7, trap 36).
    Read before you repeat.
    """

    advice = Advice.RETRY


class TimedOut(AnswerLost):
    """No answer came in time; Mailchimp may still be working on it, and its place may stay taken (contract
    7).
    """


class UnreadableReply(MailchimpError):
    """Mailchimp answered a read with something other than the promised JSON."""

    advice = Advice.RETRY


class Busy(MailchimpError):
    """Mailchimp, or something in front of it, does not take the call right now."""

    advice = Advice.RETRY


class TooManyRequests(Busy):
    """Mailchimp has too many requests of this account open at the moment.

    Raised for 429, with or without a JSON body (contract 7). `retry_after` is in seconds, None if the answer
    named no time; none is documented.
    """

    def __init__(
        self, explanation: str = "", facts: Facts = NOTHING_KNOWN, *, retry_after: float | None = None
    ) -> None:
        super().__init__(explanation, facts)
        self.retry_after = retry_after


class EdgeRefused(Busy):
    """The request was refused before Mailchimp itself looked at it; it says nothing about contacts or keys.

    HTML or an empty body where JSON belongs, by the sender's reputation or under load (contract 7, trap 39).
    """


class ServerError(Busy):
    """Mailchimp failed internally while working on the request."""


class AccountRefused(MailchimpError):
    """Mailchimp does not let this account or key make the call."""

    advice = Advice.STOP


class ApiKeyMissing(AccountRefused):
    """The request reached Mailchimp without a key or token."""


class ApiKeyInvalid(AccountRefused):
    """Mailchimp does not accept the key or token: revoked, mistyped, or used at the wrong data centre."""


class UserDisabled(AccountRefused):
    """Mailchimp has deactivated the account or the user that the key belongs to."""


class WrongDatacenter(AccountRefused):
    """The key belongs to another data centre of Mailchimp.

    `datacenter` is the right one where Mailchimp says so, otherwise "".
    """

    def __init__(self, explanation: str = "", facts: Facts = NOTHING_KNOWN, *, datacenter: str = "") -> None:
        super().__init__(explanation, facts)
        self.datacenter = datacenter


class MethodDisabled(AccountRefused):
    """Mailchimp has switched this call off for the account, for reasons of compliance."""


class Forbidden(AccountRefused):
    """Mailchimp does not permit this account to use this resource."""


class RoleTooLow(Forbidden):
    """The key works, but the role of the user it belongs to does not allow this (contract trap 45)."""


class RequestRefused(MailchimpError):
    """Mailchimp understood this request and refused it.

    `reason` says why as far as it can be told without reading prose in an unknown language; `errors` are the
    fields Mailchimp named.
    """

    advice = Advice.SKIP

    def __init__(
        self,
        explanation: str = "",
        facts: Facts = NOTHING_KNOWN,
        *,
        reason: Reason = Reason.UNKNOWN,
        errors: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(explanation, facts)
        self.reason = reason
        self.errors = tuple(errors)


class NotFound(RequestRefused):
    """Mailchimp has no such audience, member, field, campaign or batch."""


class MethodNotAllowed(RequestRefused):
    """This cannot be done to this resource in its present state.

    Archiving somebody who is archived, cleaned or pending is answered so (contract 4.3). `allow` holds the
    methods that the answer named.
    """

    def __init__(
        self,
        explanation: str = "",
        facts: Facts = NOTHING_KNOWN,
        *,
        reason: Reason = Reason.UNKNOWN,
        errors: Sequence[FieldProblem] = (),
        allow: Sequence[str] = (),
    ) -> None:
        super().__init__(explanation, facts, reason=reason, errors=errors)
        self.allow = tuple(allow)


class MemberExists(RequestRefused):
    """The address is in the audience already; also said of renames, and of a wrong hash."""


class ComplianceState(RequestRefused):
    """The person unsubscribed, bounced or is under review; nobody else may subscribe them."""


class ForgottenEmail(RequestRefused):
    """The person was permanently deleted; only they can come back, through the audience's sign-up form."""


class InvalidResource(RequestRefused):
    """Mailchimp refused values in the request.

    `culprits` holds the positions (from 0) of the refused items when the request was a batch of members and
    Mailchimp named them (`members.item:3.status`): the whole batch was refused because of them.
    """

    @property
    def culprits(self) -> tuple[int, ...]:
        return tuple(sorted({p for e in self.errors if (p := e.item_position()) is not None}))


class TooLarge(RequestRefused):
    """The request was larger than Mailchimp takes; send less at once."""


class BadRequest(RequestRefused):
    """Mailchimp refused the request with a problem this client has no name for."""


class BatchProblem(MailchimpError):
    """A batch of operations could not be followed to its results."""

    advice = Advice.RETRY


class BatchLinkExpired(BatchProblem):
    """The link to a batch's results has expired; asking for the batch again gives a fresh one."""


class BatchResultsTooLarge(BatchProblem):
    """The results of a batch are larger than we are willing to unpack."""

    advice = Advice.SKIP


class BatchNotFinished(BatchProblem):
    """The batch was still running when the time we were willing to wait was over."""


class OAuthRefused(MailchimpError):
    """Mailchimp did not give a token for this authorisation; connect again.

    `error` is the code of RFC 6749 (`invalid_grant` ...), "" if none was given.
    """

    advice = Advice.STOP

    def __init__(self, explanation: str = "", facts: Facts = NOTHING_KNOWN, *, error: str = "") -> None:
        super().__init__(explanation, facts)
        self.error = error


class MalformedHook(MailchimpError):
    """The body of a webhook is not what Mailchimp sends."""

    advice = Advice.SKIP
