"""Values in Kubernetes objects: texts, parsed as Skupper v1 and Kubernetes do.

A reader returns the value, or an `InvalidText` with what it expected.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from router.documents import addresses, capacities, proxies, quantities, readers
from router.documents.fields import Field
from router.documents.nodes import Findings, Scalar
from router.model import limits


class InvalidText(msgspec.Struct, frozen=True):
    """Why a text is not a valid value, and the next step."""

    reason: str
    hint: str = ""


TextReader = Callable[[str], Any]
"""Returns the value or an `InvalidText`; the text is stripped and not empty."""

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_DURATION_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_PART_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_QUANTITY = re.compile(
    r"\+?([0-9]{1,18}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
    r"(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?\Z"
)
_DECIMAL_UNITS: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_LARGE_UNITS: Final = {"P": 15, "E": 18}
_BINARY_UNITS: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_CREDENTIAL = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?\Z")
_PORT_NAME = re.compile(r"(?=[0-9-]*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?\Z")


def short(text: str) -> str:
    """``text`` in quotes for a finding: one line, not long."""
    cut = text if len(text) <= 40 else text[:37] + "..."
    return ascii(cut) if not cut.isprintable() else repr(cut)


def boolean(text: str) -> bool | InvalidText:
    """A boolean, parsed like Go's ``strconv.ParseBool``."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    return InvalidText(f"expected true or false, got {short(text)}", "Write true or false")


def capacity(text: str) -> int | str | InvalidText | None:
    """The capacity of each target: ``10``, ``15/s`` or ``auto``."""
    value = capacities.stated(text)
    if not isinstance(value, str):
        return capacities.spec_value(value)
    reason = value or f"expected a capacity like 10, 15/s or auto, got {short(text)}"
    return InvalidText(reason, capacities.HINT)


def words(*choices: str) -> TextReader:
    """A reader of one of ``choices``."""

    def read(text: str) -> str | InvalidText:
        if text in choices:
            return text
        hint = readers.nearest(text, choices)
        return InvalidText(f"expected one of {', '.join(choices)}, got {short(text)}", hint)

    return read


def integer(least: int, most: int) -> TextReader:
    """A reader of a whole number."""

    def read(text: str) -> int | InvalidText:
        digits = text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 12
        if digits and least <= int(text) <= most:
            return int(text)
        return InvalidText(f"expected a whole number from {least} to {most}, got {short(text)}")

    return read


def duration_s(text: str) -> float | InvalidText:
    """Seconds, in Go's form (``3m0s``) or that of our documents (``2d``)."""
    end, total = 0, 0.0
    for match in _DURATION_PART.finditer(text):
        if match.start() != end:
            break
        total += float(match.group(1)) * _PART_S[match.group(2)]
        end = match.end()
    if end == len(text) and end > 0:
        return total
    ours = quantities.duration_s(text)
    if ours is not None:
        return ours
    return InvalidText(f"expected a duration like 3m, got {short(text)}", "Write 90s, 3m or 1h")


def duration(least_s: float, most_s: float) -> TextReader:
    """A reader of a duration within bounds, in seconds."""

    def read(text: str) -> float | InvalidText:
        found = duration_s(text)
        if isinstance(found, InvalidText) or least_s <= found <= most_s:
            return found
        bounds = f"{quantities.duration_text(least_s)} to {quantities.duration_text(most_s)}"
        return InvalidText(f"expected a duration from {bounds}, got {short(text)}")

    return read


def of_row(row: Field) -> TextReader:
    """A reader like that of documents for the setting; durations and booleans as in Go."""
    inner = readers.without_option(row.read)
    if inner is readers.boolean:
        return boolean
    if isinstance(inner, quantities.DurationReader):
        return duration(inner.least_s, inner.most_s)

    def read(text: str) -> Any:
        findings = Findings("")
        value = row.read(findings, Scalar(text, True, 1, 1), "")
        if isinstance(value, readers.Bad):
            error = findings.errors[0]
            return InvalidText(error.reason, error.hint)
        return value

    return read


def amount(text: str) -> Decimal | None:
    """The amount of a Kubernetes quantity, in cores or bytes; None: it is none."""
    match = _QUANTITY.match(text)
    if match is None:
        return None
    number, unit = Decimal(match.group(1)), match.group(2) or ""
    if unit in _BINARY_UNITS:
        return number * Decimal(2) ** _BINARY_UNITS[unit]
    powers = _DECIMAL_UNITS | _LARGE_UNITS
    return number.scaleb(powers[unit] if unit in powers else int(unit[1:]))


def quantity(text: str) -> str | InvalidText:
    """A Kubernetes quantity above zero, as written."""
    found = amount(text)
    if found is not None and found > 0:
        return text
    return InvalidText(f"expected a quantity like 500m or 256Mi, got {short(text)}")


def memory_from(least_bytes: int) -> TextReader:
    """A reader of a Kubernetes quantity of at least ``least_bytes``, whole MiB."""

    def read(text: str) -> str | InvalidText:
        found = amount(text)
        if found is None or found >= least_bytes:
            return quantity(text)
        least = f"{least_bytes // limits.MIB}Mi"
        return InvalidText(
            f"a router serves no client within {short(text)}, it takes {least} at least",
            f"Write {least} or more",
        )

    return read


def any_text(text: str) -> str:
    """Any text."""
    return text


def host(text: str) -> str | InvalidText:
    """A host name or address."""
    if addresses.is_host(text):
        return text
    return InvalidText(f"expected a host name or address, got {short(text)}")


def ip(text: str) -> str | InvalidText:
    """A numeric address."""
    return (
        text if addresses.is_ip(text) else InvalidText(f"expected an IP address, got {short(text)}")
    )


def name(text: str) -> str | InvalidText:
    """A DNS label, the form of service and site names."""
    if readers.is_name(text):
        return text
    if "." in text and all(map(readers.is_name, text.split("."))):
        reason = f"{short(text)} has dots: it names a Service, so it is one DNS label"
    else:
        reason = (
            f"{short(text)} is no name: expected lower-case letters, digits and '-', starting and "
            f"ending with a letter or digit, at most {limits.NAME_CHARS_MAX}"
        )
    fixed = re.sub(r"[^a-z0-9]+", "-", text.lower())[: limits.NAME_CHARS_MAX].strip("-")
    return InvalidText(reason, f"Did you mean {fixed!r}?" if fixed else "")


def is_label_key(text: str) -> bool:
    """Whether ``text`` may be the key of a label or annotation (``[prefix/]name``)."""
    prefix, slash, rest = text.rpartition("/")
    if slash and not (len(prefix) <= 253 and all(map(readers.is_name, prefix.split(".")))):
        return False
    return _LABEL_NAME.match(rest) is not None


def is_label_value(text: str) -> bool:
    """Whether ``text`` may be the value of a label."""
    return text == "" or _LABEL_NAME.match(text) is not None


def pairs(text: str, separator: str = ",") -> dict[str, str]:
    """``a=b,c=d``; a backslash keeps the next character. Entries without ``=`` have no value."""
    split = re.compile(rf"\\(.)|({re.escape(separator or ',')})", re.DOTALL)
    items: list[str] = []
    # In parts, since appending single characters to a text would take quadratic time.
    item: list[str] = []
    at = 0
    for found in split.finditer(text):
        item.append(text[at : found.start()])
        at = found.end()
        if found[2] is None:
            item.append(found[1])
        else:
            items.append("".join(item))
            item = []
    items.append("".join([*item, text[at:]]))
    pairs = (entry.strip().partition("=") for entry in items if entry.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def label_pairs(text: str, separator: str = ",") -> dict[str, str] | InvalidText:
    """Labels (``a=b,c=d``), all of them usable."""
    found = pairs(text, separator)
    for key, value in found.items():
        if not is_label_key(key) or not is_label_value(value):
            return InvalidText(
                f"{short(f'{key}={value}')} is no label", "Write KEY=VALUE,KEY=VALUE"
            )
    return found


def annotation_pairs(text: str, separator: str = ",") -> dict[str, str] | InvalidText:
    """Annotations (``a=b,c=d``), all of them usable."""
    found = pairs(text, separator)
    for key in found:
        if not is_label_key(key):
            return InvalidText(f"{short(key)} is no annotation's key", "Write KEY=VALUE,KEY=VALUE")
    return found


def selector_text(selector: Mapping[str, str]) -> str:
    """A label selector in the form of ``pods/…``."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


PortPairs = tuple[tuple[int, int | str], ...]
"""Ports of a service in order, each with its target port: a number or a name."""


def port_pairs(text: str) -> PortPairs | InvalidText:
    """``8080``, ``80:8080``, ``80:http`` and lists of these."""
    found: dict[int, int | str] = {}
    for item in text.split(","):
        front, colon, back = item.strip().partition(":")
        port = port_number(front)
        target = _target_port(back.strip()) if colon else port
        if port is None or target is None:
            return InvalidText(
                f"expected PORT or PORT:TARGETPORT, got {short(item.strip())}",
                "Write 8080, 80:8080 or 80:8080,443:8443",
            )
        if port in found:
            return InvalidText(f"port {port} stands twice", "Give each port once")
        found[port] = target
    if len(found) > limits.PORTS_PER_SERVICE_MAX:
        return InvalidText(
            f"expected at most {limits.PORTS_PER_SERVICE_MAX} ports, got {len(found)}"
        )
    return tuple(found.items())


def port_number(text: object) -> int | None:
    """A port from a number or its digits; None: it is none."""
    if isinstance(text, str):
        text = int(text.strip()) if re.fullmatch(r"\s*[0-9]{1,5}\s*", text, re.ASCII) else None
    if not isinstance(text, int) or isinstance(text, bool) or not 1 <= text <= 65_535:
        return None
    return text


def _target_port(text: str) -> int | str | None:
    return text if _PORT_NAME.match(text) else port_number(text)


_LEVELS: Final = ("trace", "debug", "info", "notice", "warning", "error", "critical")


def log_levels(text: str) -> str | InvalidText:
    """``LEVEL`` or ``MODULE:LEVEL`` with an optional ``+``, and lists of these; as written."""
    for item in text.split(","):
        level = item.strip().rpartition(":")[2].removesuffix("+").lower()
        if level not in _LEVELS:
            hint = readers.nearest(level, _LEVELS)
            return InvalidText(f"expected LEVEL or MODULE:LEVEL, got {short(item.strip())}", hint)
    return text


def credential(text: str) -> str | InvalidText:
    """The name of a Secret with a certificate that is also valid for a credential."""
    if _CREDENTIAL.match(text):
        return text
    return InvalidText(f"expected the name of a Secret, got {short(text)}")


def proxy(text: str) -> str | InvalidText:
    """``none``, ``env`` or the URL of an HTTP proxy without a password, which is never shown."""
    if text in ("", proxies.NONE, proxies.ENVIRONMENT):
        return text
    url = proxies.split_url(text)
    if url is None:
        return InvalidText(proxies.EXPECTED)
    if url.user is not None:
        return InvalidText(
            "user and password do not belong here", "Keep them in a Secret: docs/links.md"
        )
    return url.url
