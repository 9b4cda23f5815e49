"""docs/reference/api.md, made from the description: every call with a curl line and a line of Python.

The examples here are run against a real server by `tests/api/test_reference.py`.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lockstep.api.application import DESCRIPTION, api
from lockstep.apps.integrations.scopes import SCOPE_LABELS

CLIENT_ID, CONTACT_ID, SYNC_ID = 12, 34, 5
"""The ids that the examples speak of."""

PYTHON = '''\
import json
import os
import urllib.request


def call(method, path, body=None):
    """The decoded answer; a refused call raises urllib.error.HTTPError, whose body says why."""
    request = urllib.request.Request(
        os.environ["LOCKSTEP"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)
'''

_CONTACT = {
    "client_external_id": "crm-17",
    "first_name": "Ada",
    "last_name": "Example",
    "email": "ada@acme.example",
}

_BODIES: dict[str, Any] = {
    "add_client": {"name": "Acme", "external_id": "crm-17", "tags": ["VIP"]},
    "upsert_clients": {"items": [{"external_id": "crm-17", "phone": "+1 303 555 0100"}]},
    "upsert_one_client": {"name": "Acme", "website": "acme.example"},
    "change_client": {"notes": "Met at the trade show."},
    "add_contact": {"client_id": CLIENT_ID, "email": "sam@acme.example"},
    "upsert_contacts": {"items": [{"external_id": "crm-c1", **_CONTACT}]},
    "upsert_one_contact": _CONTACT,
    "change_contact": {"no_marketing": True, "no_marketing_reason": "Asked on the phone"},
    "try_again": {"states": ["failed", "pending"]},
}

_QUERIES = {
    "list_clients": "?search=acme",
    "list_contacts": "?sort=changed&changed_since=2026-01-01T00:00:00Z",
    "list_standings": "?state=failed",
}

_ORDER = ("Clients", "Contacts", "Lists and history", "Sync", "Webhooks")

_PLACES = {
    "client_id": CLIENT_ID,
    "contact_id": CONTACT_ID,
    "sync_id": SYNC_ID,
    "subject_id": CONTACT_ID,
}
_OF_KIND = {"read_list": "statuses", "read_tags": "contact", "read_history": "contact"}


@dataclass(frozen=True, slots=True)
class Example:
    """One call of the API, as it would be made."""

    name: str
    method: str
    path: str
    body: Any

    @property
    def curl(self) -> str:
        method = "" if self.method == "GET" else f" -X {self.method}"
        line = f'curl{method} -H "Authorization: Bearer $TOKEN" "$LOCKSTEP{self.path}"'
        if self.body is None:
            return line
        sent = json.dumps(self.body, ensure_ascii=False)
        return f"{line} \\\n  -H 'Content-Type: application/json' -d '{sent}'"

    @property
    def python(self) -> str:
        body = "" if self.body is None else f", {self.body!r}"
        return f'call("{self.method}", "{self.path}"{body})'


def examples() -> dict[str, Example]:
    """One for every call of the description, by the call's name."""
    return {
        operation["operationId"]: _example(path, method.upper(), operation["operationId"])
        for path, methods in api.get_openapi_schema(path_prefix="")["paths"].items()
        for method, operation in methods.items()
    }


def _example(path: str, method: str, name: str) -> Example:
    external_id = "crm-c1" if "contact" in path else "crm-17"
    known = {**_PLACES, "kind": _OF_KIND.get(name), "external_id": external_id}
    return Example(name, method, path.format(**known) + _QUERIES.get(name, ""), _BODIES.get(name))


def markdown() -> str:
    """The page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield "# The API"
    yield ""
    yield "<!-- Made from the code: tests/api/test_reference.py says how. -->"
    yield ""
    yield DESCRIPTION.strip()
    yield ""
    yield "The machine-readable description (OpenAPI 3.1) is at `/api/v1/openapi.json`."
    yield ""
    yield "## Scopes"
    yield ""
    yield "| scope | what it opens |"
    yield "|---|---|"
    for scope, label in SCOPE_LABELS.items():
        yield f"| `{scope.value}` | {label} |"
    yield ""
    yield "## The examples"
    yield ""
    yield "They take the address and the token from the environment:"
    yield ""
    yield "```sh\nexport LOCKSTEP=https://lockstep.example.com/api/v1 TOKEN=lockstep_…\n```"
    yield ""
    yield "In Python, with nothing but the standard library:"
    yield ""
    yield f"```python\n{PYTHON}```"
    yield ""
    schema = api.get_openapi_schema(path_prefix="")
    calls = [
        (operation, method.upper(), path)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    shown = examples()
    for tag in sorted({operation["tags"][0] for operation, _, _ in calls}, key=_ORDER.index):
        yield f"## {tag}"
        yield ""
        for operation, method, path in calls:
            if operation["tags"] == [tag]:
                yield from _call(operation, method, path, shown[operation["operationId"]], schema)


def _call(
    operation: dict[str, Any], method: str, path: str, example: Example, schema: dict[str, Any]
) -> Iterator[str]:
    yield f"### {operation['summary']}"
    yield ""
    yield f"`{method} {path}`, scope `{SCOPES[operation['operationId']]}`"
    yield ""
    yield " ".join(operation["description"].split())
    yield ""
    rows = [
        _row(parameter["name"], parameter["schema"], parameter.get("description", ""))
        for parameter in operation["parameters"]
        if parameter["in"] != "path"
    ]
    rows += list(_body_rows(operation, schema))
    if rows:
        yield "| value | kind | |"
        yield "|---|---|---|"
        yield from rows
        yield ""
    yield f"```sh\n{example.curl}\n```"
    yield ""
    yield f"```python\n{example.python}\n```"
    yield ""


def _body_rows(operation: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    shape = schema["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    for name, value in shape["properties"].items():
        yield _row(name, value, value.get("description", ""))


def _row(name: str, value: dict[str, Any], description: str) -> str:
    text = textwrap.shorten(description, 200).replace("|", "\\|")
    return f"| `{name}` | {_kind(value)} | {text} |"


def _kind(value: dict[str, Any]) -> str:
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "anyOf" in value:
        return _kind(next(part for part in value["anyOf"] if part.get("type") != "null"))
    if "$ref" in value:
        return "object"
    if value.get("type") == "array":
        return f"list of {_kind(value['items'])}"
    return {"date-time": "moment"}.get(value.get("format", ""), value.get("type", "object"))


def _scopes() -> dict[str, str]:
    found = {}
    for bound in api._get_bound_routers():
        for view in bound.path_operations.values():
            for operation in view.operations:
                found[operation.view_func.__name__] = operation.auth_callbacks[0].scope.value
    return found


SCOPES = _scopes()
"""The scope that each call needs, by its name."""
