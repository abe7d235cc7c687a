"""Readers of numbers: ports, durations, sizes, shares, capacities, rates."""

import re
from typing import Final

from router.documents import capacities
from router.documents.nodes import Findings, Node, Scalar
from router.documents.readers import BAD, Bad, shown

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")


_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%\Z")


_SHARE: Final = re.compile(r"(?:0?\.[0-9]{1,9}|0|1|0\.0|1\.0)\Z")


_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")


_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?\Z")


_PORT_NAME = re.compile(r"(?=[0-9-]*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


_SIZE = re.compile(r"([0-9]{1,15})(KiB|MiB|GiB)?\Z")


_UNIT_BYTES: Final = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


_UNIT_S: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class IntegerReader:
    """A reader of a whole number from ``least`` to ``most``, both included."""

    __slots__ = ("least", "most", "what")

    def __init__(self, least: int, most: int, what: str = "a whole number") -> None:
        self.least, self.most, self.what = least, most, what

    @property
    def bounds(self) -> str:
        """The bounds in readable form."""
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
    """A reader of a duration: seconds as a number, or ``200ms 1s 15m 1h 2d``. Returns seconds."""

    __slots__ = ("least_s", "most_s")

    def __init__(self, least_s: float, most_s: float) -> None:
        self.least_s, self.most_s = least_s, most_s

    @property
    def bounds(self) -> str:
        """The bounds in readable form."""
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
    """Seconds of ``200ms``, ``1s``, ``15m``, ``1h``, ``2d`` or a bare number; None: not a
    duration."""
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
        """The bounds in readable form."""
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
    """The shortest text that `SizeReader` reads back exactly."""
    for unit in ("GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _UNIT_BYTES[unit] == 0:
            return f"{size_bytes // _UNIT_BYTES[unit]}{unit}"
    return str(size_bytes)


def port_or_name(findings: Findings, node: Node, path: str) -> int | str | Bad:
    """A port's number, or its name as in Kubernetes (RFC 6335: a letter, at most 15)."""
    if isinstance(node, Scalar) and _PORT_NAME.match(node.value) and len(node.value) <= 15:
        return node.value
    number: int | Bad = port(findings, node, path)
    return number


def share(findings: Findings, node: Node, path: str) -> float | Bad:
    """A number from 0 to 1."""
    value = float(node.value) if isinstance(node, Scalar) and _NUMBER.match(node.value) else -1.0
    if 0 <= value <= 1:
        return value
    findings.add(node, path, f"expected a share from 0 to 1, got {shown(node)}")
    return BAD


def percent_of(text: str) -> float | None:
    """``80%``, or the share 0.8; None: neither."""
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
    """The shortest text that `duration_s` reads back exactly."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{int(seconds / size)}{unit}"
    number = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{number}s"


def capacity(findings: Findings, node: Node, path: str) -> int | str | Bad | None:
    """The capacity of a target: slots, a rate or ``auto`` (`capacities`)."""
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
    """As `capacity`; a site's capacity is configured, never learned."""
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
