"""Whether a packed file is all there, told without unpacking it to disk.

A zip or 7z ends with (or points to) its list of contents, and a gzip ends with a checksum, so that
each shows by itself that it was cut, even where the length that was announced agrees with the cut.
What is inside is the reader's to judge.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

__all__ = ["why_not_whole"]

_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b"
_SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
#: Signature, version, checksum, then offset and length of the list of contents.
_SEVEN_ZIP_START = struct.Struct("<6s2sIQQI")
_READ_BYTES = 1 << 20


def why_not_whole(path: Path) -> str | None:
    """What shows that a packed file is cut or damaged; None where nothing does.

    :raises OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_SEVEN_ZIP_START.size)
    if any(len(head) < len(kind) and kind.startswith(head) for kind in (_ZIP, _GZIP, _SEVEN_ZIP)):
        return f"file ends after {len(head)} bytes"
    if head.startswith(_ZIP):
        return _zip(path)
    if head.startswith(_SEVEN_ZIP):
        return _seven_zip(path, head)
    if head.startswith(_GZIP):
        return _gzip(path)
    return None


def _zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path):
            return None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        return "zip has no list of contents: it is cut or damaged"


def _seven_zip(path: Path, head: bytes) -> str | None:
    if len(head) == _SEVEN_ZIP_START.size:
        *_, offset, length, _ = _SEVEN_ZIP_START.unpack(head)
        if path.stat().st_size >= _SEVEN_ZIP_START.size + offset + length:
            return None
    return "7z ends before its list of contents: it is cut"


def _gzip(path: Path) -> str | None:
    with path.open("rb") as file:
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while chunk := file.read(_READ_BYTES):
            while chunk:
                if inflate.eof:
                    if not chunk.strip(b"\0"):  # padding, as on tapes
                        break
                    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
                try:
                    inflate.decompress(chunk, _READ_BYTES)
                except zlib.error:
                    return "gzip is damaged"
                chunk = inflate.unconsumed_tail or inflate.unused_data
    return None if inflate.eof else "gzip is cut short"
