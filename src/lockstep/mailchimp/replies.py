"""(status, headers, body) becomes a wire type or an error of `errors`; pure, and total.

HTML and empty bodies are a known case (contract 7, trap 39): they come from something in front of Mailchimp
and are never read as "no such member" or "no such key". Titles, statuses and field names decide; texts only
where `refusals` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

import msgspec

from lockstep.mailchimp import errors, refusals
from lockstep.mailchimp.errors import Applied, Facts, MailchimpError
from lockstep.mailchimp.refusals import plain_title
from lockstep.mailchimp.wire import Problem

T = TypeVar("T")

#: keys whose value is an object; PHP writes an empty one as `[]`
_OBJECT_KEYS = frozenset(
    [
        "merge_fields",
        "interests",
        "stats",
        "location",
        "options",
        "events",
        "sources",
        "contact",
        "campaign_defaults",
        "recipients",
        "settings",
        "bounces",
        "opens",
        "clicks",
        "login",
        "exact_matches",
        "full_search",
    ]
)


class Reader(Generic[T]):
    """Reads the body of a successful answer as `wanted`; one decoder, made once."""

    __slots__ = ("_decoder", "wanted")

    def __init__(self, wanted: type[T]) -> None:
        self.wanted = wanted
        self._decoder = msgspec.json.Decoder(wanted)

    def read(self, body: bytes) -> T:
        """Raises `msgspec.MsgspecError`, `UnicodeDecodeError` or `RecursionError` for an unreadable body."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError:
            # rare: nulls, numbers as text, PHP's `[]` for an empty object; read again without them
            return msgspec.convert(_mended(msgspec.json.decode(body)), self.wanted, strict=False)


class NoReader(Reader[None]):
    """For calls that promise an empty answer; whatever comes is not looked at."""

    def __init__(self) -> None:
        super().__init__(type(None))

    def read(self, body: bytes) -> None:
        return None


NOTHING: Reader[None] = NoReader()
_PROBLEM = Reader(Problem)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError)


def _mended(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: _mended(v)
            for k, v in value.items()
            if v is not None and not (k in _OBJECT_KEYS and isinstance(v, list) and not v)
        }
    if isinstance(value, list):
        return [_mended(v) for v in value]
    return value


def read_reply(
    reader: Reader[T], status: int, headers: Mapping[str, str], body: bytes, *, writes: bool, call: str = ""
) -> T:
    """What a successful answer holds.

    `headers` have lower-case names. `writes` says whether the call may have changed something: then an
    unreadable success is `AnswerLost`, because it may have. Raises errors of the family only, for any
    input.
    """
    if not 200 <= status < 300:
        raise read_failure(status, headers, body, writes=writes, call=call)
    try:
        return reader.read(body)
    except _UNREADABLE:
        # not chained: the decoder's message quotes the reply, which may hold people
        kind = errors.AnswerLost if writes else errors.UnreadableReply
        applied = Applied.UNKNOWN if writes else Applied.NO
        raise kind(
            "Mailchimp's answer could not be read.", Facts(call=call, status_code=status, applied=applied)
        ) from None


def read_failure(
    status: int, headers: Mapping[str, str], body: bytes, *, writes: bool, call: str = ""
) -> MailchimpError:
    """The error for an answer that is no success, from most specific to general; never raises."""
    problem = _read_problem(body)
    if problem is None:
        return _without_problem(status, headers, Facts(call=call, status_code=status), writes=writes)
    facts = Facts(call, status, problem.title, problem.detail, problem.instance)
    title = plain_title(problem.title)
    match status:
        case 401:
            return (errors.ApiKeyMissing if title == "apikeymissing" else errors.ApiKeyInvalid)("", facts)
        case 403:
            return _forbidden(title, facts)
        case 429:
            return errors.TooManyRequests("", facts, retry_after=retry_after(headers))
        case 503 if title == "compliancerelated":
            return errors.MethodDisabled("", facts)
        case _ if status >= 500 or status == 408:
            return errors.ServerError("", _maybe_applied(facts, writes))
        case _ if status >= 400:
            return _refused(status, title, headers, problem, facts)
        case _:
            return errors.EdgeRefused("", _maybe_applied(facts, writes))


def _read_problem(body: bytes) -> Problem | None:
    """The problem document, or None if the body is none: HTML, empty, or JSON of somebody else."""
    try:
        problem = _PROBLEM.read(body)
    except _UNREADABLE:
        return None
    return problem if problem.title or problem.detail else None


def _maybe_applied(facts: Facts, writes: bool) -> Facts:
    return replace(facts, applied=Applied.UNKNOWN) if writes else facts


def _without_problem(
    status: int, headers: Mapping[str, str], facts: Facts, *, writes: bool
) -> MailchimpError:
    """An answer without a problem document did not come from Mailchimp's own code (contract 7)."""
    if status == 429:
        return errors.TooManyRequests("", facts, retry_after=retry_after(headers))
    if status == 413:
        return errors.TooLarge("", facts)
    if status in (401, 403, 404, 407):
        return errors.EdgeRefused("", facts)
    if status >= 500 and status != 503:
        return errors.ServerError("", _maybe_applied(facts, writes))
    return errors.EdgeRefused("", _maybe_applied(facts, writes))


def _forbidden(title: str, facts: Facts) -> MailchimpError:
    if title == "userdisabled":
        return errors.UserDisabled("", facts)
    if title == "useractionnotpermitted":
        return errors.RoleTooLow("", facts)
    linked = refusals.DATACENTER_TEXT.search(facts.detail)
    if title == "wrongdatacenter" or linked:
        return errors.WrongDatacenter("", facts, datacenter=(linked and linked[1]) or "")
    return errors.Forbidden("", facts)


_BY_TITLE: dict[str, type[errors.RequestRefused]] = {
    "memberexists": errors.MemberExists,
    "memberincompliancestate": errors.ComplianceState,
    "forgottenemailnotsubscribed": errors.ForgottenEmail,
    "invalidresource": errors.InvalidResource,
    "resourcenotfound": errors.NotFound,
}
_BY_STATUS: dict[int, type[errors.RequestRefused]] = {404: errors.NotFound, 413: errors.TooLarge}


def _refused(
    status: int, title: str, headers: Mapping[str, str], problem: Problem, facts: Facts
) -> errors.RequestRefused:
    reason = refusals.reason_of_problem(problem.title, problem.detail, problem.errors)
    if status == 405:
        allow = tuple(m.strip().upper() for m in headers.get("allow", "").split(",") if m.strip())
        return errors.MethodNotAllowed("", facts, reason=reason, errors=problem.errors, allow=allow)
    kind = _BY_STATUS.get(status) or _BY_TITLE.get(title)
    if kind is None:
        # errors without a title we know: named fields make it a matter of values
        kind = errors.InvalidResource if problem.errors else errors.BadRequest
    return kind("", facts, reason=reason, errors=problem.errors)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds named by `Retry-After`, None if there are none. Mailchimp documents no such header (contract
    7); a date is not read, because that would need a clock.
    """
    text = headers.get("retry-after", "").strip()
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or len(text) > 9:
        return None
    return float(text)
