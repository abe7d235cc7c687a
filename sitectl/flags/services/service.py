"""Flags for how a service's requests and targets are handled: timeouts, limits, health.

Values are read as documents read them, so that bounds and words are the same everywhere.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import click
import msgspec

from router.documents.fields import bounds_text, default_text, yaml_key
from router.documents.nodes import Findings, Scalar
from router.documents.readers import Bad
from router.documents.schema import SETTINGS
from router.model.settings import Health, ServiceLimits, Timeouts
from router.model.specs import ServiceSpec
from sitectl.base.failure import usage
from sitectl.base.options import Decorated, Duration, Settings
from sitectl.flags.rows import read, row_flag

Handling = TypeVar("Handling", Timeouts, ServiceLimits)

_LIMITS_OF_TCP = ("connections", "connections_per_source", "retry_percent")
_HEALTH: Final = {
    row.flag.replace("-", "_"): row for row in SETTINGS[Health].fields.values() if row.flag
}
"""The rows by the name of their argument."""


def flag_name(attribute: str) -> str:
    """How a field of settings is called on the command line: ``half_closed_s``: half-closed."""
    return attribute.removesuffix("_s").removesuffix("_bytes").replace("_", "-")


def names_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The fields of ``struct`` by their name on the command line."""
    return {flag_name(attribute): attribute for attribute in struct.__struct_fields__}


def timeout_flags(function: Decorated) -> Decorated:
    """``--timeout`` and ``--limit``, each as often as wanted, as ``timeouts`` and ``ceilings``."""
    limit = click.option(
        "--limit",
        "ceilings",
        metavar="NAME=VALUE",
        multiple=True,
        help="What one client may send or hold; NAME= is the default again. "
        f"NAME: {', '.join(names_of(ServiceLimits))}.",
    )
    timeout = click.option(
        "--timeout",
        "timeouts",
        metavar="NAME=DURATION",
        multiple=True,
        callback=_part_timeouts,
        help="How long a step may take; NAME= is the default again. "
        f"NAME: {', '.join(names_of(Timeouts))}.",
    )
    return limit(timeout(function))


def _part_timeouts(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """A bare duration is the global ``--timeout``: the longest wait for a router."""
    for value in values:
        if "=" in value:
            continue
        try:
            ctx.ensure_object(Settings).timeout_s = Duration().convert(value, param, ctx)
        except click.BadParameter as error:
            raise usage(
                f"--timeout {value!r}: expected NAME=DURATION, or a duration like 30s for how long "
                "sitectl waits",
                _known(Timeouts),
            ) from error
    return tuple(value for value in values if "=" in value)


def health_flags(function: Decorated) -> Decorated:
    """How a target is judged; they come as keyword arguments, None where not given."""
    for row in reversed(_HEALTH.values()):
        function = row_flag(row, default_text(Health, row))(function)
    return function


def changed(flag: str, words: tuple[str, ...], before: Handling) -> Handling:
    """``before`` with what the words ``NAME=VALUE`` of ``--flag`` set; ``NAME=``: the default.

    Failure: no such name, a value that does not fit.
    """
    struct = type(before)
    names = names_of(struct)
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in names:
            raise usage(f"--{flag} {word!r}: expected one of these", _known(struct))
        values[names[name]] = (
            _read(struct, names[name], text, f"--{flag} {name}={text}")
            if text
            else getattr(struct(), names[name])
        )
    return msgspec.structs.replace(before, **values)


def handling_changes(
    timeouts: tuple[str, ...], ceilings: tuple[str, ...], spec: ServiceSpec, protocol: str
) -> dict[str, Any]:
    """The changes by ``--timeout`` and ``--limit`` to ``spec`` of a service of ``protocol``.

    Failure: as of `changed`, and a limit that connections of ``protocol`` do not have.
    """
    changes: dict[str, Any] = {}
    if timeouts:
        changes["timeouts"] = changed("timeout", timeouts, spec.timeouts)
    if ceilings:
        changes["limits"] = changed("limit", ceilings, spec.limits)
        if protocol == "tcp":
            _require_limits_of_tcp(ceilings)
    return changes


def _require_limits_of_tcp(words: tuple[str, ...]) -> None:
    for word in words:
        name, _, value = word.partition("=")
        if value and names_of(ServiceLimits)[name] not in _LIMITS_OF_TCP:
            raise usage(
                f"--limit {word}: a tcp service has no {name}",
                "Use --protocol http or http2, or one of "
                + ", ".join(map(flag_name, _LIMITS_OF_TCP)),
            )


def changed_health(flags: Mapping[str, str | None], before: Health) -> Health:
    """``before`` with the health flags that are given."""
    values = {
        _HEALTH[name].attribute: read(_HEALTH[name], text)
        for name, text in flags.items()
        if text is not None
    }
    return msgspec.structs.replace(before, **values)


def _read(struct: type[msgspec.Struct], attribute: str, text: str, shown: str) -> Any:
    findings = Findings("")
    field = SETTINGS[struct].fields[yaml_key(attribute)]
    value = field.read(findings, Scalar(text, text != "", 1, 1), "")
    if isinstance(value, Bad):
        error = findings.errors[0]
        raise usage(f"{shown}: {error.reason}", error.hint)
    return value


def _known(struct: type[msgspec.Struct]) -> str:
    return ", ".join(
        f"{name} ({bounds_text(struct, attribute)})" for name, attribute in names_of(struct).items()
    )
