"""Shared by verbs of gateways: flags, selecting a gateway, making one, waiting."""

from typing import Any, Final

import click

from sitectl.base import output
from sitectl.base.failure import Failure, timed_out
from sitectl.base.options import Settings, TokenFile, flag_group
from sitectl.flags.links.cost import LinkCost
from sitectl.flags.links.creation import wait_until_up
from sitectl.gateway import advice, gateway_init, gateway_status, services
from sitectl.gateway.home import HostGateway, find_gateway

MULTICAST: Final = "not in Spillway, requests are balanced one by one"
OF_THE_SERVICE: Final = "not needed here, the protocol is the service's"


name_flag = click.option(
    "--name", metavar="NAME", help="Name of the gateway; default: the only one of this host."
)


type_flag = click.option(
    "--type",
    "kind",
    type=click.Choice(tuple(gateway_init.KINDS)),
    help="What runs the router: a systemd unit (service), a container, or a plain "
    "process, which does not survive a reboot. [default: service]",
)


link_flags = flag_group(
    click.option(
        "--token",
        type=TokenFile(),
        help="Token of the site, if this host cannot reach the site.",
    ),
    click.option(
        "--ingress-host",
        "hosts",
        metavar="HOST[:PORT]",
        multiple=True,
        help="Address to dial, if it differs from the site's own.",
    ),
    click.option("--cost", type=LinkCost(), help="Cost of its link."),
)
"""Flags on the link of a gateway that is made."""


def make_gateway(
    settings: Settings, wish: gateway_init.GatewayWish, wait: float | None
) -> gateway_init.MadeGateway:
    done = gateway_init.make(settings, wish)
    gateway = done.gateway
    assert gateway.record is not None
    told = {"created": "created", "updated": "runs"}.get(done.change, "exists already, unchanged")
    kind = gateway_init.type_of(gateway.site)
    text = f"gateway {gateway.name} ({kind}) of site {gateway.record.site} {told}"
    if wait is not None:
        _wait_until_linked(gateway, wait)
        text += ", linked"
    output.report(settings, "Gateway", gateway.name, done.change, text)
    if kind == "process":
        output.note("type process: nothing starts it again after a reboot, `init` typed again does")
    return done


def _wait_until_linked(gateway: HostGateway, wait_s: float) -> None:
    """As `wait_until_up`, with what to type about a gateway."""
    try:
        wait_until_up(gateway.site, None, wait_s)
    except Failure as failure:
        if failure.code == "timed-out":
            failure.hint = f"sitectl gateway status {gateway.name}"
        elif failure.code == "link-refused":
            was_linked = gateway_status.seen(gateway)["link"]["certificate_expires"] is not None
            failure.hint = advice.to_link_again(gateway, was_linked=was_linked)
        raise


def gateway_to_change(settings: Settings, name: str | None) -> HostGateway:
    """The gateway, held against other commands until this one ends."""
    gateway = find_gateway(settings, name)
    click.get_current_context().with_resource(gateway.site.held())
    return gateway


def wait_until_settled(
    gateway: HostGateway, what: str, wait_s: float, service: str | None = None
) -> None:
    """Return when the gateway is settled, as far as it concerns ``service``. Failure: late."""
    last: list[dict[str, Any]] = []

    def settled() -> bool:
        item = gateway_status.seen(gateway)
        if service is not None:
            for key in ("bindings", "forwards"):
                item[key] = [row for row in item[key] if row["service"] == service]
        last[:] = [item]
        return gateway_status.is_settled(item)

    if not services.wait_for(settled, wait_s):
        rows = [last[0]["link"], *last[0]["bindings"], *last[0]["forwards"]] if last else []
        whys = [str(row["error"]) for row in rows if row.get("error")]
        whys += [
            f"{row['service']} has no target that is ready, at any site"
            for row in (last[0]["forwards"] if last else [])
            if row["state"] == "bound" and not row["targets_ready"]
        ]
        errors = "; ".join(dict.fromkeys(whys))
        raise timed_out(
            f"{what} after {wait_s:g} s" + (f": {errors}" if errors else ""),
            f"sitectl gateway status {gateway.name}",
        )
