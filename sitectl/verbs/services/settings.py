"""`service set`: settings of a service, of its targets, and of this site's part of it."""

from typing import Any

import click
import msgspec

from router.model.capacity import Spill
from router.model.specs import Document, ServiceSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import Settings, completes, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.services.bindings import bindings_of, changed_targets
from sitectl.flags.services.capacity import (
    CapacityFlags,
    CapChange,
    SiteCapFlags,
    cap_change,
    capacity_flags,
    parted,
    site_cap_flags,
)
from sitectl.flags.services.flags import ServiceFlags, service_flags
from sitectl.flags.services.lending import LendingFlags, lending_flags, with_lending
from sitectl.flags.services.listeners import (
    ListenerFlags,
    changed_listeners,
    listener_flags,
    note_no_listener,
    require_port,
    require_tls,
    with_credential,
)
from sitectl.flags.services.name_ownership import require_in_force
from sitectl.flags.services.names import name_and_ports, service_meant
from sitectl.flags.services.service import health_flags
from sitectl.flags.services.sessions import require_sessions_fit
from sitectl.flags.services.sharing import SharingFlags, sharing_flags, with_sharing
from sitectl.flags.sites import tls
from sitectl.selection import store
from sitectl.site.site import Site
from sitectl.verbs.services.service_elsewhere import keep_certificate, listen_here, no_service
from sitectl.verbs.services.site_rules import set_rules


@click.command("set", cls=Verb)
@click.argument("name", shell_complete=completes("services"))
@service_flags
@health_flags
@capacity_flags
@site_cap_flags
@lending_flags
@sharing_flags
@click.option(
    "--protocol", type=click.Choice(("tcp", "http", "http2")), help="Protocol of the clients."
)
@listener_flags
@tls.cert_flags
@dry_run_flag
@click.pass_obj
def set_(
    settings: Settings,
    /,
    name: str,
    asked: ServiceFlags,
    capacity: CapacityFlags,
    protocol: Any,
    site_capacity: str | None,
    spill: Spill | None,
    sharing: SharingFlags,
    lending: LendingFlags,
    listened: ListenerFlags,
    cert: tls.CertFlags,
    **health: str | None,
) -> None:
    """Change a service's settings, or those of all its targets here, while it runs.

    --capacity and the health flags apply to every target of the service here. --site-capacity
    limits this site's requests over all its targets, also for a service that another site declares.
    Above the limit requests spill; with --spill all, every new one spills until demand is below
    --resume.
    --reserve-for-own reserves a share of this site's slots for its own clients, --max-share bounds
    the share that one neighbor may hold; "none" removes either.
    --export-to names the sites that may see and use this site's part of the service, --import-from
    the sites whose targets and declarations count here: by name, by ID, or by patterns with * and
    ?. NAME '*' sets the rule for all services without one. See docs/sharing.md.
    --listen sets where clients connect here, also for a service that another site declares; with
    NAME:PORT, for one port of several.
    --tls-cert FOLDER replaces the certificate that this site presents, also for a service that
    another site declares; new connections get it within 2 seconds. --tls-cert "" ends TLS.
    --tls-client-trust FOLDER refuses clients here without a certificate of the CA in its ca.crt,
    also for a service that another site declares. --tls-client-trust "" turns it off.

    \b
    Examples:
      sitectl service set shop --capacity 20 --health-path /healthz
      sitectl service set shop --capacity 15/s --resume 10/s --window 15s
      sitectl service set shop --site-capacity 15/s --resume 10/s --spill all
      sitectl service set shop --site-capacity none
      sitectl service set shop --reserve-for-own 30% --max-share 40%
      sitectl service set shop --export-to east --export-to west
      sitectl service set shop --export-to all
      sitectl service set '*' --export-to none
      sitectl service set shop --policy failover
      sitectl service set shop --policy split --weight east=70% --weight west=30%
      sitectl service set shop --spill-at 80%
      sitectl service set shop --timeout connect=500ms --timeout response=5s
      sitectl service set shop --affinity header:X-Session
      sitectl service set shop --tls-cert ./renewed
      sitectl service set shop --tls-client-trust ./clients
      sitectl service set shop --listen auto
      sitectl service set shop:8443 --listen 9443
    """
    site = store.site_to_change(settings)
    name, port = _port_of_listener(service_meant(site, name), listened.listen)
    service = site.find("Service", name)
    of_site = SiteCapFlags(site_capacity=site_capacity, spill=spill)
    capacity, cap = parted(site, name, capacity, of_site)
    rules = with_lending(site, name, cap_change(site, name, cap), lending)
    rules = with_sharing(site, name, rules, sharing)
    of_targets = capacity.is_given or any(text is not None for text in health.values())
    of_service = asked.is_given or protocol is not None
    if not of_targets and not of_service:
        part = rules, listened, cert
        if _set_part_here(settings, site, name, port, *part, is_elsewhere=service is None):
            return
    bound = bindings_of(site, name)
    shown, goes_on = tls.ShownCredential(""), ""
    documents: list[Document] = []
    if service is not None:
        spec = service.spec
        assert isinstance(spec, ServiceSpec)
        shown = tls.wanted_credential(site, name, cert)
        changes = _changes(asked, spec, protocol, shown if cert.is_given else None)
        documents += _declared(site, name, port, spec, changes, listened)
        goes_on = _goes_on(spec.protocol, protocol)
    elif of_service or cert.is_given or listened.is_given or not bound:
        raise no_service(site, name)
    if of_targets:
        documents += changed_targets(site, name, bound, capacity, health)
    documents += rules.put
    if not documents:
        raise usage("nothing to set", f"sitectl service set {name} --policy fill --capacity 10")
    change, text = _put(settings, site, name, documents, rules, shown)
    output.report(settings, "Service", name, change, f"service {name} {text}{goes_on}")
    if of_targets and not settings.on_kubernetes():
        _note_unreadable(site)
    if listened.is_given:
        note_no_listener(settings, site, name)


def _set_part_here(
    settings: Settings,
    site: Site,
    name: str,
    port: int | None,
    rules: CapChange,
    listened: ListenerFlags,
    cert: tls.CertFlags,
    *,
    is_elsewhere: bool,
) -> bool:
    """Set this site's part of a service: its rules alone, or, if another site declares the service,
    its listener or its certificate here. False: more is to be set."""
    if rules.is_said and not listened.is_given and not cert.is_given:
        set_rules(settings, site, name, rules)
        return True
    if not is_elsewhere or listened.is_given == cert.is_given:
        return False
    if listened.is_given:
        listen_here(settings, site, name, port, listened, rules)
    elif cert.tls_cert and not cert.generate:
        keep_certificate(settings, site, name, cert.tls_cert, rules)
    else:
        return False
    return True


def _put(
    settings: Settings,
    site: Site,
    name: str,
    documents: list[Document],
    rules: CapChange,
    shown: tls.ShownCredential,
) -> tuple[str, str]:
    """Write ``documents``; the change, and the same in words."""
    gone = site.delete_all(rules.gone)
    is_unchanged = set(site.put_all(documents)) == {"unchanged"} and not gone
    require_in_force(settings, site, name, documents)
    if not is_unchanged:
        return "updated", "updated"
    if shown.is_new:
        site.reload()
        return "updated", "has a new certificate"
    return "unchanged", "has these settings, unchanged"


def _note_unreadable(site: Site) -> None:
    """The documents that no verb can read, of which some may have targets of the service."""
    for error in site.unreadable():
        output.note(f"left as it was: {error.message}")


def _changes(
    asked: ServiceFlags, spec: ServiceSpec, protocol: Any, shown: tls.ShownCredential | None
) -> dict[str, Any]:
    """Of ``spec``, by field. ``shown``: the certificate that the flags ask for; None: as it is."""
    changes = asked.changes(spec, protocol or spec.protocol)
    if protocol is not None:
        changes["protocol"] = protocol
    if shown is not None:
        changes["tls_cert"] = shown.name
    return changes


def _declared(
    site: Site,
    name: str,
    port: int | None,
    spec: ServiceSpec,
    changes: dict[str, Any],
    listened: ListenerFlags,
) -> list[Document]:
    """A service that this site declares with ``changes``, and its listeners here with what the
    flags say; each only if it is changed."""
    documents: list[Document] = []
    spec = msgspec.structs.replace(spec, **changes)
    if changes:
        require_sessions_fit(spec)
        documents.append(Document("Service", name, spec))
    if not listened.is_given:
        return documents
    require_port(name, port, spec.ports)
    if listened.client_trust:
        require_tls(spec, changed_listeners(site, name, spec.ports, listened, port, is_own=True))
    listened = with_credential(site, name, listened)
    return documents + changed_listeners(site, name, spec.ports, listened, port, is_own=True)


def _port_of_listener(name: str, listen: str | None) -> tuple[str, int | None]:
    """``NAME:PORT``, whose Listener ``--listen`` is about, taken apart; None: there is no port."""
    if ":" not in name:
        return name, None
    name, (port,) = name_and_ports((name,))
    if listen is None:
        raise usage(
            f"service {name!r} has its settings for all its ports; only --listen is about one",
            f"sitectl service set {name} ..., or: sitectl service set {name}:{port} --listen PORT",
        )
    return name, port


def _goes_on(before: str, now: str | None) -> str:
    """The effect of a changed protocol on connected clients; empty: it did not change."""
    if now in (None, before):
        return ""
    if before == "tcp":
        return (
            f". Connections that are open go on as tcp until either side closes them (sitectl "
            f"status counts them); new ones are {now}"
        )
    return f". Requests under way end as {before}, then their connections close; new ones are {now}"
