"""The API put together: routers, problems, and its description (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.renderers import BaseRenderer

from lockstep.api.problems import CONTENT_TYPE, TITLES, handle_problems
from lockstep.api.routes import clients, contacts, lists, syncs

DESCRIPTION = """\
Feed Lockstep from another system, and read back how contacts stand with Mailchimp.

- **Who you are**: `Authorization: Bearer lockstep_…`, a token made under Settings, API. It acts for the
  person who made it, within its scopes.
- **Errors** are `application/problem+json`: `detail` is for people, `errors` names the values that are wrong.
- **Pages**: send the `next` of one page as the `cursor` (or `after`) of the following one, until it is null.
- **Repeating**: `POST` to add or to upsert takes an `Idempotency-Key`; a call that is repeated under its
  key within 24 hours is answered the same and done once.
- **Allowance**: calls are counted a token; 429 says in `Retry-After` when to go on.
"""


class Json(BaseRenderer):
    """Moments to the microsecond, so that `changed_since` can be given back as it was read."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return msgspec.json.encode(data)


class LockstepAPI(NinjaAPI):
    """Says in its description what the framework can't know: the content type of problems."""

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(*args, **kwargs)
        for path in schema["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400:
                        response["description"] = TITLES[int(status)]
                        response["content"] = {CONTENT_TYPE: response["content"].pop("application/json")}
        return schema

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


api = LockstepAPI(
    title="Lockstep",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,
    renderer=Json(),
)
handle_problems(api)
for prefix, router in (
    ("/clients", clients.router),
    ("/contacts", contacts.router),
    ("", lists.router),
    ("", syncs.router),
):
    api.add_router(prefix, router)
