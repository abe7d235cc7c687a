"""Flags for how much targets, or a site as a whole, take: slots, a rate, learnt."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click
import msgspec

from router.documents import capacities
from router.model import limits
from router.model.capacity import Spill
from router.model.specs import ConnectorSpec, Document, SitePolicySpec
from sitectl.base.failure import Exit, Failure, usage
from sitectl.base.options import Duration, flag_group
from sitectl.site.site import Site

NONE = "none"
"""As a value of ``--capacity``, ``--site-capacity`` and ``--resume``: what was stated is withdrawn.
"""
_TARGET_HELP = "What each target takes: 10 at once, 15/s, auto (learnt), or none."
_SpecT = TypeVar("_SpecT", ConnectorSpec, SitePolicySpec)


class CapacityFlags(msgspec.Struct, frozen=True, kw_only=True):
    """``--capacity`` or ``--site-capacity``, and what stands beside a rate. None: not given."""

    capacity: str | None = None
    resume: str | None = None
    window_s: float | None = None
    stay_s: float | None = None

    @property
    def shown(self) -> str:
        """As on the command line, of a target's."""
        return "" if self.capacity is None else f" --capacity {self.capacity}"


class CapChange(msgspec.Struct, frozen=True):
    """What becomes of the Policy document of a service here."""

    put: tuple[Document, ...] = ()
    gone: tuple[Document, ...] = ()
    is_said: bool = True


_rate_flags = flag_group(
    click.option(
        "--resume",
        metavar="N/s",
        help="Requests per second below which an exceeded rate is calm again. "
        "[default: 2/3 of the rate]",
    ),
    click.option(
        "--window",
        "window_s",
        type=Duration(),
        help=f"Time window of a rate. [default: {limits.RATE_WINDOW_S:g}s]",
    ),
    click.option(
        "--stay",
        "stay_s",
        type=Duration(),
        help="Minimum time that a rate stays exceeded. [default: --window]",
    ),
)


def capacity_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--capacity``, ``--resume``, ``--window``, ``--stay`` as one argument ``capacity``."""

    @wraps(function)
    def gathered(*args: Any, **given: Any) -> Any:
        flags = CapacityFlags(**{name: given.pop(name) for name in CapacityFlags.__struct_fields__})
        return function(*args, **given, capacity=None if flags == CapacityFlags() else flags)

    option = click.option("--capacity", metavar="N|N/s|auto|none", help=_TARGET_HELP)
    return option(_rate_flags(gathered))


site_cap_flags = flag_group(
    click.option(
        "--site-capacity",
        metavar="N|N/s|none",
        help="Capacity of this site for the service, over all its targets.",
    ),
    click.option(
        "--spill",
        type=click.Choice(("excess", "all")),
        help="When the site's rate is exceeded, spill the excess or all new requests. "
        "[default: excess]",
    ),
)
"""``--site-capacity`` and ``--spill``; `lone_site_cap_flags` or `capacity_flags` give the rest."""


def lone_site_cap_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """`site_cap_flags` where no target's capacity is stated, as one argument ``cap``."""

    @wraps(function)
    def gathered(*args: Any, **given: Any) -> Any:
        site_capacity, spill = given.pop("site_capacity"), given.pop("spill")
        beside = {name: given.pop(name) for name in ("resume", "window_s", "stay_s")}
        flags = CapacityFlags(capacity=site_capacity, **beside)
        return function(*args, **given, cap=(flags, spill))

    return site_cap_flags(_rate_flags(gathered))


def stated_capacity(text: str, flag: str = "--capacity") -> int | str | None:
    """What the flag states, as specs hold it; None: none. Failure: it is nonsense."""
    if text == NONE:
        return None
    found = capacities.stated(text)
    if not isinstance(found, str) and found.auto and flag != "--capacity":
        found = "what a site takes is configured, not learned"
    if isinstance(found, str):
        code = "SW0104" if found else "usage"
        message = found or f"{text!r} is no capacity"
        hint = f"State {flag} 10 or {flag} 15/s; {flag} {NONE} withdraws it"
        raise Failure(Exit.USAGE, code, f"{flag}: {message}", hint)
    return capacities.spec_value(found)


def with_capacity(spec: _SpecT, flags: CapacityFlags | None) -> _SpecT:
    """``spec`` with what the flags state. Failure: it does not fit together."""
    if flags is None:
        return spec
    is_site = isinstance(spec, SitePolicySpec)
    field, flag = ("site_capacity", "--site-capacity") if is_site else ("capacity", "--capacity")
    changed: dict[str, Any] = {}
    if flags.capacity is not None:
        changed[field] = value = stated_capacity(flags.capacity, flag)
        if value != getattr(spec, field):  # What stood beside another rate does not fit this one.
            changed |= {"resume": "", "window_s": None, "stay_s": None}
    if flags.resume is not None:
        changed["resume"] = _resume(flags.resume)
    changed |= {
        name: value
        for name, value in (("window_s", flags.window_s), ("stay_s", flags.stay_s))
        if value is not None
    }
    settled = msgspec.structs.replace(spec, **changed)
    if isinstance(settled, SitePolicySpec):
        per_s = capacities.of_spec(settled.site_capacity).per_s
        rates = [] if per_s is None else [per_s]
    else:
        rates = capacities.connector_rates(settled)
    _require_fit(rates, settled, flag)
    return settled


def _resume(text: str) -> str:
    if text == NONE:
        return ""
    per_s = capacities.per_s_of(text)
    if isinstance(per_s, str):
        reason = per_s or f"{text!r} is no rate"
        raise Failure(Exit.USAGE, "SW0104", f"--resume: {reason}", "State --resume 10/s")
    return capacities.rate_text(per_s)


def _require_fit(rates: list[float], spec: ConnectorSpec | SitePolicySpec, flag: str) -> None:
    field, reason, hint = capacities.problem_of(rates, spec.resume, spec.window_s, spec.stay_s)
    if field:
        hint = hint if rates else f"Add {flag} 15/s"
        raise Failure(Exit.USAGE, "SW0104", f"--{field}: {reason}", hint)
    least, most = limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX
    if spec.window_s is not None and not least <= spec.window_s <= most:
        raise Failure(
            Exit.USAGE,
            "SW0104",
            f"--window: expected {least:g}s to {most:g}s, got {spec.window_s:g}s",
            "The usual one is 15s",
        )


def parted(
    site: Site, name: str, capacity: CapacityFlags | None, site_capacity: str | None, spill: str
) -> tuple[CapacityFlags | None, CapacityFlags | None]:
    """What `service set` was given for targets, and for the site: ``--resume`` is of one of them.

    Of the capacity that is given; else of the site's, if it has one here.
    """
    about_site = site_capacity is not None or spill != ""
    beside = capacity is not None and capacity != CapacityFlags(capacity=capacity.capacity)
    if capacity is None:
        return None, CapacityFlags(capacity=site_capacity) if about_site else None
    if capacity.capacity is None and (about_site or _has_cap(site, name)):
        return None, msgspec.structs.replace(capacity, capacity=site_capacity)
    if about_site and beside:
        raise usage(
            "--resume, --window and --stay: of --capacity or of --site-capacity?",
            f"Use two commands: sitectl service set {name} --capacity 15/s --resume 10/s, then "
            f"sitectl service set {name} --site-capacity 30/s --resume 20/s",
        )
    return capacity, CapacityFlags(capacity=site_capacity) if about_site else None


def cap_change(site: Site, name: str, flags: CapacityFlags | None, spill: str | None) -> CapChange:
    """What the flags make of the Policy document here, if they say anything of it."""
    if flags is None or (flags == CapacityFlags() and not spill):
        return CapChange(is_said=False)
    known = policy_of_service(site, name)
    before = known.spec if known is not None else SitePolicySpec(service=name)
    assert isinstance(before, SitePolicySpec)
    if flags.capacity == NONE:
        left = msgspec.structs.replace(
            before, site_capacity=None, resume="", window_s=None, stay_s=None, spill="excess"
        )
        if known is None or left == SitePolicySpec(service=name):
            return CapChange(gone=() if known is None else (known,))
        return CapChange((Document("Policy", known.name, left),))
    if flags.capacity is None and before.site_capacity is None:
        raise Failure(
            Exit.USAGE,
            "SW0104",
            f"service {name}: no --site-capacity is configured here that this could belong to",
            f"sitectl service set {name} --site-capacity 15/s",
        )
    settled = with_capacity(before, flags)
    if spill:
        settled = msgspec.structs.replace(settled, spill=cast(Spill, spill))
    if settled.spill == "all" and "/s" not in str(settled.site_capacity):
        raise Failure(
            Exit.USAGE,
            "SW0104",
            "--spill all belongs to a rate: only a rate can say when it is over",
            "State --site-capacity 15/s, or --spill excess",
        )
    return CapChange((Document("Policy", name if known is None else known.name, settled),))


def _has_cap(site: Site, name: str) -> bool:
    known = policy_of_service(site, name)
    return (
        known is not None
        and isinstance(known.spec, SitePolicySpec)
        and known.spec.site_capacity is not None
    )


def policy_of_service(site: Site, name: str) -> Document | None:
    """The Policy document of that service here."""
    return next(
        (
            document
            for document in site.documents()
            if isinstance(document.spec, SitePolicySpec) and document.spec.service == name
        ),
        None,
    )
