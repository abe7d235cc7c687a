"""Flags for how much of its slots this site lends to clients of others."""

from typing import Final

import click
import msgspec

from router.documents.quantities import percent_of
from router.model.specs import SitePolicySpec
from sitectl.base.failure import usage
from sitectl.base.options import flags_as
from sitectl.flags.services.capacity import NONE, CapChange
from sitectl.flags.services.sharing import with_fields
from sitectl.site.site import Site


class LendingFlags(msgspec.Struct, frozen=True):
    """As given; None: not given."""

    reserve_for_own: str | None = None
    max_share: str | None = None


_UNSET: Final = SitePolicySpec(service="")


lending_flags = flags_as(
    "lending",
    LendingFlags,
    click.option(
        "--reserve-for-own",
        metavar=f"PERCENT|{NONE}",
        help="Share of this site's slots that only its own clients get.",
    ),
    click.option(
        "--max-share",
        metavar=f"PERCENT|{NONE}",
        help="Largest share of this site's slots that one neighbor holds at once.",
    ),
)


def with_lending(site: Site, name: str, cap: CapChange, flags: LendingFlags) -> CapChange:
    """``cap`` and what the flags make of the Policy document of service ``name`` here."""
    if flags == LendingFlags():
        return cap
    changed = {
        field: _share(field, text)
        for field in flags.__struct_fields__
        if (text := getattr(flags, field)) is not None
    }
    return with_fields(site, name, cap, changed)


def lending_text(before: SitePolicySpec, after: SitePolicySpec) -> list[str]:
    """Texts on the slots that the site reserves, or no longer does; they follow the site's name."""
    found = []
    if after.reserve_for_own:
        found.append(f"keeps {after.reserve_for_own * 100:g}% of its slots for its own clients")
    elif before.reserve_for_own:
        found.append("lends each free slot")
    if after.max_share < 1:
        found.append(f"lends one neighbor at most {after.max_share * 100:g}% of its slots")
    elif before.max_share < 1:
        found.append("lends one neighbor any number of slots")
    return found


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _share(field: str, text: str) -> float:
    """Failure: it is no share, or leaves nothing to others."""
    if text == NONE:
        unset: float = getattr(_UNSET, field)
        return unset
    share, flag = percent_of(text), _flag(field)
    if share is None:
        raise usage(f"{flag} {text!r}: expected a share of this site's slots", f"Use {flag} 30%")
    is_all = share >= 1 if field == "reserve_for_own" else share <= 0
    if is_all:
        raise usage(
            f"{flag} {text} leaves nothing to other sites",
            "Use --export-to none, so that they know of nothing here",
        )
    return share
