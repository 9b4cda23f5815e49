"""POST may be repeated: under one Idempotency-Key the work is done once and answered the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from ninja import Schema

from lockstep.api.authentication import Asked
from lockstep.api.problems import FieldProblem, problem
from lockstep.apps.integrations.services import answer_once

HEADER = "Idempotency-Key"
LONGEST = 200
DESCRIBED: dict[str, Any] = {
    "parameters": [
        {
            "in": "header",
            "name": HEADER,
            "required": False,
            "description": "Repeat the call under the same key, and it is done once.",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]+$"},
        }
    ]
}
"""For the description of such routes."""


def repeatable(route: Callable[..., tuple[int, Schema]]) -> Callable[..., HttpResponse]:
    """For routes that give (status, answer); the header is optional.

    Put directly under the route's decorator. A replayed answer carries
    `Idempotent-Replayed: true`. Calls that are refused keep nothing.
    """

    @wraps(route)
    def once(request: Asked, *args: Any, **kwargs: Any) -> HttpResponse:
        def work() -> tuple[int, bytes]:
            status, body = route(request, *args, **kwargs)
            return status, msgspec.json.encode(body.model_dump())

        key = request.headers.get(HEADER, "").strip()
        if not key:
            status, body = work()
            return HttpResponse(body, status=status, content_type="application/json")
        if len(key) > LONGEST or not key.isprintable():
            text = f"An {HEADER} has at most {LONGEST} printable characters, such as a UUID."
            return problem(422, text, [FieldProblem(field=HEADER, message=text)])
        said = b"\n".join([f"{request.method} {request.get_full_path()}".encode(), request.body])
        answer = answer_once(request.auth.token_id, key, said, timezone.now(), work)
        headers = {"Idempotent-Replayed": "true"} if answer.again else {}
        return HttpResponse(
            answer.body, status=answer.status, content_type="application/json", headers=headers
        )

    return once
