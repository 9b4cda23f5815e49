"""The doors that supervisors, load balancers and monitoring knock at."""

import hmac

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse

from lockstep.project import vital_signs
from lockstep.project.prometheus import exposition

__all__ = ["healthz", "metrics", "readyz"]


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 where this process serves pages and reaches its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return _plain("ok\n")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 where the database answers, its migrations are applied and a worker lives; else 503.

    A line for each, without anything about anybody: it needs no password.
    """
    try:
        missing, alive = vital_signs.missing_migrations(), vital_signs.workers_alive()
    except DatabaseError:
        return _plain("database: does not answer\n", 503)
    lines = (
        "database: ok\n",
        "migrations: ok\n" if not missing else f"migrations: {missing} are missing\n",
        "workers: ok\n" if alive else "workers: none was heard of lately\n",
    )
    return _plain("".join(lines), 200 if alive and not missing else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, for who knows LOCKSTEP_METRICS_TOKEN; for all others no such page exists."""
    known = settings.LOCKSTEP_METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not known or not hmac.compare_digest(given.encode(), known.encode()):
        raise Http404
    response = HttpResponse(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response


def _plain(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain", status=status)
