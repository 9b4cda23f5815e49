"""The results of a batch as the service packs them: a tar.gz that begins with `./`, JSON files in any order,
some of them empty (contract, section 6; trap 37)."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from typing import Any

from .encode import encode

__all__ = ["archive"]

_PER_FILE = 100


def archive(results: list[dict[str, Any]], seed: str, moment: int) -> bytes:
    """The packed results; the order comes from `seed`, the files' time from `moment`."""
    dice = random.Random(seed)  # noqa: S311  # any order will do, but the same again
    rows = list(results)
    dice.shuffle(rows)
    files = [encode(rows[start : start + _PER_FILE]) for start in range(0, len(rows), _PER_FILE)] + [b""]
    dice.shuffle(files)
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("./")
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, moment
        tar.addfile(folder)
        for content in files:
            entry = tarfile.TarInfo(f"./{dice.getrandbits(40):010x}.json")
            entry.size, entry.mtime = len(content), moment
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(unpacked.getvalue(), compresslevel=6, mtime=moment)
