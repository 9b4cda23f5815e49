"""JSON out. msgspec encodes a page of a thousand members about ten times as fast as the standard library."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["encode"]

_encoder = msgspec.json.Encoder()


def encode(document: Any) -> bytes:
    """UTF-8 JSON of plain values."""
    return _encoder.encode(document)
