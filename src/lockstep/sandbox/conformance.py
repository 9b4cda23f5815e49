"""Does every answer fit Mailchimp's own description of the API?

`ConformanceApp` wraps the sandbox application and checks each answer below `/3.0` against the schema that is
described for its path, method and status. The description is read in place; it is no part of this project.

    description = Description.find()                # None where the file is absent
    app = ConformanceApp(create_app(), description)
    …                                               # any number of requests
    assert app.complaints == []
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["REPORT_SETTING", "SETTING", "Complaint", "ConformanceApp", "Description", "watched"]

#: Environment variable that names the description.
SETTING = "LOCKSTEP_MAILCHIMP_OPENAPI"

#: Environment variable that names a file: every sandbox of the process then checks all its answers, and
#: writes what does not fit into the file, a line each. A test session sets it for itself and all it starts.
REPORT_SETTING = "LOCKSTEP_SANDBOX_COMPLAINTS"
_DEFAULT = Path("../shared/mailchimp/marketing-openapi.json")

#: (path, method) that the description file leaves out although the official clients have them.
UNDESCRIBED = {("/lists", "POST"), ("/lists/{list_id}", "DELETE")}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing in an answer that the description does not allow."""

    method: str
    path: str
    status: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} → {self.status}: {self.where or 'body'}: {self.what}"


class Description:
    """Mailchimp's description of the API (Swagger 2.0)."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._paths = [
            (path, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), operations)
            for path, operations in document["paths"].items()
        ]
        # Literal segments before placeholders: /click-details/x before /{id}/x would matter, length does not.
        self._paths.sort(key=lambda entry: entry[0].count("{"))

    @classmethod
    def find(cls, root: Path | None = None) -> Description | None:
        """The description that the setting names, or the default one beside `root`; None if there is none."""
        named = os.environ.get(SETTING)
        path = Path(named) if named else (root or Path.cwd()) / _DEFAULT
        if not path.is_file():
            return None
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
        """The described operation of a path below `/3.0`."""
        for pattern, regex, operations in self._paths:
            if regex.fullmatch(path) and method.lower() in operations:
                return pattern, operations[method.lower()]
        return None

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """All (method, pattern, operation)."""
        for pattern, _, operations in self._paths:
            for method, operation in operations.items():
                yield method.upper(), pattern, operation

    def complaints(self, method: str, path: str, status: int, body: bytes, kind: str) -> list[Complaint]:
        """What is wrong with an answer."""

        def complain(where: str, what: str) -> Complaint:
            return Complaint(method, path, status, where, what)

        found = self.operation(method, path or "/")
        if status >= 400:
            return [complain(where, what) for where, what in _problem_errors(status, body, kind)]
        if found is None:
            return [] if self._is_known_gap(method, path) else [complain("", "undescribed path or method")]
        responses = found[1]["responses"]
        if str(status) not in responses:
            return [complain("", f"undescribed status; described are {', '.join(responses)}")]
        schema = responses[str(status)].get("schema")
        if schema is None:
            return [complain("", "a body where none is described")] if body and status == 204 else []
        if not kind.startswith("application/json"):
            return [complain("Content-Type", f"{kind!r} is not application/json")]
        document = json.loads(body)
        return [complain(where, what) for where, what in schema_errors(document, schema, "")]

    @staticmethod
    def _is_known_gap(method: str, path: str) -> bool:
        return any(
            method == known and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", pattern), path)
            for pattern, known in UNDESCRIBED
        )


def schema_errors(value: Any, schema: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    """Where `value` does not fit a Swagger 2.0 schema, more strictly than Swagger: keys must be described.

    `""` passes for a date-time: times that never were are empty strings (contract, section 2; trap 41). An
    archived contact passes in a batch answer, whose list of statuses lacks the word.
    """
    expected = schema.get("type")
    if expected and not _is_of(value, expected):
        yield where, f"{type(value).__name__} where {expected} is described"
        return
    choices = schema.get("enum")
    if choices and value not in choices and not (value == "archived" and "cleaned" in choices):
        yield where, f"{value!r} is not one of {', '.join(map(str, choices))}"
    if schema.get("format") == "date-time" and value != "" and not _TIME.fullmatch(str(value)):
        yield where, f"{value!r} is not a time"
    if expected == "object":
        described = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield where, f"{name} is missing"
        for name, inner in value.items():
            if name in described:
                yield from schema_errors(inner, described[name], f"{where}.{name}" if where else name)
            elif described and "additionalProperties" not in schema:
                yield where, f"{name} is not described"
    elif expected == "array":
        for number, item in enumerate(value):
            yield from schema_errors(item, schema.get("items", {}), f"{where}[{number}]")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+\d\d:\d\d|Z)")


def _is_of(value: Any, expected: str) -> bool:
    match expected:
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def _problem_errors(status: int, body: bytes, kind: str) -> Iterator[tuple[str, str]]:
    """A refusal is a problem document, or no JSON at all (the edge; contract, section 7).

    `type` may be missing: three refusals were seen without it (contract, 4.5).
    """
    if not kind.startswith("application/problem+json"):
        if "json" in kind or status not in (403, 429, 503):
            yield "Content-Type", f"{kind!r} for a refusal"
        return
    document = json.loads(body)
    if document.keys() - {"type", "title", "status", "detail", "instance", "errors"}:
        yield "", "more keys than a problem document has"
    for name, expected in (("title", str), ("detail", str), ("instance", str), ("status", int)):
        if not isinstance(document.get(name), expected):
            yield name, "is missing or of the wrong type"
    if document.get("status") != status:
        yield "status", f"says {document.get('status')}"
    for error in document.get("errors", ()):
        if error.keys() != {"field", "message"}:
            yield "errors", "an entry is not a field and a message"


class ConformanceApp:
    """ASGI middleware that checks what it lets through; `checked` counts answers, `seen` operations."""

    def __init__(self, app: ASGIApp, description: Description | None, *, report: Path | None = None) -> None:
        self.app = app
        self._report = report
        self.checked = 0
        self.seen: set[tuple[str, str]] = set()
        self.complaints: list[Complaint] = []
        self._description = description

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if self._description is None or scope["type"] != "http" or not path.startswith("/3.0"):
            await self.app(scope, receive, send)
            return
        start: list[Message] = []
        chunks: list[bytes] = []

        async def listen(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
            else:
                chunks.append(message.get("body", b""))
            await send(message)

        listen.wrapped = send  # type: ignore[attr-defined]  # where the door finds the connection to cut
        await self.app(scope, receive, listen)
        body = b"".join(chunks)
        # An answer that a fault cut short cannot be judged.
        if start and dict(start[0]["headers"]).get(b"content-length", b"0") == str(len(body)).encode():
            self._check(scope, start[0], body, self._description)

    def _check(self, scope: Scope, start: Message, body: bytes, description: Description) -> None:
        path = scope["path"].removeprefix("/3.0") or "/"
        headers = dict(start["headers"])
        kind = headers.get(b"content-type", b"").decode()
        if kind.startswith("text/plain") and b"x-sandbox-fault" in dict(scope["headers"]):
            return  # the sandbox's own word on a header that only it knows
        query = scope.get("query_string", b"")
        override = dict(scope["headers"]).get(b"x-http-method-override", b"").decode()
        method = override if override and scope["method"] == "POST" else scope["method"]
        self.checked += 1
        found = description.operation(method, path)
        if found is not None:
            self.seen.add((method, found[0]))
        complaints = description.complaints(method, path, start["status"], body, kind)
        if b"fields=" in query:
            # What was not asked for is rightly missing.
            complaints = [complaint for complaint in complaints if not complaint.what.endswith("is missing")]
        self.complaints += complaints
        if complaints and self._report is not None:
            with self._report.open("a", encoding="utf-8") as lines:
                lines.writelines(f"{complaint}\n" for complaint in complaints)


def watched(app: ASGIApp) -> ASGIApp:
    """The application itself, or one that reports what does not fit, where `REPORT_SETTING` asks for it."""
    report = os.environ.get(REPORT_SETTING)
    description = _description_at(os.environ.get(SETTING, ""), str(Path.cwd())) if report else None
    return ConformanceApp(app, description, report=Path(report)) if report and description else app


@lru_cache(maxsize=2)
def _description_at(named: str, folder: str) -> Description | None:
    """Read once a process; the arguments are all that `Description.find` depends on."""
    return Description.find()
