"""The console's files, read once: each with its type, its digest and, if useful, compressed."""

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from router.model import limits

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}
_PACKED: Final = (".html", ".js", ".mjs", ".css", ".json", ".svg", ".txt", ".md", "")
_PACKS_FROM_BYTES: Final = 1024


class Asset(msgspec.Struct, frozen=True):
    """One file. ``packed``: with gzip; empty: it is served uncompressed."""

    body: bytes
    packed: bytes
    etag: str
    content_type: str


def load(folder: Path = FOLDER) -> Mapping[str, Asset]:
    """The files below ``folder`` by path, without hidden files and those of an unknown type.

    Raises ValueError: they exceed the limits.
    """
    found: dict[str, Asset] = {}
    total_bytes = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        is_hidden = any(part.startswith(".") for part in name.split("/"))
        if is_hidden or path.suffix not in TYPES or not path.is_file():
            continue
        body = path.read_bytes()
        total_bytes += len(body)
        if len(found) >= limits.CONSOLE_FILES_MAX or total_bytes > limits.CONSOLE_FILES_BYTES_MAX:
            raise ValueError(f"{folder} holds more than the console may have")
        found[name] = Asset(
            body=body,
            packed=_packed(body) if path.suffix in _PACKED else b"",
            etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            content_type=TYPES[path.suffix],
        )
    return found


def _packed(body: bytes) -> bytes:
    if len(body) < _PACKS_FROM_BYTES:
        return b""
    packed = gzip.compress(body, mtime=0)
    return packed if len(packed) < len(body) else b""
