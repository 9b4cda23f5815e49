"""Files that are written while they are downloaded."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

__all__ = ["csv_file", "xlsx_file"]

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_LINES = 500


def csv_file(request: HttpRequest, lines: Iterator[str], name: str) -> StreamingHttpResponse:
    """A CSV download. Only some hundred lines are in memory at a time, whichever server asks."""
    # Under ASGI Django would gather a plain iterator whole before it sends the first byte.
    content = _by_and_by(lines) if isinstance(request, ASGIRequest) else lines
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


async def _by_and_by(lines: Iterator[str]) -> AsyncIterator[str]:
    def next_lines() -> str:
        return "".join(itertools.islice(lines, _LINES))

    while text := await sync_to_async(next_lines)():
        yield text


def xlsx_file(request: HttpRequest, pieces: Iterator[bytes], name: str) -> StreamingHttpResponse:
    """A spreadsheet download, piece by piece."""
    content = _pieces(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(content, content_type=XLSX)
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


async def _pieces(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    # None, not b"": a piece may be empty while the compression gathers.
    while (piece := await sync_to_async(next)(pieces, None)) is not None:
        if piece:
            yield piece
