"""`service create|delete|label|status`, and the group that all verbs of services are in."""

import re
import time
from typing import Any

import click

from router.model.specs import Document, ServiceSpec, SitePolicySpec
from sitectl.base import output
from sitectl.base.failure import Exit, Failure
from sitectl.base.options import Settings, accepted, completes, dry_run_flag
from sitectl.base.verb import Verbs
from sitectl.base.watch import Picture, show, watch_flag
from sitectl.flags.services.bindings import bindings_of
from sitectl.flags.services.capacity import SiteCapFlags, cap_change, lone_site_cap_flags
from sitectl.flags.services.flags import ServiceFlags, service_flags
from sitectl.flags.services.listeners import (
    ListenerFlags,
    listener_flags,
    listener_of,
    note_no_listener,
    refusing_strangers,
    with_credential,
)
from sitectl.flags.services.name_ownership import require_in_force
from sitectl.flags.services.names import documents_of, name_and_ports, require_name, service_meant
from sitectl.flags.services.sessions import require_sessions_fit
from sitectl.flags.services.sharing import SharingFlags, sharing_flags, sharing_text, with_sharing
from sitectl.flags.sites import tls
from sitectl.flags.sites.host import HostFlags, host_flags, host_listeners
from sitectl.selection import store
from sitectl.show.history import lines_of, people_look
from sitectl.show.service_items import attached, not_told, service_items, why_none
from sitectl.show.service_status import table
from sitectl.show.site_routers import several_routers
from sitectl.site.completion import remember
from sitectl.site.site import Site
from sitectl.verbs.services.grants import grant, granted_text, revoke, transfer
from sitectl.verbs.services.owner import adopt
from sitectl.verbs.services.rebalance import rebalance
from sitectl.verbs.services.settings import set_
from sitectl.verbs.services.targets import bind, unbind
from sitectl.verbs.site.drain import drain_service


@click.group("service", cls=Verbs)
def group() -> None:
    """Services: declare, bind targets, change, show.

    \b
    Examples:
      sitectl service create shop 8080 --protocol http
      sitectl service bind shop host 127.0.0.1 --target-port 9001 --capacity 10
      sitectl service status shop
    """


@group.command("create")
@click.argument("words", nargs=-1, required=True, metavar="NAME PORT...")
@click.option(
    "--protocol",
    type=click.Choice(("tcp", "http", "http2")),
    default="tcp",
    help="Protocol; balances connections (tcp), requests (http), or HTTP/2 and "
    "gRPC streams (http2).",
)
@service_flags
@lone_site_cap_flags
@sharing_flags
@listener_flags
@click.option(
    "--enable-ingress",
    "ingress",
    type=click.Choice(("Always", "Never"), case_sensitive=False),
    hidden=True,
    help="As in Skupper: Never means --listen none.",
)
@host_flags
@tls.cert_flags
@accepted("not in Spillway, requests are balanced one by one", "--aggregate=", "--event-channel")
@dry_run_flag
@click.pass_obj
def create(
    settings: Settings,
    words: tuple[str, ...],
    protocol: Any,
    asked: ServiceFlags,
    listened: ListenerFlags,
    ingress: str | None,
    host: HostFlags,
    cert: tls.CertFlags,
    cap: SiteCapFlags,
    sharing: SharingFlags,
) -> None:
    """Declare a service; every linked site gets a listener for it.

    \b
    Examples:
      sitectl service create shop 8080 --protocol http
      sitectl service create greeter 50051 --protocol http2
      sitectl service create shop 8080 --protocol http --site-capacity 15/s --spill all
      sitectl service create db:5432
      sitectl service create ledger 8080 --protocol http --export-to east
      sitectl service create shop 8443 --protocol http --tls-cert ./shop-tls
      sitectl service create db 5432 --tls-cert ./db-tls --tls-client-trust ./clients
      sitectl service create jobs 8080 --policy split --weight east=3 --weight west=1
      sitectl service create shop 8080 --protocol http --spill-at 80%
      sitectl service create cart 8081 --protocol http --affinity cookie
      sitectl service create api 8081 --protocol http --request-id=X-Request-Id
      sitectl service create api 8080 --protocol http --timeout response=5s --limit headers=50
    """
    site = store.site_to_change(settings)
    name, ports = name_and_ports(words)
    require_name(name)
    spec = ServiceSpec(
        protocol=protocol,
        ports=ports,
        tls_cert=tls.expected_credential(site, name, cert),
        **asked.changes(ServiceSpec(ports=()), protocol),
    )
    require_sessions_fit(spec)
    rules = with_sharing(site, name, cap_change(site, name, cap), sharing)
    documents = [*rules.put, Document("Service", name, spec)]  # Never offered to more than that.
    listen = "none" if listened.listen is None and ingress == "Never" else listened.listen
    if listen is not None:
        documents.append(listener_of(name, listen, ports))
    else:
        documents += host_listeners(settings, name, ports, host)
    if listened.client_trust:
        trust = tls.name_of_client_credential(listened.client_trust, name)
        documents = refusing_strangers(documents, spec, trust)
    site.judge_all(documents, replace=False)  # Before a credential is copied for nothing.
    tls.wanted_credential(site, name, cert)
    with_credential(site, name, listened)
    changes = site.put_all(documents, replace=False)
    require_in_force(settings, site, name, documents)
    change = "unchanged" if set(changes) == {"unchanged"} else "created"
    shown = ("port " if len(ports) == 1 else "ports ") + ", ".join(map(str, ports))
    text = f"service {name} ({protocol}, {shown}) " + _told(change)
    output.report(settings, "Service", name, change, text)
    note_no_listener(settings, site, name)
    if change == "created" and not bindings_of(site, name):
        what = "deployment NAME" if site.has_workloads else "host ADDRESS"
        each = " --target-port PORT" * min(len(ports), 3) + (" ..." if len(ports) > 3 else "")
        output.note(f"Next: sitectl service bind {name} {what}{each}")
    if change == "created" and spec.tls_cert:
        output.note(f"At every other site: sitectl service set {name} --tls-cert FOLDER")


def _told(change: str) -> str:
    return "exists already, unchanged" if change == "unchanged" else change


group.add_command(adopt)
group.add_command(drain_service)
group.add_command(rebalance)
group.add_command(grant)
group.add_command(revoke)
group.add_command(transfer)
group.add_command(bind)
group.add_command(set_)
group.add_command(unbind)


@group.command("delete")
@click.argument("name", shell_complete=completes("services"))
@dry_run_flag
@click.pass_obj
def delete(settings: Settings, name: str) -> None:
    """Withdraw a service of this site, with its targets and listeners here. Open connections go on
    until either side closes them; `sitectl status` counts them.

    \b
    Example:
      sitectl service delete shop
    """
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    declared = site.find("Service", name) is not None
    if not declared:
        site.require_readable("Service", name)
    targets = len(bindings_of(site, name))
    documents = documents_of(site, name)
    rules = [
        text
        for document in documents
        if isinstance(document.spec, SitePolicySpec)
        for text in _rules_text(site.name, document.spec)
    ]
    removed = site.delete_all(documents)
    change = "deleted" if removed else "unchanged"
    done = "deleted" if declared else "is not declared here"
    text = f"service {name} " + (done if removed else "is not here, nothing to delete")
    if targets:
        text += f", {output.count(targets, 'target')} of it here unbound"
    output.report(settings, "Service", name, change, text)
    if removed and rules and not settings.dry_run:
        output.note(f"Its rules here went with it: {'; '.join(rules)}")
    if removed and not settings.dry_run:
        _note_what_goes_on(site, name)


def _rules_text(site: str, spec: SitePolicySpec) -> list[str]:
    """The rules of a Policy as clauses, each with its subject."""
    sharing, granted = ", ".join(sharing_text(spec)), granted_text(spec)
    return [f"{site} {sharing}", *granted] if sharing else granted


def _note_what_goes_on(site: Site, name: str) -> None:
    """Print what the router still runs for a deleted service, and what it waits for."""
    try:
        notes = site.admin.get("/api/v1/status")["notes"] if site.admin.is_running() else []
    except Failure:
        return  # The service is deleted in any case; `status` shows the rest later.
    for one in notes:
        if one["code"] == "SW0332" and re.match(rf"Service {re.escape(name)}[ :]", one["message"]):
            output.note(f"{one['message']} {one['hint']}")


@group.command("label")
@click.argument("name", shell_complete=completes("services"))
@click.argument("words", nargs=-1, metavar="[LABEL=VALUE|LABEL-]...")
@dry_run_flag
@click.pass_obj
def label(settings: Settings, name: str, words: tuple[str, ...]) -> None:
    """On Kubernetes, label the Service made for a service; without labels, print them.

    \b
    Examples:
      sitectl service label shop tier=web
      sitectl service label shop tier-
    """
    if not settings.on_kubernetes():
        output.note("service label: not needed here, a process site has no Kubernetes services")
        return
    from sitectl.kubernetes.service_labels import label_service

    label_service(settings, name, words)


@group.command("status")
@click.argument("name", required=False, shell_complete=completes("services"))
@click.option("-v", "--verbose", is_flag=True, help="Include sites, and targets of this site.")
@accepted("not needed here", "--show-labels")
@watch_flag
@click.pass_context
def status(ctx: click.Context, name: str | None, verbose: bool, watch: float | None) -> None:
    """Show services: where they are served, and how full they are.

    \b
    Examples:
      sitectl service status
      sitectl service status shop -o json
      sitectl service status shop --watch
    """
    settings = ctx.ensure_object(Settings)
    show(ctx, lambda: _look(settings, name, verbose), watch)


def _look(settings: Settings, name: str | None, verbose: bool) -> Picture:
    site = store.find_site(settings)
    items, silence = service_items(site, name)
    if silence is None and name is None:
        remember(settings, "services", (item["name"] for item in items))
    unanswered = site.unanswered(silence) if silence is not None else None
    note = ""
    may_serve = silence is not None and site.may_serve(silence)
    if silence is not None and unanswered is None:
        state = "unreachable" if may_serve else "stopped"
        note = f"{state}: {silence.message}; this is what is configured"
    if may_serve:
        items = [not_told(item) for item in items]
    is_empty = not items and silence is None and settings.output == "table"
    reasons = why_none(site) if is_empty else []
    detailed = verbose or name is not None
    drawn = lines_of(site, items, name) if silence is None and people_look(settings) else {}
    is_told = silence is None and bool(items) and settings.output == "table"
    routers = several_routers(site) if is_told else 0
    return Picture(
        "ServiceStatus",
        {"items": items},
        lambda: table(
            *(items, detailed, time.time(), drawn),
            is_named=name is not None,
            has_workloads=site.has_workloads,
            attached=() if silence is None or name is not None else attached(site),
            reasons=reasons,
            routers=routers,
        ),
        Exit.OK if silence is None else Exit.DEGRADED,
        unanswered,
        note,
    )
