"""Reads the spec of one object of Skupper v2; wrong values are noted with field and next step."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from router.documents.readers import is_name, nearest
from router.documents.skupper2 import fields
from router.documents.skupper2.objects import V2Object
from router.model.errors import ConfigError, Severity

_WRONG, _NO_EFFECT = "SW0113", "SW0114"
_UNITS_S: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0
}  # fmt: skip
_DURATION_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,9})?)(ns|us|µs|μs|ms|s|m|h)")
_TRUE: Final = {True: True, False: False, "true": True, "false": False, None: False, "": False}


class SpecReader:
    """Values of one object's spec. ``errors`` and ``notes`` name object and field."""

    __slots__ = ("_object", "errors", "notes")

    def __init__(self, found: V2Object) -> None:
        self._object = found
        self.errors: list[ConfigError] = []
        self.notes: list[ConfigError] = []

    def wrong(self, path: str, reason: str, hint: str) -> None:
        """Note that the object cannot be used."""
        self.errors.append(self._found(path, reason, hint, _WRONG, "error"))

    def note(self, path: str, reason: str) -> None:
        """Note a field without effect."""
        hint = "" if path else "The rest counts"
        self.notes.append(self._found(path, reason, hint, _NO_EFFECT, "warning"))

    def _found(
        self, path: str, reason: str, hint: str, code: str, severity: Severity
    ) -> ConfigError:
        one = self._object
        named = f"{one.kind}/{one.name or '?'}"[:120]
        source = one.source or named
        text = reason if source.endswith(named) else f"{named}: {reason}"
        return ConfigError(
            source,
            path,
            text,
            line=one.line,
            column=1 if one.line else 0,
            hint=hint,
            code=code,
            severity=severity,
        )

    def judge_fields(self) -> None:
        """Note each field that has no effect here or does not exist."""
        known = fields.FIELDS[self._object.kind]
        for field, value in self._object.spec.items():
            reason = known.get(field)
            if reason is None:
                hint = nearest(field, known)
                text = f"unknown field {field[:60]!r}{f'. {hint}' if hint else ''}"
                self.note(f"spec.{field[:60]}", text)
            elif field == "settings":
                self._judge_settings(value, reason)
            elif reason and value not in (None, "", {}, []):
                self.note(f"spec.{field}", f"has no effect: {reason}")

    def _judge_settings(self, value: Any, reason: str) -> None:
        if not isinstance(value, Mapping):
            if value is not None:
                self.wrong("spec.settings", "expected a mapping of texts", "Write NAME: VALUE")
            return
        for name in value:
            name = fields.ALIASES.get(str(name), str(name))
            if (self._object.kind, name) in fields.USED_SETTINGS:
                continue
            why = fields.SITE_SETTINGS.get(name, "") if self._object.kind == "Site" else ""
            told = f"has no effect: {why or reason or 'this setting is not known here'}"
            self.note(f"spec.settings[{name[:60]}]", told)

    # Values -------------------------------------------------------------------------------------

    def text(self, field: str, *, required: bool = False) -> str | None:
        """A text; a number or boolean that YAML made of one counts as written."""
        value = self._object.spec.get(field)
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, int):
            value = str(value)
        if value is not None and not isinstance(value, str):
            self.wrong(f"spec.{field}", f"expected a text, got {_shown(value)}", "")
            return None
        if required and not value:
            self.wrong(f"spec.{field}", "is missing", f"Add {field}")
            return None
        return value

    def boolean(self, field: str) -> bool:
        """A boolean; missing: False."""
        return self._boolean(f"spec.{field}", self._object.spec.get(field))

    def boolean_setting(self, name: str) -> bool:
        """A boolean of ``settings``, whose values are texts; missing: False."""
        settings = self._object.spec.get("settings")
        value = settings.get(name) if isinstance(settings, Mapping) else None
        return self._boolean(f"spec.settings[{name}]", value)

    def _boolean(self, path: str, value: Any) -> bool:
        found = _TRUE.get(value) if isinstance(value, bool | str | None) else None
        if found is None:
            self.wrong(path, f"expected true or false, got {_shown(value)}", "")
            return False
        return found

    def integer(self, field: str) -> int | None:
        """A whole number; missing: None."""
        value = self._object.spec.get(field)
        if value is None:
            return None
        number = integer_of(value)
        if number is None:
            self.wrong(f"spec.{field}", f"expected a whole number, got {_shown(value)}", "")
        return number

    def port(self) -> int | None:
        """The number of the required port."""
        value = self._object.spec.get("port")
        if value is None:
            self.wrong("spec.port", "is missing", "Add port: a number")
            return None
        return self.port_value("spec.port", value) or None

    def port_value(self, path: str, value: object) -> int:
        """``value`` as a port number; 0: it is not one, which is noted."""
        number = integer_of(value)
        if number is None or not 1 <= number <= 65_535:
            self.wrong(path, f"expected a port from 1 to 65535, got {_shown(value)}", "")
            return 0
        return number

    def credential(self) -> str:
        """The name of ``tlsCredentials``; missing or wrong: empty."""
        name = self.text("tlsCredentials") or ""
        if name and not is_name(name):
            reason = f"{name[:80]!r} is no name of a credential: expected one DNS label"
            self.wrong("spec.tlsCredentials", reason, "Rename the Secret")
            return ""
        return name

    def duration_s(self, field: str) -> float | None:
        """A duration in Go's notation (``1h30m``), in seconds; missing: None."""
        value = self.text(field)
        if not value:
            return None
        parts = _DURATION_PART.findall(value)
        if value.lstrip("+") != "".join(number + unit for number, unit in parts):
            self.wrong(
                f"spec.{field}",
                f"expected a duration, got {_shown(value)}",
                "Write it like 15m or 1h30m",
            )
            return None
        return math.fsum(float(number) * _UNITS_S[unit] for number, unit in parts)

    def mapping(self, field: str) -> Mapping[str, Any]:
        """A mapping; missing: empty."""
        value = self._object.spec.get(field)
        if value is not None and not isinstance(value, Mapping):
            self.wrong(f"spec.{field}", f"expected a mapping, got {_shown(value)}", "")
        return value if isinstance(value, Mapping) else {}

    def mappings(self, field: str) -> list[Mapping[str, Any]]:
        """A list of mappings; missing: empty."""
        found = self._list(field)
        if not all(isinstance(item, Mapping) for item in found):
            self.wrong(f"spec.{field}", "expected a list of mappings", "")
        return [item for item in found if isinstance(item, Mapping)]

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts; missing: empty."""
        found = self._list(field)
        if not all(isinstance(item, str) for item in found):
            self.wrong(f"spec.{field}", "expected a list of texts", "")
        return tuple(item for item in found if isinstance(item, str))

    def _list(self, field: str) -> list[Any]:
        value = self._object.spec.get(field)
        if value is not None and not isinstance(value, list):
            self.wrong(f"spec.{field}", f"expected a list, got {_shown(value)}", "")
        return value if isinstance(value, list) else []


def integer_of(value: object) -> int | None:
    """A whole number, or a text of at most nine digits that is one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    is_number = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(str(value)) if is_number and len(str(value)) <= 9 else None


def _shown(value: object) -> str:
    match value:
        case Mapping():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return repr(value)[:60]
