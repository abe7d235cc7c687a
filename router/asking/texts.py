"""Cleans texts for readers at other sites: they must not contain addresses."""

import re
from collections.abc import Collection

from router.model import limits

_ADDRESS = re.compile(
    r"\d{1,3}(\.\d{1,3}){3}|(([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|[0-9a-f:]*::[0-9a-f:.]*)(%\w+)?",
    re.IGNORECASE,
)


def without_addresses(error: str, host: str) -> str:
    """``error`` without ``host`` and anything that looks like an address."""
    text = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w.-]*\w)", "\0", error)
    text = re.sub(r"\[?\0\]?(:\d+)?( \(\0\))?", "the target", _ADDRESS.sub("\0", text))
    return re.sub(r"[^ -~]+", " ", text)[: limits.INQUIRY_ERROR_MAX]


_PLACE = re.compile(r"\[[0-9a-fA-F:.%\w]+\](:\d{1,5})?|(?<![\w.:-])([\w.-]+):\d{1,5}(?![\w.-]*\w)")
_FILE = re.compile(r"(?<![\w.])/[\w.-]+(/[\w.-]+)+/?")


_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d")
_DOCUMENTS = (".yaml", ".yml", ".json")


def without_addresses_and_paths(text: str, known: Collection[str]) -> str:
    """``text`` without addresses, NAME:PORT and file paths; each NAME in ``known`` stays."""

    def hidden(found: re.Match[str]) -> str:
        name = found[2]
        is_meant = name is not None and (
            name in known or name.endswith(_DOCUMENTS) or _HOUR.fullmatch(name)
        )
        return found[0] if is_meant else "an address"

    text = _ADDRESS.sub("an address", _PLACE.sub(hidden, _FILE.sub("a file", text)))
    return re.sub(r"[^ -~]+", " ", text)[: limits.SITE_TEXT_MAX]


def names_any(text: str, names: frozenset[str]) -> bool:
    """Whether ``text`` contains one of ``names`` as a word."""
    return not names.isdisjoint(re.findall(r"[a-z0-9][a-z0-9-]*", text))


def printable(text: str) -> str:
    """``text`` in a form that other routers accept as a name."""
    return re.sub(r"[^ -~]", "?", text)[: 2 * limits.NAME_CHARS_MAX]
