"""One line per log event, without anything personal that a database error would carry."""

import json
import logging
import math
import re
from datetime import UTC, datetime
from typing import Any

__all__ = ["FORMATTERS", "JsonFormatter", "KeyValueFormatter", "quote"]

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

#: PostgreSQL explains a refused row by showing it ("DETAIL:  Key (email)=(ann@example.com) already exists.").
_ROW_DETAILS = re.compile(r"^(DETAIL|CONTEXT|LINE \d+|HINT): .*$", re.MULTILINE)

_PLAIN = re.compile(r"[\w./:<>@+\-]+")


def quote(value: object) -> str:
    """The value as one word: plain ones as they are, all others in quotes on one line."""
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


class KeyValueFormatter(logging.Formatter):
    """``log.info("sync started", extra={"connection": 7})`` → ``... event="sync started" connection=7``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the fields of ``extra`` at its end and a traceback, if any, folded into it."""
        return " ".join(f"{key}={quote(value)}" for key, value in _fields(self, record).items())


class JsonFormatter(logging.Formatter):
    """The same fields as one JSON object per line, for log collectors that read no ``key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; numbers and booleans stay such, what JSON has no notation for is its text."""
        fields = _fields(self, record)
        plain = {key: value if _is_plain(value) else str(value) for key, value in fields.items()}
        return json.dumps(plain, ensure_ascii=False, allow_nan=False)


FORMATTERS = {"text": KeyValueFormatter, "json": JsonFormatter}
"""By the word of LOCKSTEP_LOG_FORMAT."""


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int, bool))


def _fields(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, Any]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    fields: dict[str, Any] = {
        "at": moment.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "from": record.name,
        "event": _ROW_DETAILS.sub(r"\1: left out", record.getMessage()),
    }
    fields.update({key: value for key, value in record.__dict__.items() if key not in _STANDARD})
    # Django hangs the whole request on its records; it prints as its path.
    fields.pop("request", None)
    # Uvicorn repeats its message there, coloured.
    fields.pop("color_message", None)
    if record.exc_info:
        fields["error"] = _ROW_DETAILS.sub(r"\1: left out", formatter.formatException(record.exc_info))
    return fields
