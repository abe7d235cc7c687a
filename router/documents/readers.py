"""Readers of single values: a node in, a Python value out, or an error with the expected form.

A reader returns ``BAD`` after it has noted the error, so that one text yields all its errors at
once.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from router.documents.nodes import Findings, Mapping, Node, Scalar, Sequence
from router.model import limits
from router.model.rights import sharing
from router.model.specs import WORKLOAD_KINDS

Reader = Callable[[Findings, Node, str], Any]


class Bad:
    """The type of ``BAD``."""

    __slots__ = ()


BAD: Final = Bad()

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SITE_PATTERN = re.compile(r"[a-z0-9*?][a-z0-9.*?-]*(@([a-f0-9*?]{1,8}|[a-f0-9]{32}))?\Z")
SITE_PATTERN_HINT: Final = (
    "Write a site's name, NAME@ and its id or the first 8 characters of it, or its id; * is any "
    "characters, ? one"
)
ONE_SITE_HINT: Final = "Write a site's name, NAME@ and its id, or its id"
MOMENT_HINT: Final = "Write it as in 2026-12-31T23:59:59Z"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII)
_YAML_BOOLEANS = frozenset({"yes", "no", "on", "off", "true", "false"})


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The most similar of ``choices``; None: none is similar."""
    import difflib  # Needed only for misspelled words.

    lowered = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.5)
    return lowered[close[0]] if close else None


def nearest(word: str, choices: Iterable[str]) -> str:
    """``did you mean …?`` for the most similar of ``choices``, otherwise the list of choices."""
    known = sorted(choices)
    meant = closest(word, known)
    if meant is not None:
        return f"Did you mean {meant!r}?"
    if len(known) == 1:
        return f"Write {known[0]}"
    return f"Known here: {', '.join(known)}" if known else ""


def shown(node: Node) -> str:
    """The content of ``node``, for an error: short, on one line."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    if node.is_null:
        return "nothing"
    text = node.value if len(node.value) <= 40 else node.value[:37] + "..."
    return ascii(text) if not text.isprintable() else repr(text)


def text_of(findings: Findings, node: Node, path: str, what: str) -> str | Bad:
    """A string; unquoted booleans are refused, because they would surprise."""
    if not isinstance(node, Scalar) or node.is_null:
        findings.add(node, path, f"expected {what}, got {shown(node)}")
        return BAD
    if node.plain and node.value.lower() in _YAML_BOOLEANS:
        findings.add(node, path, f"expected {what}, got the boolean {node.value}", "Quote it")
        return BAD
    return node.value


def name(findings: Findings, node: Node, path: str) -> str | Bad:
    """A DNS-1123 label, the form of all names of ours."""
    value = text_of(findings, node, path, "a name")
    if isinstance(value, Bad):
        return BAD
    if not is_name(value):
        findings.add(
            node,
            path,
            f"{shown(node)} is not a name: expected lower-case letters, digits and '-', starting "
            f"and ending with a letter or digit, at most {limits.NAME_CHARS_MAX}",
            _name_hint(value),
        )
        return BAD
    return value


def routing_key(findings: Findings, node: Node, path: str) -> str | Bad:
    """Any visible text, as Skupper v2 names services."""
    value = text_of(findings, node, path, "a routing key")
    if isinstance(value, Bad):
        return BAD
    if value and not is_routing_key(value):
        most = limits.ROUTING_KEY_CHARS_MAX
        reason = f"{shown(node)} is no routing key: expected 1 to {most} visible characters"
        findings.add(node, path, reason)
        return BAD
    return value


def is_routing_key(value: str) -> bool:
    """Whether ``value`` can name a service of Skupper v2 here."""
    return 0 < len(value) <= limits.ROUTING_KEY_CHARS_MAX and all(
        character.isprintable() and not character.isspace() for character in value
    )


def service_or_all(findings: Findings, node: Node, path: str) -> str | Bad:
    """A service's name, or ``*`` for all without their own rule."""
    if isinstance(node, Scalar) and node.value == sharing.ALL:
        return sharing.ALL
    return name(findings, node, path)


def site_pattern(findings: Findings, node: Node, path: str) -> str | Bad:
    """Sites as a rule names them (`model.rights.sharing`)."""
    value = text_of(findings, node, path, "a site")
    if isinstance(value, Bad) or is_site_pattern(value):
        return value
    findings.add(node, path, f"{shown(node)} names no site", SITE_PATTERN_HINT)
    return BAD


def is_site_pattern(value: str) -> bool:
    """Whether ``value`` is a valid pattern of a rule."""
    return len(value) <= limits.SHARING_PATTERN_CHARS_MAX and _SITE_PATTERN.match(value) is not None


def one_site(findings: Findings, node: Node, path: str) -> str | Bad:
    """As `site_pattern`, but without wildcards: it means one site."""
    value = site_pattern(findings, node, path)
    if isinstance(value, Bad) or not {"*", "?"} & set(value):
        return value
    findings.add(node, path, f"{shown(node)} may mean several sites", ONE_SITE_HINT)
    return BAD


def moment(findings: Findings, node: Node, path: str) -> str | Bad:
    """A date and time as in RFC 3339, in UTC; empty: none."""
    value = text_of(findings, node, path, "a date")
    if isinstance(value, Bad) or not value or unix_of(value) is not None:
        return value
    findings.add(node, path, f"{shown(node)} is no date and time in UTC", MOMENT_HINT)
    return BAD


def unix_of(text: str) -> int | None:
    """Unix seconds of a date and time in UTC (RFC 3339); None: not such a text."""
    try:
        found = datetime.fromisoformat(text) if _MOMENT.match(text) else None
    except ValueError:
        return None
    return None if found is None else int(found.timestamp())


NAME_FORM: Final = (
    "lower-case letters, digits and '-', a letter or digit first and last, "
    f"at most {limits.NAME_CHARS_MAX}"
)
"""The form of a name, for a user who typed another."""


def is_name(value: str) -> bool:
    """Whether ``value`` is a DNS-1123 label (RFC 1123, 2.1; at most 63 characters)."""
    return len(value) <= limits.NAME_CHARS_MAX and _NAME.match(value) is not None


def _name_hint(value: str) -> str:
    fixed = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[: limits.NAME_CHARS_MAX].strip("-")
    return f"Did you mean {fixed!r}?" if fixed else ""


def boolean(findings: Findings, node: Node, path: str) -> bool | Bad:
    """Only ``true`` or ``false``: parsers disagree about `no` and `on`."""
    if isinstance(node, Scalar) and node.plain and node.value in ("true", "false"):
        return node.value == "true"
    hint = ""
    if isinstance(node, Scalar) and node.value.lower() in _YAML_BOOLEANS:
        positive = node.value.lower() in ("yes", "on", "true")
        hint = f"Write {'true' if positive else 'false'}"
    findings.add(node, path, f"expected true or false, got {shown(node)}", hint)
    return BAD


class WordReader:
    """A reader of one of ``choices``."""

    __slots__ = ("choices",)

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, findings: Findings, node: Node, path: str) -> str | Bad:
        if isinstance(node, Scalar) and node.value in self.choices:
            return node.value
        hint = nearest(node.value, self.choices) if isinstance(node, Scalar) else ""
        few = len(self.choices) < 3
        expected = " or ".join(self.choices) if few else f"one of {', '.join(self.choices)}"
        findings.add(node, path, f"expected {expected}, got {shown(node)}", hint)
        return BAD


def matching(pattern: str, what: str) -> Reader:
    """A reader of a string that matches the whole of ``pattern``."""
    wanted = re.compile(pattern)

    def read(findings: Findings, node: Node, path: str) -> str | Bad:
        value = text_of(findings, node, path, what)
        if isinstance(value, Bad) or wanted.match(value) is not None:
            return value
        findings.add(node, path, f"expected {what}, got {shown(node)}")
        return BAD

    return read


def workload(findings: Findings, node: Node, path: str) -> str | Bad:
    """``KIND/NAME`` of the workload whose pods are meant, see `specs.ConnectorSpec`."""
    value = text_of(findings, node, path, "KIND/NAME")
    if isinstance(value, Bad) or not value:
        return value
    kind, _, rest = value.partition("/")
    if kind not in WORKLOAD_KINDS:
        findings.add(
            node, path, f"unknown kind of workload {kind!r}", nearest(kind, WORKLOAD_KINDS)
        )
        return BAD
    if not rest:
        findings.add(node, path, f"expected {kind}/NAME, got {shown(node)}")
        return BAD
    return value


class OptionalReader:
    """``reader``, or None for an empty value."""

    __slots__ = ("reader",)

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __call__(self, findings: Findings, node: Node, path: str) -> Any:
        if isinstance(node, Scalar) and node.is_null:
            return None
        return self.reader(findings, node, path)


def without_option(reader: Reader) -> Reader:
    """The inner reader, for values that are not empty."""
    return reader.reader if isinstance(reader, OptionalReader) else reader


class ListReader:
    """A list of values read by ``reader``, as a tuple of at most ``most``."""

    __slots__ = ("most", "reader", "what")

    def __init__(self, reader: Reader, most: int, what: str) -> None:
        self.reader, self.most, self.what = reader, most, what

    @property
    def bounds(self) -> str:
        """The bound in readable form."""
        return f"{self.most} at most"

    def __call__(self, findings: Findings, node: Node, path: str) -> tuple[Any, ...] | Bad:
        if not isinstance(node, Sequence):
            example = f"Write [{node.value}]" if isinstance(node, Scalar) and node.value else ""
            findings.add(node, path, f"expected a list of {self.what}, got {shown(node)}", example)
            return BAD
        if len(node.items) > self.most:
            reason = f"expected at most {self.most} {self.what}, got {len(node.items)}"
            findings.add(node, path, reason)
            return BAD
        values = [self.reader(findings, item, f"{path}[{i}]") for i, item in enumerate(node.items)]
        return BAD if any(isinstance(value, Bad) for value in values) else tuple(values)


def table(reader: Reader, most: int, what: str) -> Reader:
    """A mapping from names to values read by ``reader``."""

    def read(findings: Findings, node: Node, path: str) -> dict[str, Any] | Bad:
        if not isinstance(node, Mapping):
            findings.add(node, path, f"expected {what}, got {shown(node)}")
            return BAD
        if len(node.entries) > most:
            findings.add(node, path, f"expected at most {most} entries, got {len(node.entries)}")
            return BAD
        values = {
            key.value: reader(findings, value, f"{path}.{key.value}") for key, value in node.entries
        }
        return BAD if any(isinstance(value, Bad) for value in values.values()) else values

    return read
