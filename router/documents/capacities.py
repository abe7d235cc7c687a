"""Reads and checks values of ``capacity``: slots, a rate, ``auto``, or a combination."""

import re
from math import ceil, isfinite
from typing import Final

import msgspec

from router.model import limits
from router.model.capacity import Rate, SiteCap
from router.model.specs import ConnectorSpec, SitePolicySpec, TargetSpec

_SLOTS: Final = re.compile(r"[-+]?[0-9]+\Z")
_PER_S: Final = re.compile(
    r"([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?) ?/ ?s\Z"
)
_TEXT_CHARS_MAX: Final = 40
HINT: Final = "State slots (10), a rate (15/s) or auto"


class Stated(msgspec.Struct, frozen=True):
    """The content of one ``capacity`` value; all empty: nothing."""

    slots: int | None = None
    per_s: float | None = None
    auto: bool = False


class CapacityTerms(msgspec.Struct, frozen=True):
    """The capacity terms of one target."""

    slots: int | None = None
    rate: Rate | None = None
    auto: bool = False


def stated(text: str) -> Stated | str:
    """Parse ``10``, ``15/s``, ``auto``, or two of them with a comma; or why not, empty: no such
    form.
    """
    slots: int | None = None
    per_s: float | None = None
    auto = False
    if len(text) > _TEXT_CHARS_MAX:
        return ""
    for part in (one.strip() for one in text.split(",")):
        if _SLOTS.match(part) and slots is None and not auto:
            slots = int(part)
            if not 1 <= slots <= limits.CAPACITY_MAX:
                return f"expected a capacity from 1 to {limits.CAPACITY_MAX}, got {part!r}"
        elif part == "auto" and slots is None and not auto:
            auto = True
        elif per_s is None and (found := _PER_S.match(part)):
            per_s = float(found.group(1))
            if not _is_rate(per_s):
                return (
                    f"expected a rate from {rate_text(limits.RATE_PER_S_MIN)} to "
                    f"{rate_text(limits.RATE_PER_S_MAX)}, got {part!r}"
                )
        elif _SLOTS.match(part) or part == "auto" or _PER_S.match(part):
            return f"{text!r} gives its slots or its rate twice"
        else:
            return ""
    return Stated(slots, per_s, auto)


def per_s_of(text: str) -> float | str:
    """``10/s`` as requests a second, or why not; empty: not a rate at all."""
    found = stated(text)
    if isinstance(found, str):
        return found
    if found.per_s is None or found.slots is not None or found.auto:
        return ""
    return found.per_s


def spec_value(found: Stated) -> int | str | None:
    """The value for a spec: slots as a number, everything else as canonical text."""
    if found.per_s is None:
        return "auto" if found.auto else found.slots
    first = "auto," if found.auto else "" if found.slots is None else f"{found.slots},"
    return first + rate_text(found.per_s)


def of_spec(value: int | str | None) -> Stated:
    """Parse the value of a spec, which came from `stated`."""
    if not isinstance(value, str):
        return Stated(slots=value)
    found = stated(value)
    assert isinstance(found, Stated), "a spec holds what was judged"
    return found


def rate_text(per_s: float) -> str:
    """The shortest text that reads back exactly: ``15/s``, ``0.5/s``."""
    number = f"{per_s:.9f}".rstrip("0").rstrip(".")
    if float(number) != per_s:
        number = repr(per_s)
    return f"{number}/s"


def default_window_s(per_s: float) -> float:
    """`limits.RATE_WINDOW_S`, or the time in which the rate allows one request."""
    return max(limits.RATE_WINDOW_S, float(ceil(1.0 / per_s)))


def rate_of(per_s: float, resume: str, window_s: float | None, stay_s: float | None) -> Rate:
    """The rate with defaults for missing values; `problem_of` has checked it."""
    if window_s is None or window_s * per_s < 1.0:  # The latter: a pod's own rate is lower.
        window_s = default_window_s(per_s)
    low = per_s_of(resume) if resume else per_s * limits.RATE_RESUME_SHARE
    assert isinstance(low, float), "a spec holds what was judged"
    return Rate(
        per_s=per_s,
        resume_per_s=min(low, per_s),
        window_s=window_s,
        stay_s=window_s if stay_s is None else stay_s,
    )


def problem_of(
    rates: list[float], resume: str, window_s: float | None, stay_s: float | None = None
) -> tuple[str, str, str]:
    """(field, problem, hint) for the fields that go with ``rates``; an empty field: no problem.

    Without any rate these fields must be missing.
    """
    if not rates:
        given = {"resume": resume or None, "window": window_s, "stay": stay_s}
        for field, value in given.items():
            if value is not None:
                return field, f"{field} belongs to a rate, and there is none", "Add capacity: 15/s"
        return "", "", ""
    least = min(rates)
    if window_s is not None and window_s * least < 1.0:
        return (
            "window",
            f"at {rate_text(least)} not one request fits into the window",
            f"Use a window of at least {ceil(1.0 / least)}s",
        )
    low = per_s_of(resume) if resume else 0.0
    if isinstance(low, float) and low > least:
        return (
            "resume",
            f"resume {resume} is above the rate {rate_text(least)}: it would never be over",
            f"Use {rate_text(float(f'{least * limits.RATE_RESUME_SHARE:.3g}'))}",
        )
    return "", "", ""


def connector_rates(spec: ConnectorSpec) -> list[float]:
    """Every rate to which its ``resume`` applies: its own, otherwise those of its targets."""
    own = of_spec(spec.capacity).per_s
    if own is not None:
        return [own]
    found = (of_spec(target.capacity).per_s for target in spec.targets)
    return [per_s for per_s in found if per_s is not None]


def terms_of(connector: ConnectorSpec, target: TargetSpec) -> CapacityTerms:
    """The terms of ``target``: its own, otherwise those of its connector.

    ``resume`` applies to the connector's rate; for a target with a different rate, in proportion.
    """
    whole = of_spec(connector.capacity)
    own = whole if target.capacity is None else of_spec(target.capacity)
    if own.per_s is None:
        return CapacityTerms(own.slots, None, own.auto)
    if whole.per_s is None or whole.per_s == own.per_s:
        rate = rate_of(own.per_s, connector.resume, connector.window_s, connector.stay_s)
    else:
        like = rate_of(whole.per_s, connector.resume, connector.window_s, connector.stay_s)
        fits = like.window_s * own.per_s >= 1.0
        rate = Rate(
            per_s=own.per_s,
            resume_per_s=own.per_s * like.resume_per_s / like.per_s,
            window_s=like.window_s if fits else default_window_s(own.per_s),
            stay_s=like.stay_s,
        )
    return CapacityTerms(own.slots, rate, own.auto)


def cap_of(spec: SitePolicySpec) -> SiteCap | None:
    """The cap in a Policy document; None: none."""
    found = of_spec(spec.site_capacity)
    if found.slots is None and found.per_s is None:
        return None
    rate = None
    if found.per_s is not None:
        rate = rate_of(found.per_s, spec.resume, spec.window_s, spec.stay_s)
    return SiteCap(slots=found.slots, rate=rate, spill=spec.spill)


def _is_rate(per_s: float) -> bool:
    return isfinite(per_s) and limits.RATE_PER_S_MIN <= per_s <= limits.RATE_PER_S_MAX
