"""`service rebalance`: connections go where the policy would place them now."""

import re
import urllib.parse
from typing import Any

import click

from router.model import limits
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, usage
from sitectl.base.options import Duration, Settings, completes
from sitectl.base.verb import Verb
from sitectl.flags.services.sharing import unknown_here
from sitectl.selection import store
from sitectl.show.rebalance import plan_text

_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(?:/s)?\Z")


@click.command("rebalance", cls=Verb)
@click.argument("name", metavar="NAME[:PORT]", shell_complete=completes("services"))
@click.option(
    "--over",
    "over_s",
    type=Duration(),
    default=f"{limits.REBALANCE_OVER_S:g}s",
    show_default=True,
    help="How long connections are moved at most.",
)
@click.option(
    "--rate",
    metavar="N/s",
    default=f"{limits.REBALANCE_PER_S:g}/s",
    show_default=True,
    help="How many connections are ended a second at most.",
)
@click.option(
    "--idle",
    "idle_s",
    type=Duration(),
    default=f"{limits.REBALANCE_IDLE_S:g}s",
    show_default=True,
    help="A tcp connection without a byte for so long is idle; longer than a pause within a "
    "transaction.",
)
@click.option(
    "--grace",
    "grace_s",
    type=Duration(),
    default=None,
    help="After so long busy tcp connections are reset; without it they stay.",
)
@click.option("--dry-run", is_flag=True, help="Show what would move, and move nothing.")
@click.pass_obj
def rebalance(
    settings: Settings,
    name: str,
    over_s: float,
    rate: str,
    idle_s: float,
    grace_s: float | None,
    dry_run: bool,
) -> None:
    """End connections that the policy would now place at another site, so that clients reconnect.

    Use it after a failback or with new capacity: tcp connections, WebSockets and long streams stay
    at their site until they end. Only misplaced ones are ended, a few a second, and gently: a
    WebSocket gets a Close (1012), HTTP/2 gets a GOAWAY, a tcp connection ends when it is idle.
    HTTP requests need no rebalancing: each is placed by itself.

    \b
    Examples:
      sitectl service rebalance db --dry-run        what would move
      sitectl service rebalance db                  idle ones, 20 a second
      sitectl service rebalance db --grace 30s      busy ones too, after half a minute
      sitectl service set db --rebalance auto       always, by itself
    """
    found = _RATE.match(rate)
    if found is None or not 0 < float(found[1]) <= limits.REBALANCE_PER_S_MAX:
        raise usage(
            f"--rate {rate!r} is not a rate from 0.1/s to {limits.REBALANCE_PER_S_MAX:g}/s",
            "Write one like 20/s",
        )
    site = store.find_site(settings)
    quoted = urllib.parse.quote(name, safe="")
    try:
        plans: list[dict[str, Any]] = site.admin.get(f"/api/v1/services/{quoted}/rebalance")
    except Failure as failure:
        if failure.exit_code is Exit.NOT_FOUND:
            raise unknown_here(site, name, failure) from None
        raise
    is_ordered = not dry_run and any(plan["leave"] for plan in plans)
    if is_ordered:
        words = {"over_s": over_s, "per_s": float(found[1]), "idle_s": idle_s}
        if grace_s is not None:
            words["grace_s"] = grace_s
        arguments = {key: f"{value:g}" for key, value in words.items()}
        site.admin.command("rebalance", service=_named(plans), **arguments)
        for plan in plans:
            plan["running"] = bool(plan["leave"])
    output.emit_items(
        settings,
        "Rebalance",
        plans,
        lambda: plan_text(
            plans,
            rate=float(found[1]),
            over_s=over_s,
            grace_s=grace_s,
            is_ordered=is_ordered,
        ),
    )


def _named(plans: list[dict[str, Any]]) -> str:
    """The service of ``plans``, or its one port, as the order names it."""
    name, port = plans[0]["service"], plans[0]["port"]
    return f"{name}:{port}" if len(plans) == 1 else str(name)
