"""One ``key=value`` line per log event, without anything personal that a database error would carry."""

import logging
import re
from datetime import UTC, datetime
from typing import Any

__all__ = ["KeyValueFormatter", "quote"]

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
            fields["error"] = _ROW_DETAILS.sub(r"\1: left out", self.formatException(record.exc_info))
        return " ".join(f"{key}={quote(value)}" for key, value in fields.items())
