"""A log line for each request: its route, never its path or query, which carry addresses and secrets."""

import logging
import time
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

__all__ = ["RequestLogMiddleware"]

log = logging.getLogger("lockstep.request")

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

_QUIET_ROUTES = frozenset({"healthz", "readyz", "metrics"})


class RequestLogMiddleware:
    """Logs method, route, status and milliseconds of every request that a view answered."""

    sync_capable = True
    async_capable = True

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
    ) -> None:
        """Wrap the next handler, of either kind."""
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request and note what it came to."""
        if iscoroutinefunction(self):
            return self._answer(request)
        began = time.perf_counter()
        response = self.get_response(request)
        self._note(request, response, began)
        return response

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = await self.get_response(request)
        self._note(request, response, began)
        return response

    def _note(self, request: HttpRequest, response: HttpResponseBase, began: float) -> None:
        match = request.resolver_match
        route = match.route if match else ("static" if response.status_code in {200, 304} else "none")
        if route in _QUIET_ROUTES:
            return
        log.log(
            logging.DEBUG if route == "static" else logging.INFO,
            "request",
            extra={
                "method": request.method,
                "route": route or "/",
                "status": response.status_code,
                "ms": round((time.perf_counter() - began) * 1000, 1),
            },
        )
