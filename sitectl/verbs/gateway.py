"""`gateway …`: a host's own services on the network, and the network's services on the host.

Names, order of words and meaning of flags are those of Skupper v1 (cmd/skupper/
skupper_kube_gateway.go in its repository); ``--name`` counts again, since a host may have several.
"""

import sys
from collections.abc import Callable
from typing import Any

import click

from router.model import limits
from sitectl import output
from sitectl.failure import Exit, Failure, not_found, usage
from sitectl.gateway import looking, making, removal, services
from sitectl.gateway.home import (
    Gateway,
    default_name,
    find_gateway,
    gateway_at,
    gateway_names,
    meant_site,
    site_of,
)
from sitectl.gateway.ports import host_and_pairs, pairs_of
from sitectl.linking import wait_until_up
from sitectl.options import Decorated, Duration, Settings, TokenFile, Verbs, accepted
from sitectl.service_flags import health_flags
from sitectl.verbs import gateway_files

_MULTICAST = "not in Spillway, requests are balanced one by one"
_OF_THE_SERVICE = "not needed here, the protocol is the service's"
_TYPES = tuple(making.KINDS)


@click.group("gateway", cls=Verbs)
def group() -> None:
    """Gateways of this host: its services on the network, the network's services here.

    \b
    A database joins the network, and pods of the site use postgres:5432:
      sitectl gateway init --type podman
      sitectl gateway bind postgres 127.0.0.1 5432
      sitectl gateway status
    """


def _name(function: Decorated) -> Decorated:
    return click.option(
        "--name", metavar="NAME", help="Of the gateway; default the only one of this host."
    )(function)


def _wait(text: str) -> Callable[[Decorated], Decorated]:
    return click.option(
        "--wait", type=Duration(), is_flag=False, flag_value="60", metavar="SECONDS", help=text
    )


def _type(function: Decorated) -> Decorated:
    return click.option(
        "--type",
        "kind",
        type=click.Choice(_TYPES),
        help="What keeps it running: a systemd unit (service), a container, or nothing but a plain "
        "process (which does not survive a reboot). [default: service]",
    )(function)


def _reached_by(function: Decorated) -> Decorated:
    """Flags on the link of a gateway that is made."""
    for option in (
        click.option(
            "--cost", type=click.IntRange(limits.COST_MIN, limits.COST_MAX), help="Of its link."
        ),
        click.option(
            "--ingress-host",
            "hosts",
            metavar="HOST[:PORT]",
            multiple=True,
            help="What it dials, when the site is reached otherwise than it says.",
        ),
        click.option("--token", type=TokenFile(), help="Of the site, when that is not in reach."),
    ):
        function = option(function)
    return function


@group.command("init")
@_name
@_type
@_reached_by
@click.option(
    "--config", metavar="FILE|-", help="Gateway YAML: what it offers and uses. Also its name."
)
@click.option("--image", help="Of a gateway in a container.")
@click.option(
    "--image-pull-policy",
    "pull_policy",
    type=click.Choice(("always", "missing", "never", "newer"), case_sensitive=False),
    help="When the image is fetched. [default: missing]",
)
@click.option("--network", help="Of its container. [default: host]")
@click.option("--publish", multiple=True, metavar="[IP:]PORT:PORT", help="With --network.")
@_wait("Stay until its link is up (exit 0), refused (1) or out of time (6).")
@accepted("the gateway is started, as everywhere", "--exportonly")
@click.pass_obj
def init(
    settings: Settings,
    /,
    name: str | None,
    kind: Any,
    wait: float | None,
    config: str | None,
    **told: Any,
) -> None:
    """Make a gateway of this host, linked to a site by a claim that is made for it alone.

    The site is the one that -n, -c or --kubeconfig name, or the one on this host (--site); for a
    host without either, --token has a token of it. Typed again it finishes what was interrupted
    and changes nothing else.

    \b
    Examples:
      sitectl gateway init --type podman
      sitectl -n shop gateway init --type service --wait 30
      sitectl gateway init --token west.yaml --name db-host --type podman
      sitectl gateway init --config db.yaml --type podman
    """
    if config is not None:
        defined = gateway_files.read_definition(config)  # Refused before anything is made.
        made = _made(settings, making.Wish(name or defined.name, kind, **told), wait)
        gateway_files.apply_definition(settings, made.gateway.site, defined)
        return
    gateway, _ = _made(settings, making.Wish(name or _own_name(settings), kind, **told), wait)
    output.note(f"Next: sitectl gateway bind NAME HOST PORT --name {gateway.name}")


def _own_name(settings: Settings) -> str:
    """The default name; or that of the only gateway, if its init has to be typed again."""
    names, own = gateway_names(settings), default_name()
    return names[0] if len(names) == 1 and own not in names else own


def _made(settings: Settings, wish: making.Wish, wait: float | None) -> making.Made:
    made = making.make(settings, wish)
    gateway = made.gateway
    assert gateway.record is not None
    told = {"created": "created", "updated": "runs"}.get(made.change, "exists already, unchanged")
    kind = making.type_of(gateway.site)
    text = f"gateway {gateway.name} ({kind}) of site {gateway.record.site} {told}"
    if wait is not None:
        wait_until_up(gateway.site, None, wait)
        text += ", linked"
    output.report(settings, "Gateway", gateway.name, made.change, text)
    if kind == "process":
        output.note("type process: nothing starts it again after a reboot, `init` typed again does")
    return made


@group.command("bind")
@click.argument("service", metavar="NAME")
@click.argument("words", nargs=-1, required=True, metavar="HOST PORT…|HOST:PORT")
@_name
@click.option(
    "--protocol",
    type=click.Choice(("tcp", "http", "http2")),
    help="Of a service that nobody declares yet. [default: tcp]",
)
@click.option("--capacity", help="Requests in flight at this target: a number, or none.")
@health_flags
@_wait("Stay until the target is ready, out of time is exit 6.")
@accepted(_MULTICAST, "--aggregate=", "--event-channel")
@click.pass_obj
def bind(
    settings: Settings,
    /,
    service: str,
    words: tuple[str, ...],
    name: str | None,
    protocol: Any,
    capacity: str | None,
    wait: float | None,
    **health: str | None,
) -> None:
    """Offer a host's ports to the network as service NAME; declares it when nobody does.

    PORT… are the target's, in the order of the service's ports; SERVICEPORT:PORT says each pair.
    Another HOST is another target of the same service.

    \b
    Examples:
      sitectl gateway bind postgres 127.0.0.1 5432
      sitectl gateway bind postgres 127.0.0.1 5432:15432 --capacity 50
      sitectl gateway bind broker 10.0.0.5 5672 15672
      sitectl gateway bind api 127.0.0.1 8080 --protocol http --health-path /healthz
    """
    gateway = _to_change(settings, name)
    _bind(settings, gateway, service, words, wait, protocol, capacity, health, declares=False)


def _to_change(settings: Settings, name: str | None) -> Gateway:
    """The gateway, held against other commands until this one ends."""
    gateway = find_gateway(settings, name)
    click.get_current_context().with_resource(gateway.site.held())
    return gateway


def _bind(
    settings: Settings,
    gateway: Gateway,
    service: str,
    words: tuple[str, ...],
    wait: float | None,
    protocol: Any,
    capacity: str | None,
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
    if wait is not None:
        _wait_for(gateway, f"target {bound.target} of {service} is not ready", wait, service)


def _wait_for(gateway: Gateway, what: str, wait_s: float, service: str | None = None) -> None:
    """Return when the gateway is settled, as far as it concerns ``service``. Failure: late."""
    last: list[dict[str, Any]] = []

    def settled() -> bool:
        item = looking.seen(gateway)
        if service is not None:
            for key in ("bindings", "forwards"):
                item[key] = [row for row in item[key] if row["service"] == service]
        last[:] = [item]
        return looking.is_settled(item)

    if not services.wait_for(settled, wait_s):
        rows = [last[0]["link"], *last[0]["bindings"], *last[0]["forwards"]] if last else []
        errors = "; ".join(str(row["error"]) for row in rows if row.get("error"))
        raise Failure(
            Exit.TIMED_OUT,
            "timed-out",
            f"{what} after {wait_s:g} s" + (f": {errors}" if errors else ""),
            f"sitectl gateway status {gateway.name}",
            retryable=True,
        )


@group.command("unbind")
@click.argument("service", metavar="NAME")
@click.argument("host", required=False)
@_name
@accepted(_OF_THE_SERVICE, "--protocol=")
@click.pass_obj
def unbind(settings: Settings, service: str, host: str | None, name: str | None) -> None:
    """Withdraw what this gateway offers as NAME; with the last target what `bind` declared.

    \b
    Examples:
      sitectl gateway unbind postgres
      sitectl gateway unbind postgres 10.0.0.6
    """
    _unbind(settings, _to_change(settings, name), service, host)


def _unbind(settings: Settings, gateway: Gateway, service: str, host: str | None) -> None:
    gone = services.unbind(gateway.site, service, host)
    text = f"{service} is not bound at {gateway.name}, nothing to do"
    if gone:
        text = f"{', '.join(gone)} no longer offered as {service} at {gateway.name}"
    output.report(settings, "Binding", service, "deleted" if gone else "unchanged", text)


@group.command("expose")
@click.argument("service", metavar="NAME")
@click.argument("words", nargs=-1, required=True, metavar="HOST PORT…|HOST:PORT")
@_name
@_type
@_reached_by
@click.option("--protocol", type=click.Choice(("tcp", "http", "http2")), help="[default: tcp]")
@click.option("--capacity", help="Requests in flight at this target: a number, or none.")
@health_flags
@_wait("Stay until the target is ready, out of time is exit 6.")
@accepted(_MULTICAST, "--aggregate=", "--event-channel")
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
    capacity: str | None,
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
        wish = making.Wish(name or default_name(), kind, token, hosts, cost)
        _made(settings, wish, None)
    gateway = _to_change(settings, name)
    if kind is not None and kind != making.type_of(gateway.site):
        raise usage(
            f"gateway {gateway.name!r} is of type {making.type_of(gateway.site)}, not {kind}",
            f"Leave --type out, or: sitectl gateway delete --name {gateway.name}",
        )
    _bind(settings, gateway, service, words, wait, protocol, capacity, health, declares=True)


@group.command("unexpose")
@click.argument("service", metavar="NAME")
@_name
@click.option(
    "--delete-last/--no-delete-last",
    default=True,
    help="With the last service, the gateway goes too.",
)
@click.pass_obj
def unexpose(settings: Settings, service: str, name: str | None, delete_last: bool) -> None:
    """Withdraw service NAME and its targets here; as in Skupper, with the last the gateway goes.

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


@group.command("forward")
@click.argument("service", metavar="NAME")
@click.argument("words", nargs=-1, required=True, metavar="PORT…")
@_name
@click.option("--loopback", is_flag=True, help="Only clients of this host: listen on 127.0.0.1.")
@click.option("--bind-ip", metavar="IP", help="Listen on this address. [default: all of this host]")
@_wait("Stay until the ports are taken and the service has a target, out of time is exit 6.")
@accepted(_OF_THE_SERVICE, "--protocol=")
@accepted(_MULTICAST, "--aggregate=", "--event-channel")
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

    PORT… are taken here, in the order of the service's ports; SERVICEPORT:PORT says each pair. As
    in Skupper they are taken on all addresses of this host, so that its neighbours reach them too,
    unless --loopback or --bind-ip says otherwise. A port that is taken already is a problem that
    is told (exit 3); the gateway takes it as soon as it is free.

    \b
    Examples:
      sitectl gateway forward redis 6379 --loopback
      sitectl gateway forward broker 5672 15672
      sitectl gateway forward api 8080:18080 --bind-ip 10.0.0.5
    """
    settings = ctx.ensure_object(Settings)
    if loopback and bind_ip is not None:
        raise usage("--loopback and --bind-ip say two places", "Give one of them")
    gateway = _to_change(settings, name)
    address = "127.0.0.1" if loopback else bind_ip or "0.0.0.0"
    done = services.forward(gateway.site, service, pairs_of(words), address)
    where = ", ".join(done.places)
    if not loopback and bind_ip is None:
        where += " (all addresses of this host; --loopback: only from here)"
    same = " already, unchanged" if done.change == "unchanged" else ""
    text = f"{service} is reached at {where}{same}"
    output.report(settings, "Forward", service, done.change, text)
    if done.service is None:
        output.note(f"no site declares {service} yet, as far as is known here")
    if wait is not None:
        _wait_for(gateway, f"{service} is not offered here", wait, service)
    errors = _listen_errors(gateway, service)
    for error in errors:
        output.note(f"{service}: {error}")
    if errors:
        ctx.exit(Exit.DEGRADED)


def _listen_errors(gateway: Gateway, service: str) -> list[str]:
    """What keeps the ports of a forward from being taken, once the router has tried."""
    rows: list[dict[str, Any]] = []

    def tried() -> bool:
        item = looking.seen(gateway)
        rows[:] = [row for row in item["forwards"] if row["service"] == service]
        return item["state"] == "stopped" or all(row["state"] in ("bound", "error") for row in rows)

    services.wait_for(tried, services.ASK_WAIT_S)
    return [row["error"] for row in rows if row["state"] == "error"]


@group.command("unforward")
@click.argument("service", metavar="NAME")
@_name
@accepted(_OF_THE_SERVICE, "--protocol=")
@click.pass_obj
def unforward(settings: Settings, service: str, name: str | None) -> None:
    """Close the ports of this host at which service NAME is reached.

    \b
    Example:
      sitectl gateway unforward redis
    """
    gateway = _to_change(settings, name)
    gone = services.unforward(gateway.site, service)
    text = f"{service} is not forwarded at {gateway.name}, nothing to do"
    if gone:
        text = f"{service} is no longer reached at {', '.join(gone)}"
    output.report(settings, "Forward", service, "deleted" if gone else "unchanged", text)


@group.command("status")
@click.argument("word", required=False, metavar="[NAME]")
@_name
@_wait("Stay until links are up, targets ready and ports taken and served; out of time is exit 6.")
@click.pass_context
def status(ctx: click.Context, /, word: str | None, name: str | None, wait: float | None) -> None:
    """Gateways of this host, what they offer and forward; and the site's that run elsewhere.

    Exit 3 when one of this host runs with problems.

    \b
    Examples:
      sitectl gateway status
      sitectl gateway status db-host --wait 30
      sitectl -n shop gateway status -o json
    """
    settings = ctx.ensure_object(Settings)
    chosen = word or name
    names = gateway_names(settings)
    here = [gateway_at(settings, one) for one in names if chosen in (None, one)]
    if wait is not None:
        for gateway in here:
            _wait_for(gateway, f"gateway {gateway.name} is not settled", wait)
    items = [looking.item_of(gateway) for gateway in here]
    items += [one for one in _elsewhere(settings, here, items) if chosen in (None, one["name"])]
    if chosen is not None and not items:
        there = f"; there is: {', '.join(names)}" if names else ""
        raise not_found(f"no gateway {chosen!r} on this host{there}", "sitectl gateway status")
    output.emit_items(
        settings, "GatewayStatus", items, lambda: settings.here(looking.text_of(items))
    )
    if any(item["problems"] for item in items):
        ctx.exit(Exit.DEGRADED)


def _elsewhere(
    settings: Settings, here: list[Gateway], items: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Gateways on other hosts of the sites in reach: those the flags name, else of those here."""
    known = {item["id"] for item in items if item["id"]}
    found: dict[str, dict[str, Any]] = {}
    try:
        sites = [site_of(settings, one.record) for one in here if one.record is not None]
        if not sites:
            sites = [meant_site(settings)]
    except Failure:
        return []  # Asked in passing: this host's are shown without it.
    for site in sites:
        if site is not None:
            found |= {item["id"]: item for item in looking.items_elsewhere(site, known)}
    return list(found.values())


@group.command("delete")
@_name
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.pass_obj
def delete(settings: Settings, name: str | None, verbose: bool) -> None:
    """Withdraw what a gateway offers, stop it, revoke its access and delete all of it.

    Its access alone is taken back at the site; when that is not in reach, the command to type
    there is printed.

    \b
    Example:
      sitectl gateway delete --name db-host
    """
    names = gateway_names(settings)
    if not names or (name is not None and name not in names):
        what = f"no gateway {name}" if name else "no gateway"
        text = f"{what} on this host, nothing to delete"
        output.report(settings, "Gateway", name or "", "unchanged", text)
        return
    if name is None and len(names) > 1:
        raise usage(f"several gateways on this host: {', '.join(names)}", "Add --name NAME")
    gateway = gateway_at(settings, name or names[0])
    if sys.stdin.isatty() and not settings.yes:
        question = f"Delete gateway {gateway.name} with its identity ({gateway.site.directory})?"
        click.confirm(question, abort=True, err=True)
    removal.remove(settings, gateway)
    output.report(settings, "Gateway", gateway.name, "deleted", f"gateway {gateway.name} deleted")


group.add_command(gateway_files.export_config)
group.add_command(gateway_files.generate_bundle)
