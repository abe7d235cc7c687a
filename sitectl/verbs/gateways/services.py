"""`gateway bind|unbind|expose|unexpose|forward|unforward`: what a gateway offers and uses."""

from typing import Any

import click

from sitectl.base import output
from sitectl.base.failure import Exit, usage
from sitectl.base.options import Settings, accepted, wait_flag
from sitectl.base.verb import Verb
from sitectl.flags.services.capacity import CapacityFlags, capacity_flags
from sitectl.flags.services.port_pairs import host_and_pairs, pairs_of
from sitectl.flags.services.service import health_flags
from sitectl.gateway import gateway_init, gateway_status, removal, services, visibility
from sitectl.gateway.home import HostGateway, default_name, find_gateway
from sitectl.site.places import gateway_names
from sitectl.verbs.gateways.flags import (
    MULTICAST,
    OF_THE_SERVICE,
    gateway_to_change,
    link_flags,
    make_gateway,
    name_flag,
    type_flag,
    wait_until_settled,
)


@click.command("bind", cls=Verb)
@click.argument("service", metavar="NAME")
@click.argument("words", nargs=-1, required=True, metavar="HOST PORT…|HOST:PORT")
@name_flag
@click.option(
    "--protocol",
    type=click.Choice(("tcp", "http", "http2")),
    help="Protocol of a service that no site declares yet. [default: tcp]",
)
@capacity_flags
@health_flags
@wait_flag("Wait until the target is ready; exit 6 when time is up.")
@accepted(MULTICAST, "--aggregate=", "--event-channel")
@click.pass_obj
def bind(
    settings: Settings,
    /,
    service: str,
    words: tuple[str, ...],
    name: str | None,
    protocol: Any,
    capacity: CapacityFlags,
    wait: float | None,
    **health: str | None,
) -> None:
    """Offer a host's ports to the network as service NAME; declares it if no site does.

    PORT… are the target's, in the order of the service's ports; SERVICEPORT:PORT gives a pair.
    Another HOST is another target of the same service.

    \b
    Examples:
      sitectl gateway bind postgres 127.0.0.1 5432
      sitectl gateway bind postgres 127.0.0.1 5432:15432 --capacity 50
      sitectl gateway bind broker 10.0.0.5 5672 15672
      sitectl gateway bind api 127.0.0.1 8080 --protocol http --health-path /healthz
    """
    gateway = gateway_to_change(settings, name)
    _bind(settings, gateway, service, words, wait, protocol, capacity, health, declares=False)


def _bind(
    settings: Settings,
    gateway: HostGateway,
    service: str,
    words: tuple[str, ...],
    wait: float | None,
    protocol: Any,
    capacity: CapacityFlags,
    health: dict[str, str | None],
    *,
    declares: bool,
) -> None:
    host, pairs = host_and_pairs(words)
    bound = services.bind(
        gateway.site,
        service,
        host,
        pairs,
        protocol=protocol,
        declares=declares,
        capacity=capacity,
        health=health,
    )
    known, word = bound.service, "exposed as" if declares else "bound to"
    ports = ", ".join(map(str, known.ports))
    text = f"{bound.target} {word} {service} ({known.protocol}, port {ports}) at {gateway.name}"
    if bound.change == "unchanged":
        text += " already, unchanged"
    elif bound.declared:
        text += "; the service is declared here"
    output.report(settings, "Binding", service, bound.change, text)
    if gateway_init.is_apart(gateway.site) and host.startswith(("127.", "::1", "localhost")):
        output.note(
            f"{host} is the container's own, not this host's; podman calls that "
            "host.containers.internal, docker host.docker.internal"
        )
    if wait is not None:
        wait_until_settled(
            gateway, f"target {bound.target} of {service} is not ready", wait, service
        )
        if not visibility.is_seen(settings, gateway, service, wait):
            output.note("the gateway's site has not heard of the target yet: its clients may wait")


@click.command("unbind", cls=Verb)
@click.argument("service", metavar="NAME")
@click.argument("host", required=False)
@name_flag
@accepted(OF_THE_SERVICE, "--protocol=")
@click.pass_obj
def unbind(settings: Settings, service: str, host: str | None, name: str | None) -> None:
    """Withdraw this gateway's targets of NAME; with the last one, the declaration by `bind`.

    \b
    Examples:
      sitectl gateway unbind postgres
      sitectl gateway unbind postgres 10.0.0.6
    """
    _unbind(settings, gateway_to_change(settings, name), service, host)


def _unbind(settings: Settings, gateway: HostGateway, service: str, host: str | None) -> None:
    gone = services.unbind(gateway.site, service, host)
    text = f"{service} is not bound at {gateway.name}, nothing to do"
    if gone:
        text = f"{', '.join(gone)} no longer offered as {service} at {gateway.name}"
    output.report(settings, "Binding", service, "deleted" if gone else "unchanged", text)


@click.command("expose", cls=Verb)
@click.argument("service", metavar="NAME")
@click.argument("words", nargs=-1, required=True, metavar="HOST PORT…|HOST:PORT")
@name_flag
@type_flag
@link_flags
@click.option("--protocol", type=click.Choice(("tcp", "http", "http2")), help="[default: tcp]")
@capacity_flags
@health_flags
@wait_flag("Wait until the target is ready; exit 6 when time is up.")
@accepted(MULTICAST, "--aggregate=", "--event-channel")
@click.pass_context
def expose(
    ctx: click.Context,
    /,
    service: str,
    words: tuple[str, ...],
    name: str | None,
    kind: Any,
    token: str | None,
    hosts: tuple[str, ...],
    cost: int | None,
    wait: float | None,
    protocol: Any,
    capacity: CapacityFlags,
    **health: str | None,
) -> None:
    """Declare service NAME here and bind a host to it; without a gateway, make one first.

    \b
    Examples:
      sitectl gateway expose postgres 127.0.0.1 5432 --type podman
      sitectl gateway expose broker 10.0.0.5 5672 15672:25672
    """
    settings = ctx.ensure_object(Settings)
    host_and_pairs(words)  # Before a gateway is made for words that cannot be.
    if not gateway_names(settings) or (name and name not in gateway_names(settings)):
        wish = gateway_init.GatewayWish(name or default_name(), kind, token, hosts, cost)
        make_gateway(settings, wish, None)
    gateway = gateway_to_change(settings, name)
    if kind is not None and kind != gateway_init.type_of(gateway.site):
        raise usage(
            f"gateway {gateway.name!r} is of type {gateway_init.type_of(gateway.site)}, not {kind}",
            f"Leave --type out, or: sitectl gateway delete --name {gateway.name}",
        )
    _bind(settings, gateway, service, words, wait, protocol, capacity, health, declares=True)


@click.command("unexpose", cls=Verb)
@click.argument("service", metavar="NAME")
@name_flag
@click.option(
    "--delete-last/--no-delete-last",
    default=True,
    help="Delete the gateway with its last service.",
)
@click.pass_obj
def unexpose(settings: Settings, service: str, name: str | None, delete_last: bool) -> None:
    """Withdraw service NAME and its targets here; as in Skupper, the last one deletes the gateway.

    \b
    Examples:
      sitectl gateway unexpose postgres
      sitectl gateway unexpose postgres --delete-last=false
    """
    gateway = find_gateway(settings, name)
    with gateway.site.held():
        was_idle = services.is_idle(gateway.site)
        _unbind(settings, gateway, service, None)
    if delete_last and not was_idle and services.is_idle(gateway.site):
        removal.remove(settings, gateway)
        output.note(f"it was the last service of gateway {gateway.name}, which is deleted too")


@click.command("forward", cls=Verb)
@click.argument("service", metavar="NAME")
@click.argument("words", nargs=-1, required=True, metavar="PORT…")
@name_flag
@click.option(
    "--loopback", is_flag=True, help="Listen on 127.0.0.1: only for clients of this host."
)
@click.option("--bind-ip", metavar="IP", help="Listen on this address. [default: all of this host]")
@wait_flag("Wait until the ports are taken and the service has a target; exit 6 when time is up.")
@accepted(OF_THE_SERVICE, "--protocol=")
@accepted(MULTICAST, "--aggregate=", "--event-channel")
@click.pass_context
def forward(
    ctx: click.Context,
    /,
    service: str,
    words: tuple[str, ...],
    name: str | None,
    loopback: bool,
    bind_ip: str | None,
    wait: float | None,
) -> None:
    """Let clients of this host reach service NAME of the network at PORT….

    PORT… are this host's, in the order of the service's ports; SERVICEPORT:PORT gives a pair. As in
    Skupper the gateway listens on all addresses of this host, so that other hosts reach it too,
    unless --loopback or --bind-ip restricts it. If a port is in use, the command says so (exit 3),
    and the gateway takes the port as soon as it is free.

    \b
    Examples:
      sitectl gateway forward redis 6379 --loopback
      sitectl gateway forward broker 5672 15672
      sitectl gateway forward api 8080:18080 --bind-ip 10.0.0.5
    """
    settings = ctx.ensure_object(Settings)
    if loopback and bind_ip is not None:
        raise usage("--loopback and --bind-ip say two places", "Give one of them")
    gateway = gateway_to_change(settings, name)
    if gateway_init.is_apart(gateway.site) and (loopback or bind_ip is not None):
        raise usage(
            f"gateway {gateway.name!r} is a container with a network of its own, which has none of "
            "this host's addresses",
            f"sitectl gateway init --name {gateway.name} --publish "
            f"{bind_ip or '127.0.0.1'}:PORT:PORT, then forward without that flag",
        )
    address = "127.0.0.1" if loopback else bind_ip or "0.0.0.0"
    done = services.forward(gateway.site, service, pairs_of(words), address)
    where = ", ".join(done.places)
    if not loopback and bind_ip is None:
        where += " (all addresses of this host; --loopback: only from here)"
    same = " already, unchanged" if done.change == "unchanged" else ""
    text = f"{service} is reached at {where}{same}"
    output.report(settings, "Forward", service, done.change, text)
    if done.change != "unchanged" and gateway_init.fit_runtime(gateway.site, settings.timeout_s):
        output.note("its router was restarted, to be allowed these ports and no others")
    if done.service is None:
        output.note(f"no site declares {service} yet, as far as is known here")
    if wait is not None:
        wait_until_settled(gateway, f"{service} is not offered here", wait, service)
    errors = _listen_errors(gateway, service)
    for error in errors:
        output.note(f"{service}: {error}")
    if errors:
        ctx.exit(Exit.DEGRADED)


def _listen_errors(gateway: HostGateway, service: str) -> list[str]:
    """Why ports of a forward could not be bound, once the router has tried."""
    rows: list[dict[str, Any]] = []

    def tried() -> bool:
        item = gateway_status.seen(gateway)
        rows[:] = [row for row in item["forwards"] if row["service"] == service]
        return item["state"] == "stopped" or all(row["state"] in ("bound", "error") for row in rows)

    services.wait_for(tried, services.ASK_WAIT_S)
    return [row["error"] for row in rows if row["state"] == "error"]


@click.command("unforward", cls=Verb)
@click.argument("service", metavar="NAME")
@name_flag
@accepted(OF_THE_SERVICE, "--protocol=")
@click.pass_obj
def unforward(settings: Settings, service: str, name: str | None) -> None:
    """Close the ports of this host at which service NAME is reached.

    \b
    Example:
      sitectl gateway unforward redis
    """
    gateway = gateway_to_change(settings, name)
    gone = services.unforward(gateway.site, service)
    text = f"{service} is not forwarded at {gateway.name}, nothing to do"
    if gone:
        text = f"{service} is no longer reached at {', '.join(gone)}"
    output.report(settings, "Forward", service, "deleted" if gone else "unchanged", text)
