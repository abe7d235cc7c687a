"""Removes secrets, and texts that look like one, from texts and JSON."""

import base64
import binascii
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

REDACTED: Final = "[redacted]"
_SECRET_CHARS_MIN: Final = 6
_FILES_MAX, _FILE_BYTES_MAX = 4_096, 256 * 1024
WORD_CHARS_MAX: Final = 1_024
"""Longer words are not shown: they are unreadable, and some make the searches below slow."""
_LONG_WORD = re.compile(rf"\S{{{WORD_CHARS_MAX + 1},}}")
_KEY = re.compile(
    r"(?i:(pass(word|wd|phrase)?|pwd|secret|credential|authorization|cookie|bearer|private|"
    r"(api|access|private|client)[-_]?key|[.]key|[a-z][-_]?token|digest|salt)$|^(token|login|key)$)"
)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_SCHEMES = re.compile(r"(?i)\b(bearer|basic|digest|negotiate)\s+[A-Za-z0-9._~+/=-]{6,}")
_ASSIGNED = re.compile(
    r"(?i)(?<![\w.-])([\w.-]*(?:password|passwd|passphrase|pwd|secret|"
    r"(?:api|access|private)[-_]?key|token|credential|authorization|cookie))(\"?\s*[=:]\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\n,}]+)"
)
_USERINFO = re.compile(r"(?i)([a-z0-9+.-]://)(?:[^/\s\"']+|[^/:\s]*:(?!\d+/)[^\s]*)@")
"""A password may contain characters that should have been encoded: up to the last @."""
_QUERY = re.compile(r"(?i)([a-z0-9+.-]://[^\s?\"']+)\?[^\s\"']+")
_QUOTED = re.compile(r"'[^']*'|\[[^\]]*\]")
_OF_DOCUMENTS: Final = ("SW01", "SW07")  # Their texts quote documents.
_JWT = re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*")
_CLIENT_FIELDS: Final = ("client",)
_SENT_FIELDS: Final = ("request_id", "trace_id")


class Scrubber:
    """``known``: secrets to be taken out wherever they stand. Addresses of clients become a hash
    that is the same all over one archive and nowhere else, unless ``with_clients``."""

    def __init__(self, known: Iterable[str] = (), *, with_clients: bool = False) -> None:
        worth = {one for one in known if len(one) >= _SECRET_CHARS_MIN}
        words = sorted(worth, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, words))) if words else None
        self._with_clients = with_clients
        self._salt = secrets.token_bytes(16)

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        text = _LONG_WORD.sub(_word_not_shown, text)
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = _PEM.sub(REDACTED, text)
        text = _SCHEMES.sub(rf"\1 {REDACTED}", text)
        text = _USERINFO.sub(rf"\1{REDACTED}@", text)
        text = _QUERY.sub(rf"\1?{REDACTED}", text)
        text = _JWT.sub(REDACTED, text)
        return _ASSIGNED.sub(rf"\1\2{REDACTED}", text)

    def lines(self, text: str) -> str:
        """Lines, of which those that are JSON objects are scrubbed as such."""
        return "\n".join(map(self._line, text.splitlines()))

    def _line(self, line: str) -> str:
        if line.startswith("{"):
            try:
                return json.dumps(self.value(json.loads(line)))
            except (ValueError, RecursionError):
                pass
        return self.text(line)

    def value(self, value: Any, field: str = "") -> Any:
        """JSON without secrets: by the names of fields, and in every text."""
        if isinstance(value, dict):
            if str(value.get("code", "")).startswith(_OF_DOCUMENTS):
                value = {key: _unquoted(key, inner) for key, inner in value.items()}
            named = ((str(key), inner) for key, inner in value.items())
            return {self.text(key): self.value(inner, key) for key, inner in named}
        if isinstance(value, list | tuple):
            return [self.value(inner, field) for inner in value]
        if not isinstance(value, str) or not value:
            return value
        if _KEY.search(field):
            return REDACTED
        if not self._with_clients:
            if field in _CLIENT_FIELDS:
                return self._hashed(value)
            if field in _SENT_FIELDS or (field == "path" and value.startswith("/")):
                return "[not shown]"
        return self.text(value)

    def _hashed(self, address: str) -> str:
        host = address.rpartition(":")[0] or address
        return "client-" + hashlib.sha256(self._salt + host.encode()).hexdigest()[:12]


def _word_not_shown(found: re.Match[str]) -> str:
    return f"[a word of {len(found[0])} characters, not shown]"


def _unquoted(field: object, value: Any) -> Any:
    if field not in ("message", "hint", "error") or not isinstance(value, str):
        return value
    return _QUOTED.sub("[not shown]", value)


def secrets_below(directory: Path) -> set[str]:
    """The secrets in the files below ``directory``, each also in base64.

    Skips links and files that are not regular; reads a bounded number.
    """
    found: set[str] = set()
    for number, path in enumerate(_files(directory)):
        if number >= _FILES_MAX:
            break
        text = _read(path)
        found |= set(_of_text(text))
    return found


def _files(directory: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(directory, followlinks=False):
        names.sort()
        yield from (Path(folder, name) for name in sorted(files))


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return file.read(_FILE_BYTES_MAX).decode("utf-8", "replace")


def _of_text(text: str) -> Iterator[str]:
    stripped = text.strip()
    if "PRIVATE KEY" in text:
        yield from (line for line in stripped.splitlines() if not line.startswith("-----"))
        return
    if "-----BEGIN" in text and "password" not in text:
        return  # Certificates tell nothing.
    structured = _parsed(stripped)
    if structured is not None:
        yield from _of_value(structured, "")
        return
    if len(stripped) <= 4_096:
        yield from (line.strip() for line in stripped.splitlines())
        if stripped:
            yield base64.b64encode(stripped.encode()).decode()


def _parsed(text: str) -> Any:
    try:
        if text.startswith("{"):
            return json.loads(text)
        if "\n" in text and ": " in text:
            import yaml

            loaded = yaml.safe_load(text)
            return loaded if isinstance(loaded, dict) else None
    except Exception:  # Whatever it is, it is taken as plain text.
        return None
    return None


def _of_value(value: Any, field: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _of_value(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _of_value(inner, field)
    elif isinstance(value, str) and _KEY.search(field):
        yield value
        try:
            yield base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            yield base64.b64encode(value.encode()).decode()
