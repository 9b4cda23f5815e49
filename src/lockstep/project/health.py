"""The door that supervisors and load balancers knock at."""

from django.db import connection
from django.http import HttpRequest, HttpResponse

__all__ = ["healthz"]


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 where this process serves pages and reaches its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")
