"""Where `response_body_url` leads: an archive behind a signed link, as from a storage service."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .batch import batches_of
from .sandbox import Sandbox

__all__ = ["routes"]

_DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
)


def routes(sandbox: Sandbox) -> list[Route]:
    """The download; it asks for no key, the link is signed."""

    async def download(request: Request) -> Response:
        query = request.query_params
        packed = batches_of(sandbox).results(
            request.path_params["batch"], query.get("expires", ""), query.get("signature", "")
        )
        if packed is None:
            return Response(_DENIED, 403, media_type="application/xml")
        return Response(packed, media_type="application/gzip")

    return [Route("/batch-results/{batch}.tar.gz", download, methods=["GET"])]
