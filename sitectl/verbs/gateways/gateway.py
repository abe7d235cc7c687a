"""`gateway …`: a host's own services on the network, and the network's services on the host.

Names, order of words and meaning of flags are those of Skupper v1 (cmd/skupper/
skupper_kube_gateway.go in its repository); ``--name`` counts again, since a host may have several.
"""

from typing import Any

import click

from router.model.errors import ConfigError
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, not_found, usage
from sitectl.base.options import Settings, accepted, wait_flag
from sitectl.base.verb import Verbs
from sitectl.gateway import gateway_init, gateway_status, removal
from sitectl.gateway.home import HostGateway, default_name, gateway_at, meant_site, site_of
from sitectl.runtimes.image import image_flags
from sitectl.site.places import gateway_names
from sitectl.verbs.gateways import files as gateway_files
from sitectl.verbs.gateways import services as gateway_services
from sitectl.verbs.gateways.flags import (
    link_flags,
    make_gateway,
    name_flag,
    type_flag,
    wait_until_settled,
)


@click.group("gateway", cls=Verbs)
def group() -> None:
    """Gateways of this host: its services on the network, the network's services here.

    \b
    Examples: a database joins the network, and pods of the site use postgres:5432
      sitectl gateway init --type podman
      sitectl gateway bind postgres 127.0.0.1 5432
      sitectl gateway status
    """


@group.command("init")
@click.option("--name", metavar="NAME", help="[default: HOST-USER]")
@type_flag
@link_flags
@click.option(
    "--config", metavar="FILE|-", help="Gateway YAML with its name, bindings and forwards."
)
@image_flags
@click.option("--network", help="Network of its container. [default: host]")
@click.option(
    "--publish", multiple=True, metavar="[IP:]PORT:PORT", help="Ports to publish, with --network."
)
@wait_flag("Wait until its link is up (exit 0), refused (1), or time is up (6).")
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
    """Make a gateway of this host, linked to a site by a claim for it alone.

    The site is the one that -n, -c or --kubeconfig name, or the one on this host (--site); on a
    host without either, give a token of the site with --token. A second run finishes an interrupted
    one and changes nothing else.

    \b
    Examples:
      sitectl gateway init --type podman
      sitectl -n shop gateway init --type service --wait 30
      sitectl gateway init --token west.yaml --name db-host --type podman
      sitectl gateway init --config db.yaml --type podman
    """
    if config is not None:
        defined = gateway_files.read_definition(config)  # Refused before anything is made.
        made = make_gateway(
            settings, gateway_init.GatewayWish(name or defined.name, kind, **told), wait
        )
        changes = gateway_files.apply_definition(settings, made.gateway.site, defined)
        for line in gateway_files.lines(changes):
            output.note(line)
        return
    gateway, _ = make_gateway(
        settings, gateway_init.GatewayWish(name or _own_name(settings), kind, **told), wait
    )
    output.note(f"Next: sitectl gateway bind NAME HOST PORT --name {gateway.name}")


def _own_name(settings: Settings) -> str:
    """The default name; or that of the only gateway, if its init has to be typed again."""
    names, own = gateway_names(settings), default_name()
    return names[0] if len(names) == 1 and own not in names else own


@group.command("status")
@click.argument("word", required=False, metavar="[NAME]")
@name_flag
@wait_flag(
    "Wait until links are up, targets ready and ports taken and served; exit 6 when time is up."
)
@click.pass_context
def status(ctx: click.Context, /, word: str | None, name: str | None, wait: float | None) -> None:
    """Show this host's gateways with the services they offer and forward, and the site's others.

    Exit 3: a gateway of this host has problems, or its router does not run or does not answer.

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
            wait_until_settled(gateway, f"gateway {gateway.name} is not settled", wait)
    items = [gateway_status.item_of(gateway) for gateway in here]
    items += [one for one in _elsewhere(settings, here, items) if chosen in (None, one["name"])]
    if chosen is not None and not items:
        there = f"; there is: {', '.join(names)}" if names else ""
        raise not_found(f"no gateway {chosen!r} on this host{there}", "sitectl gateway status")
    output.emit_items(settings, "GatewayStatus", items, lambda: gateway_status.text_of(items))
    mute = ("stopped", gateway_status.UNREACHABLE)
    if any(item["problems"] or item["state"] in mute for item in items):
        ctx.exit(Exit.DEGRADED)


def _elsewhere(
    settings: Settings, here: list[HostGateway], items: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Gateways on other hosts of the sites in reach: those the flags name, else of those here."""
    known = {item["id"] for item in items if item["id"]}
    found: dict[str, dict[str, Any]] = {}
    try:
        sites = [site_of(settings, one) for one in here if one.record is not None]
        if not sites:
            sites = [meant_site(settings)]
    except (Failure, ConfigError):
        return []  # Asked in passing: this host's are shown without it.
    for site in sites:
        if site is not None:
            found |= {item["id"]: item for item in gateway_status.items_elsewhere(site, known)}
    return list(found.values())


@group.command("delete")
@name_flag
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.pass_obj
def delete(settings: Settings, name: str | None, verbose: bool) -> None:
    """Withdraw a gateway's services, stop it, revoke its access and delete all of it.

    The site revokes the access of this gateway alone. If the site is out of reach, the command for
    it is printed.

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
    settings.confirm(f"Delete gateway {gateway.name} with its identity ({gateway.site.directory})?")
    removal.remove(settings, gateway)
    output.report(settings, "Gateway", gateway.name, "deleted", f"gateway {gateway.name} deleted")


for _verb in (
    gateway_services.bind,
    gateway_services.unbind,
    gateway_services.expose,
    gateway_services.unexpose,
    gateway_services.forward,
    gateway_services.unforward,
):
    group.add_command(_verb)
group.add_command(gateway_files.export_config)
group.add_command(gateway_files.generate_bundle)
