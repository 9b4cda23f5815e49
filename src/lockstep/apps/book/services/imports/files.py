"""Keeps an import's file in the database, where every host can read it, and reads it back as a file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol

from lockstep.apps.book.models import Import, ImportChunk
from lockstep.apps.book.services.imports.errors import UnreadableFile

CHUNK = 1 << 20
MAX_FILE = 256 << 20
"""Bytes of one file: a hundred thousand rows are some 20 MB."""


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _pieces(file: Readable) -> Iterator[bytes]:
    pending = b""
    while part := file.read(CHUNK):
        pending += part
        while len(pending) >= CHUNK:
            yield pending[:CHUNK]
            pending = pending[CHUNK:]
    if pending:
        yield pending


def store_file(parent: Import, file: Readable) -> int:
    """Write the file's pieces and return its size in bytes. Raises `UnreadableFile` if too big or empty."""
    size = 0
    for number, piece in enumerate(_pieces(file)):
        size += len(piece)
        if size > MAX_FILE:
            raise UnreadableFile(f"The file is larger than {MAX_FILE >> 20} MB. Split it and load the parts.")
        ImportChunk.objects.create(parent=parent, number=number, data=piece)
    if not size:
        raise UnreadableFile("The file is empty.")
    return size


class StoredFile(io.RawIOBase):
    """A stored file, readable and seekable, one piece in memory at a time."""

    def __init__(self, parent: Import) -> None:
        super().__init__()
        self._parent = parent
        self._at = 0
        self._number = -1
        self._piece = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._parent.file_size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  -- any writable buffer
        number, offset = divmod(self._at, CHUNK)
        if number != self._number:
            chunk = ImportChunk.objects.filter(parent=self._parent, number=number).only("data").first()
            self._number, self._piece = number, bytes(chunk.data) if chunk else b""
        part = self._piece[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def open_file(parent: Import) -> io.BufferedReader:
    """The stored file from its beginning."""
    return io.BufferedReader(StoredFile(parent), CHUNK)
