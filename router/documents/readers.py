"""Readers of single values: a node in, a Python value out, or an error that says what was expected.

A reader returns ``BAD`` after it has noted why, so that one text yields all its errors at once.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from router.documents import capacities
from router.documents.nodes import Findings, Mapping, Node, Scalar, Sequence
from router.model import limits
from router.model.rights import sharing
from router.model.specs import WORKLOAD_KINDS

Reader = Callable[[Findings, Node, str], Any]


class Bad:
    """The type of ``BAD``."""

    __slots__ = ()


BAD: Final = Bad()

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%\Z")
_SHARE: Final = re.compile(r"(?:0?\.[0-9]{1,9}|0|1|0\.0|1\.0)\Z")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?\Z")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_PORT_NAME = re.compile(r"(?=[0-9-]*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB)?\Z")
_UNIT_BYTES: Final = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SITE_PATTERN = re.compile(r"[a-z0-9*?][a-z0-9.*?-]*(@([a-f0-9*?]{1,8}|[a-f0-9]{32}))?\Z")
SITE_PATTERN_HINT: Final = (
    "Write a site's name, NAME@ and its id or the first 8 characters of it, or its id; * is any "
    "characters, ? one"
)
ONE_SITE_HINT: Final = "Write a site's name, NAME@ and its id, or its id"
MOMENT_HINT: Final = "Write it as in 2026-12-31T23:59:59Z"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII)
_YAML_BOOLEANS = frozenset({"yes", "no", "on", "off", "true", "false"})
_UNIT_S: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The most similar of ``choices``; None: none is."""
    import difflib  # For misspelt words alone.

    lowered = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.5)
    return lowered[close[0]] if close else None


def nearest(word: str, choices: Iterable[str]) -> str:
    """``did you mean …?`` for the most similar of ``choices``, else what there is."""
    known = sorted(choices)
    meant = closest(word, known)
    if meant is not None:
        return f"Did you mean {meant!r}?"
    if len(known) == 1:
        return f"Write {known[0]}"
    return f"Known here: {', '.join(known)}" if known else ""


def shown(node: Node) -> str:
    """What stands at ``node``, for an error: short, on one line."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    if node.is_null:
        return "nothing"
    text = node.value if len(node.value) <= 40 else node.value[:37] + "..."
    return ascii(text) if not text.isprintable() else repr(text)


def text_of(findings: Findings, node: Node, path: str, what: str) -> str | Bad:
    """A string; numbers and booleans without quotes are refused, they would surprise."""
    if not isinstance(node, Scalar) or node.is_null:
        findings.add(node, path, f"expected {what}, got {shown(node)}")
        return BAD
    if node.plain and node.value.lower() in _YAML_BOOLEANS:
        findings.add(node, path, f"expected {what}, got the boolean {node.value}", "Quote it")
        return BAD
    return node.value


def name(findings: Findings, node: Node, path: str) -> str | Bad:
    """A DNS-1123 label: what every name of ours is."""
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
    """Any text that people can read, as Skupper v2 names services."""
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
    """A service's name, or ``*`` for all that say nothing themselves."""
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
    """Whether a rule may name sites so."""
    return len(value) <= limits.SHARING_PATTERN_CHARS_MAX and _SITE_PATTERN.match(value) is not None


def one_site(findings: Findings, node: Node, path: str) -> str | Bad:
    """As `site_pattern`, and no pattern: it stands for one site."""
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
    """Unix seconds of a date and time in UTC (RFC 3339); None: it is none."""
    try:
        found = datetime.fromisoformat(text) if _MOMENT.match(text) else None
    except ValueError:
        return None
    return None if found is None else int(found.timestamp())


NAME_FORM: Final = (
    "lower-case letters, digits and '-', a letter or digit first and last, "
    f"at most {limits.NAME_CHARS_MAX}"
)
"""Of a name, for who typed another."""


def is_name(value: str) -> bool:
    """Whether ``value`` is a DNS-1123 label (RFC 1123, 2.1; at most 63 characters)."""
    return len(value) <= limits.NAME_CHARS_MAX and _NAME.match(value) is not None


def _name_hint(value: str) -> str:
    fixed = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[: limits.NAME_CHARS_MAX].strip("-")
    return f"Did you mean {fixed!r}?" if fixed else ""


def boolean(findings: Findings, node: Node, path: str) -> bool | Bad:
    """``true`` or ``false`` and nothing else: `no` and `on` mean different things to parsers."""
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


class IntegerReader:
    """A reader of a whole number from ``least`` to ``most``, both included."""

    __slots__ = ("least", "most", "what")

    def __init__(self, least: int, most: int, what: str = "a whole number") -> None:
        self.least, self.most, self.what = least, most, what

    @property
    def bounds(self) -> str:
        """For people."""
        return f"{self.least} to {self.most}"

    def __call__(self, findings: Findings, node: Node, path: str) -> int | Bad:
        if not (isinstance(node, Scalar) and node.plain and _INTEGER.match(node.value)):
            hint = ""
            if isinstance(node, Scalar) and not node.plain and _INTEGER.match(node.value):
                hint = "Take the quotes off"
            findings.add(node, path, f"expected {self.what}, got {shown(node)}", hint)
            return BAD
        if len(node.value) > 12 or not self.least <= int(node.value) <= self.most:
            findings.add(node, path, f"expected {self.what} from {self.bounds}, got {shown(node)}")
            return BAD
        return int(node.value)


port = IntegerReader(1, 65_535, "a port")


class DurationReader:
    """A reader of a duration: seconds as a number, or ``200ms 1s 15m 1h 2d``. Gives seconds."""

    __slots__ = ("least_s", "most_s")

    def __init__(self, least_s: float, most_s: float) -> None:
        self.least_s, self.most_s = least_s, most_s

    @property
    def bounds(self) -> str:
        """For people."""
        return f"{duration_text(self.least_s)} to {duration_text(self.most_s)}"

    def __call__(self, findings: Findings, node: Node, path: str) -> float | Bad:
        seconds = duration_s(node.value) if isinstance(node, Scalar) else None
        if seconds is None:
            findings.add(node, path, f"expected a duration like 1s or 15m, got {shown(node)}")
            return BAD
        if not self.least_s <= seconds <= self.most_s:
            reason = f"expected a duration from {self.bounds}, got {shown(node)}"
            findings.add(node, path, reason)
            return BAD
        return seconds


def duration_s(value: str) -> float | None:
    """Seconds of ``200ms``, ``1s``, ``15m``, ``1h``, ``2d`` or a bare number; None: not one."""
    match = _DURATION.match(value)
    if match is None:
        return None
    number, unit = float(match.group(1)), match.group(2) or ""
    return number / 1000 if unit == "ms" else number * _UNIT_S[unit]


class SizeReader:
    """A reader of bytes: a whole number, or ``8KiB``, ``1MiB``, ``2GiB``."""

    __slots__ = ("least", "most")

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    @property
    def bounds(self) -> str:
        """For people."""
        return f"{size_text(self.least)} to {size_text(self.most)}"

    def __call__(self, findings: Findings, node: Node, path: str) -> int | Bad:
        match = _SIZE.match(node.value) if isinstance(node, Scalar) else None
        if match is None:
            findings.add(node, path, f"expected a size like 8KiB, got {shown(node)}")
            return BAD
        value = int(match.group(1)) * _UNIT_BYTES[match.group(2) or ""]
        if not self.least <= value <= self.most:
            findings.add(node, path, f"expected a size from {self.bounds}, got {shown(node)}")
            return BAD
        return value


def size_text(size_bytes: int) -> str:
    """The shortest spelling that `size` reads back exactly."""
    for unit in ("GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _UNIT_BYTES[unit] == 0:
            return f"{size_bytes // _UNIT_BYTES[unit]}{unit}"
    return str(size_bytes)


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


def port_or_name(findings: Findings, node: Node, path: str) -> int | str | Bad:
    """A port's number, or its name as Kubernetes has it (RFC 6335: a letter, at most 15)."""
    if isinstance(node, Scalar) and _PORT_NAME.match(node.value) and len(node.value) <= 15:
        return node.value
    number: int | Bad = port(findings, node, path)
    return number


def workload(findings: Findings, node: Node, path: str) -> str | Bad:
    """``KIND/NAME``: whose pods are meant, see `specs.ConnectorSpec`."""
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


def share(findings: Findings, node: Node, path: str) -> float | Bad:
    """A number from 0 to 1."""
    value = float(node.value) if isinstance(node, Scalar) and _NUMBER.match(node.value) else -1.0
    if 0 <= value <= 1:
        return value
    findings.add(node, path, f"expected a share from 0 to 1, got {shown(node)}")
    return BAD


def percent_of(text: str) -> float | None:
    """``80%``, or the share 0.8; None: it is neither."""
    found = _PERCENT.match(text)
    if found is None and not _SHARE.match(text):
        return None
    value = float(found[1]) / 100 if found else float(text)
    return value if value <= 1 else None


def percent(findings: Findings, node: Node, path: str) -> float | Bad:
    """As `percent_of`."""
    value = percent_of(node.value) if isinstance(node, Scalar) else None
    if value is not None:
        return value
    hint = f"Write {node.value}%" if isinstance(node, Scalar) and node.value.isdecimal() else ""
    findings.add(node, path, f"expected a share like 80%, got {shown(node)}", hint)
    return BAD


def duration_text(seconds: float) -> str:
    """The shortest spelling that `duration_s` reads back exactly."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{int(seconds / size)}{unit}"
    number = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{number}s"


def capacity(findings: Findings, node: Node, path: str) -> int | str | Bad | None:
    """Slots, a rate or ``auto`` per target (`capacities.stated`)."""
    if isinstance(node, Scalar):
        if node.is_null:
            return None
        found = capacities.stated(node.value)
        if not isinstance(found, str):
            return capacities.spec_value(found)
        if found:
            findings.add(node, path, found, capacities.HINT, "SW0104")
            return BAD
    reason = f"expected a capacity like 10, 15/s or auto, got {shown(node)}"
    findings.add(node, path, reason, code="SW0104")
    return BAD


def site_capacity(findings: Findings, node: Node, path: str) -> int | str | Bad | None:
    """As `capacity`; what a site takes is stated, never learnt."""
    value = capacity(findings, node, path)
    if isinstance(value, str) and value.startswith("auto"):
        findings.add(
            node, path, "a site's capacity is configured, not learned", "Write 10 or 15/s", "SW0104"
        )
        return BAD
    return value


def rate(findings: Findings, node: Node, path: str) -> str | Bad:
    """``10/s``, as canonical text."""
    found = capacities.per_s_of(node.value) if isinstance(node, Scalar) else ""
    if isinstance(found, float):
        return capacities.rate_text(found)
    reason = found or f"expected a rate like 10/s, got {shown(node)}"
    findings.add(node, path, reason, code="SW0104")
    return BAD


class OptionalReader:
    """``reader``, or None where the value is left empty."""

    __slots__ = ("reader",)

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __call__(self, findings: Findings, node: Node, path: str) -> Any:
        if isinstance(node, Scalar) and node.is_null:
            return None
        return self.reader(findings, node, path)


def without_option(reader: Reader) -> Reader:
    """What reads a value that is not left empty."""
    return reader.reader if isinstance(reader, OptionalReader) else reader


class ListReader:
    """A list of what ``reader`` reads, as a tuple of at most ``most``."""

    __slots__ = ("most", "reader", "what")

    def __init__(self, reader: Reader, most: int, what: str) -> None:
        self.reader, self.most, self.what = reader, most, what

    @property
    def bounds(self) -> str:
        """For people."""
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
    """A mapping from names to what ``reader`` reads."""

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
