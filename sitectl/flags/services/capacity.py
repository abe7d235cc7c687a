"""Flags for how much targets, or a site as a whole, take: slots, a rate, learned."""

from typing import Any, TypeVar

import click
import msgspec

from router.documents import capacities
from router.model import limits
from router.model.capacity import Spill
from router.model.specs import ConnectorSpec, Document, SitePolicySpec
from sitectl.base.failure import usage
from sitectl.base.options import Duration, flag_group, flags_as
from sitectl.site.site import Site

NONE = "none"
"""The value of ``--capacity``, ``--site-capacity`` and ``--resume`` that removes the setting."""
_TARGET_HELP = "What each target takes: 10 at once, 15/s, auto (learned), or none."
_SpecT = TypeVar("_SpecT", ConnectorSpec, SitePolicySpec)


class CapacityFlags(msgspec.Struct, frozen=True, kw_only=True):
    """``--capacity`` or ``--site-capacity``, and what stands beside a rate. None: not given."""

    capacity: str | None = None
    resume: str | None = None
    window_s: float | None = None
    stay_s: float | None = None

    @property
    def is_given(self) -> bool:
        """Whether any of them was typed."""
        return self != CapacityFlags()

    @property
    def shown(self) -> str:
        """As on the command line, of a target's."""
        return "" if self.capacity is None else f" --capacity {self.capacity}"


class SiteCapFlags(msgspec.Struct, frozen=True, kw_only=True):
    """``--site-capacity`` with all that may stand beside it. None: not given."""

    site_capacity: str | None = None
    spill: Spill | None = None
    resume: str | None = None
    window_s: float | None = None
    stay_s: float | None = None

    @property
    def is_given(self) -> bool:
        """Whether any of them was typed."""
        return self != SiteCapFlags()

    @property
    def capacity(self) -> CapacityFlags:
        """How much, without what becomes of the excess."""
        return CapacityFlags(
            capacity=self.site_capacity,
            resume=self.resume,
            window_s=self.window_s,
            stay_s=self.stay_s,
        )


class CapChange(msgspec.Struct, frozen=True):
    """The change of the Policy document of a service here."""

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


capacity_flags = flags_as(
    "capacity",
    CapacityFlags,
    click.option("--capacity", metavar="N|N/s|auto|none", help=_TARGET_HELP),
    _rate_flags,
)
"""``--capacity``, ``--resume``, ``--window``, ``--stay``."""

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

lone_site_cap_flags = flags_as("cap", SiteCapFlags, site_cap_flags, _rate_flags)
"""`site_cap_flags` for verbs that configure no capacity of a target."""


def stated_capacity(text: str, flag: str = "--capacity") -> int | str | None:
    """The value of the flag, in the form of specs; None: none. Failure: it is invalid."""
    if text == NONE:
        return None
    found = capacities.stated(text)
    if not isinstance(found, str) and found.auto and flag != "--capacity":
        found = "what a site takes is configured, not learned"
    if isinstance(found, str):
        code = "SW0104" if found else "usage"
        message = found or f"{text!r} is no capacity"
        hint = f"State {flag} 10 or {flag} 15/s; {flag} {NONE} withdraws it"
        raise usage(f"{flag}: {message}", hint, code=code)
    return capacities.spec_value(found)


def with_capacity(spec: _SpecT, flags: CapacityFlags) -> _SpecT:
    """``spec`` with what the flags state. Failure: it does not fit together."""
    if not flags.is_given:
        return spec
    is_site = isinstance(spec, SitePolicySpec)
    field, flag = ("site_capacity", "--site-capacity") if is_site else ("capacity", "--capacity")
    changed: dict[str, Any] = {}
    if flags.capacity is not None:
        changed[field] = value = stated_capacity(flags.capacity, flag)
        if value != getattr(spec, field):  # The settings for the former rate do not fit this one.
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
        raise usage(f"--resume: {reason}", "State --resume 10/s", code="SW0104")
    return capacities.rate_text(per_s)


def _require_fit(rates: list[float], spec: ConnectorSpec | SitePolicySpec, flag: str) -> None:
    field, reason, hint = capacities.problem_of(rates, spec.resume, spec.window_s, spec.stay_s)
    if field:
        hint = hint if rates else f"Add {flag} 15/s"
        raise usage(f"--{field}: {reason}", hint, code="SW0104")
    least, most = limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX
    if spec.window_s is not None and not least <= spec.window_s <= most:
        raise usage(
            f"--window: expected {least:g}s to {most:g}s, got {spec.window_s:g}s",
            "The usual one is 15s",
            code="SW0104",
        )


def parted(
    site: Site, name: str, capacity: CapacityFlags, cap: SiteCapFlags
) -> tuple[CapacityFlags, SiteCapFlags]:
    """The flags of `service set` for targets, and those for the site.

    ``--resume`` belongs to the given capacity; without one, to the site's if it has one here.
    """
    beside = msgspec.structs.replace(capacity, capacity=None)
    if not beside.is_given:
        return capacity, cap
    if capacity.capacity is None and (cap.is_given or _has_cap(site, name)):
        rate = msgspec.structs.asdict(beside)
        del rate["capacity"]
        return CapacityFlags(), msgspec.structs.replace(cap, **rate)
    if cap.is_given:
        raise usage(
            "--resume, --window and --stay: of --capacity or of --site-capacity?",
            f"Use two commands: sitectl service set {name} --capacity 15/s --resume 10/s, then "
            f"sitectl service set {name} --site-capacity 30/s --resume 20/s",
        )
    return capacity, cap


def cap_change(site: Site, name: str, flags: SiteCapFlags) -> CapChange:
    """The change that the flags make to the Policy document here, if any."""
    if not flags.is_given:
        return CapChange(is_said=False)
    known = policy_of_service(site, name)
    before = known.spec if known is not None else SitePolicySpec(service=name)
    assert isinstance(before, SitePolicySpec)
    if flags.site_capacity == NONE:
        left = msgspec.structs.replace(
            before, site_capacity=None, resume="", window_s=None, stay_s=None, spill="excess"
        )
        if known is None or left == SitePolicySpec(service=name):
            return CapChange(gone=() if known is None else (known,))
        return CapChange((Document("Policy", known.name, left),))
    if flags.site_capacity is None and before.site_capacity is None:
        raise usage(
            f"service {name}: no --site-capacity is configured here that this could belong to",
            f"sitectl service set {name} --site-capacity 15/s",
            code="SW0104",
        )
    settled = with_capacity(before, flags.capacity)
    if flags.spill:
        settled = msgspec.structs.replace(settled, spill=flags.spill)
    if settled.spill == "all" and "/s" not in str(settled.site_capacity):
        raise usage(
            "--spill all belongs to a rate: only a rate can say when it is over",
            "State --site-capacity 15/s, or --spill excess",
            code="SW0104",
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
