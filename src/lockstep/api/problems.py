"""Answers that say what went wrong, as application/problem+json (RFC 9457).

Every error of the API has this one shape. `errors` names the fields that are
wrong, so that a program can tell its person which cell to mend.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import Field

from lockstep.apps.accounts.permissions import NotPermitted
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.integrations.services import KeyMismatch
from lockstep.apps.sync.services import SyncRefused

log = logging.getLogger("lockstep.api")

CONTENT_TYPE = "application/problem+json"

TITLES = {
    400: "The request can't be read",
    401: "No valid access token",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    413: "Too large",
    422: "Some values can't be taken",
    429: "Too many calls",
    500: "Lockstep failed",
}

ERRORS = frozenset(TITLES) - {500}
"""Statuses that any call may answer with."""


class FieldProblem(Schema):
    """One value that can't be taken as given."""

    field: str = Field(description="Where it is, such as `email` or `items.3.name`; empty for the whole.")
    message: str = Field(description="What is wrong, and what to do.")


class Problem(Schema):
    """What went wrong (RFC 9457)."""

    type: str = Field("about:blank", description="Always `about:blank`: the status says the kind.")
    title: str
    status: int
    detail: str = Field(description="For people: what happened and what to do now.")
    errors: list[FieldProblem] = Field(default_factory=list)


class Throttled(Exception):
    """The token's allowance is used up; `wait` is seconds until the next call is let in."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        super().__init__(f"This access token made too many calls. Try again in {wait:.0f} seconds.")


class ScopeMissing(Exception):
    """The token was not made for this."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This access token does not have the scope “{scope}”.")


def problem(
    status: int, detail: str, errors: Iterable[FieldProblem] = (), headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """The answer for a problem."""
    body = Problem(
        type="about:blank", title=TITLES[status], status=status, detail=detail, errors=list(errors)
    )
    return HttpResponse(
        msgspec.json.encode(body.model_dump()), status=status, content_type=CONTENT_TYPE, headers=headers
    )


def field_problems(error: Invalid, prefix: str = "") -> list[FieldProblem]:
    """The complaints of a service, by the names that the API has for its arguments."""
    return [
        FieldProblem(field=f"{prefix}{_API_NAMES.get(field, field)}", message=text)
        for field, text in error.fields.items()
    ]


_API_NAMES = {
    "status_id": "status",
    "industry_id": "industry",
    "department_id": "department",
    "rep_id": "rep_email",
}


def handle_problems(api: NinjaAPI) -> None:
    """Answer everything that can go wrong as a problem."""

    @api.exception_handler(AuthenticationError)
    def unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        detail = "Send “Authorization: Bearer …” with an access token that is neither expired nor revoked."
        return problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="Lockstep"'})

    @api.exception_handler(NotPermitted)
    @api.exception_handler(ScopeMissing)
    def forbidden(request: HttpRequest, error: Exception) -> HttpResponse:
        return problem(403, str(error))

    @api.exception_handler(NotFound)
    def not_found(request: HttpRequest, error: NotFound) -> HttpResponse:
        return problem(404, str(error))

    @api.exception_handler(Http404)
    def nowhere(request: HttpRequest, error: Http404) -> HttpResponse:
        return problem(404, "There is nothing at this address.")

    @api.exception_handler(SyncRefused)
    def refused(request: HttpRequest, error: SyncRefused) -> HttpResponse:
        return problem(409, str(error))

    @api.exception_handler(Invalid)
    def invalid(request: HttpRequest, error: Invalid) -> HttpResponse:
        return problem(422, str(error), field_problems(error))

    @api.exception_handler(ValidationError)
    def malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
        found = [_malformed(part) for part in error.errors]
        return problem(422, f"{found[0].field}: {found[0].message}" if found else "", found)

    @api.exception_handler(KeyMismatch)
    def mismatch(request: HttpRequest, error: KeyMismatch) -> HttpResponse:
        detail = "This Idempotency-Key was sent with another request before. Take a new key for a new call."
        return problem(422, detail, [FieldProblem(field="Idempotency-Key", message=detail)])

    @api.exception_handler(Throttled)
    def throttled(request: HttpRequest, error: Throttled) -> HttpResponse:
        return problem(429, str(error), headers={"Retry-After": str(max(1, round(error.wait)))})

    @api.exception_handler(RequestDataTooBig)
    def too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
        return problem(413, "The request is too large. Send fewer items a call.")

    @api.exception_handler(HttpError)
    def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
        status = error.status_code if error.status_code in TITLES else 400
        return problem(status, str(error))

    @api.exception_handler(Exception)
    def failed(request: HttpRequest, error: Exception) -> HttpResponse:
        log.exception("api call failed")
        return problem(500, "Something went wrong in Lockstep. It was logged; try again later.")


def _malformed(part: Mapping[str, object]) -> FieldProblem:
    """A complaint of the type check, without the names of our functions' arguments."""
    place = part.get("loc", ())
    steps = [str(step) for step in place] if isinstance(place, (list, tuple)) else [str(place)]
    if steps[:1] and steps[0] in {"body", "query", "path", "header"}:
        steps = steps[1:]
    if steps[:1] and steps[0] in {"given", "wanted"}:
        steps = steps[1:]
    return FieldProblem(field=".".join(steps), message=str(part.get("msg", "")))
