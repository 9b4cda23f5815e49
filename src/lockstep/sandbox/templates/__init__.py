"""The pages' templates. Everything is escaped; nothing here is meant for the open internet."""

from __future__ import annotations

import datetime as dt
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

__all__ = ["render"]


def _when(second: float | None) -> str:
    return "" if second is None else dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _clock(second: float) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%H:%M:%S")


_environment = Environment(
    loader=PackageLoader("lockstep.sandbox", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["when"] = _when
_environment.filters["clock"] = _clock


def render(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page; it may not be framed or run foreign script."""
    html = _environment.get_template(template).render(**context)
    return HTMLResponse(
        html,
        status,
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; "
            "script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        },
    )
