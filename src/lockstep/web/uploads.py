"""Files that people send: bounded before they are read."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

from lockstep.apps.book.services.imports.files import MAX_FILE

__all__ = ["MAX_UPLOAD", "RefuseTooLarge"]

MAX_UPLOAD = MAX_FILE + 1_000_000
"""Bytes of a whole request: the largest file that an import takes, and room for the form around it."""


class RefuseTooLarge(FileUploadHandler):
    """Stands before Django's own handlers (settings), so that nothing too large reaches the disk."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],  # noqa: N803  -- named by Django
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > MAX_UPLOAD:
            raise RequestDataTooBig("The file is too large.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
