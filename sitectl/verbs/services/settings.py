"""`service set`: settings of a service, of its targets, and of what this site has of it."""

from functools import partial
from typing import Any

import click
import msgspec

from router.documents.addresses import split_listen
from router.model.rights.sharing import ALL
from router.model.specs import (
    Document,
    ServiceSpec,
    SitePolicySpec,
)
from sitectl.base import output
from sitectl.base.failure import Failure, not_found, usage
from sitectl.base.options import Settings, completes, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.services.bindings import (
    bindings_of,
    changed_targets,
    is_declared,
)
from sitectl.flags.services.capacity import (
    CapacityFlags,
    CapChange,
    cap_change,
    capacity_flags,
    parted,
    policy_of_service,
    site_cap_flags,
)
from sitectl.flags.services.flags import ServiceFlags, service_flags
from sitectl.flags.services.lending import LendingFlags, lending_flags, lending_text, with_lending
from sitectl.flags.services.listeners import (
    changed_listeners,
    client_trust_flag,
    note_no_listener,
    require_tls,
)
from sitectl.flags.services.name_ownership import require_in_force
from sitectl.flags.services.names import (
    declared_service,
    name_and_ports,
    not_declared,
    require_name,
    service_meant,
)
from sitectl.flags.services.service import health_flags
from sitectl.flags.services.sessions import require_sessions_fit
from sitectl.flags.services.sharing import SharingFlags, sharing_flags, sharing_text, with_sharing
from sitectl.flags.sites import tls
from sitectl.selection import store
from sitectl.site.site import Site


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
@click.option(
    "--listen", metavar="[IP:]PORT|[IP:]auto|none", help="Port where clients connect here."
)
@tls.cert_flag
@tls.generate_flag
@client_trust_flag
@dry_run_flag
@click.pass_obj
def set_(
    settings: Settings,
    /,
    name: str,
    asked: ServiceFlags,
    capacity: CapacityFlags | None,
    protocol: Any,
    listen: str | None,
    site_capacity: str | None,
    spill: str | None,
    sharing: SharingFlags,
    lending: LendingFlags,
    tls_cert: str | None,
    generate: bool,
    tls_client_trust: str | None,
    **health: str | None,
) -> None:
    """Change a service's settings, or those of all its targets here, while it runs.

    --capacity and the health flags apply to every target of the service here. --site-capacity
    limits what this site takes over all its targets, also of a service that another site declares:
    above it requests spill, with --spill all every new one until fewer than --resume are asked for.
    --reserve-for-own keeps a share of this site's slots for its own clients, --max-share bounds
    what one neighbor holds of them; "none" withdraws either.
    --export-to names the sites that may see and use this site's part of the service, --import-from
    the sites whose targets and declarations count here: by name, by id, or by patterns with * and
    ?. NAME '*' sets the rule for all services that have none. See docs/sharing.md.
    --listen says where clients connect here, also to a service that another site declares; with
    NAME:PORT, to this port of several.
    --tls-cert FOLDER replaces the certificate that this site shows, also where another site
    declares the service; new connections get it within 2 seconds. --tls-cert "" ends TLS.
    --tls-client-trust FOLDER refuses clients here that show no certificate of the CA in its ca.crt,
    also of a service that another site declares. --tls-client-trust "" turns it off.

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
    name, port = _port_of_listener(service_meant(site, name), listen)
    service = site.find("Service", name)
    capacity, of_site = parted(site, name, capacity, site_capacity, spill or "")
    cap = with_lending(site, name, cap_change(site, name, of_site, spill), lending)
    cap = with_sharing(site, name, cap, sharing)
    others = (
        asked if asked.is_given else None,
        capacity,
        protocol,
        listen,
        tls_client_trust,
        generate or None,
        *health.values(),
    )
    if _cap_alone(settings, site, name, cap, (tls_cert, *others)) or (
        service is None
        and _set_elsewhere(settings, site, name, port, tls_cert, listen, tls_client_trust, others)
    ):
        return
    bound = bindings_of(site, name)
    shown, goes_on = tls.ShownCredential(""), ""
    says_tls = tls_cert is not None or generate
    of_listeners = listen is not None or tls_client_trust is not None
    documents: list[Document] = []
    if service is not None:
        spec = service.spec
        assert isinstance(spec, ServiceSpec)
        shown = tls.wanted_credential(site, name, tls_cert, generate)
        changes = _changes(asked, spec, protocol, shown if says_tls else None)
        documents += _declared(site, name, port, spec, changes, listen, tls_client_trust)
        goes_on = _goes_on(spec.protocol, protocol)
    elif asked.is_given or protocol is not None or says_tls or of_listeners or not bound:
        raise _no_service(site, name)
    of_targets = capacity is not None or any(text is not None for text in health.values())
    if of_targets:
        documents += changed_targets(site, name, bound, capacity, health)
    documents += cap.put
    if not documents:
        raise usage("nothing to set", f"sitectl service set {name} --policy fill --capacity 10")
    change, text = _put(settings, site, name, documents, cap, shown)
    output.report(settings, "Service", name, change, f"service {name} {text}{goes_on}")
    if of_targets and not settings.on_kubernetes():
        _note_unreadable(site)
    if of_listeners:
        note_no_listener(settings, site, name)


def _put(
    settings: Settings,
    site: Site,
    name: str,
    documents: list[Document],
    cap: CapChange,
    shown: tls.ShownCredential,
) -> tuple[str, str]:
    """Write ``documents``, and what is to tell of it: the change, and the same in words."""
    gone = site.delete_all(cap.gone)
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
    listen: str | None,
    client_trust: str | None,
) -> list[Document]:
    """A service that this site declares with ``changes``, and its listeners here with what the
    flags say; each only if it is changed."""
    documents: list[Document] = []
    spec = msgspec.structs.replace(spec, **changes)
    if changes:
        require_sessions_fit(spec)
        documents.append(Document("Service", name, spec))
    if listen is None and client_trust is None:
        return documents
    _require_port(name, port, spec.ports)
    changed = partial(changed_listeners, site, name, spec.ports, listen, port=port, is_own=True)
    if client_trust:
        require_tls(spec, changed(client_trust))
        client_trust = tls.client_credential(site, client_trust, name)
    return documents + changed(client_trust)


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


def _require_port(name: str, port: int | None, ports: tuple[int, ...]) -> None:
    if port is not None and port not in ports:
        known = ", ".join(map(str, ports))
        raise usage(f"service {name!r} has no port {port}; it has {known}")


def _goes_on(before: str, now: str | None) -> str:
    """What becomes of clients that are connected while the protocol changes; empty: it stays."""
    if now in (None, before):
        return ""
    if before == "tcp":
        return (
            f". Connections that are open go on as tcp until either side closes them (sitectl "
            f"status counts them); new ones are {now}"
        )
    return f". Requests under way end as {before}, then their connections close; new ones are {now}"


def _cap_alone(
    settings: Settings, site: Site, name: str, cap: CapChange, others: tuple[object, ...]
) -> bool:
    """State or withdraw what this site takes of a service, whoever declares it.

    False: that is not all, or nothing of it; ``others`` is the rest that was given.
    """
    if not cap.is_said or others.count(None) < len(others):
        return False
    policy = cap.put[0].name if cap.put else name
    if name != ALL:
        require_name(name)
        site.require_readable("Policy", policy)
    known = policy_of_service(site, name)
    before = SitePolicySpec(service=name) if known is None else known.spec
    assert isinstance(before, SitePolicySpec)
    if cap.put:
        is_known = name == ALL or is_declared(site, name)  # Before: a rule may hide it.
        change = site.put_all(list(cap.put))[0]
        after = cap.put[0].spec
        assert isinstance(after, SitePolicySpec)
        text = f"{_whose(name)}: {site.name} {_rules_text(before, after)}"
        if not is_known:
            text += ", as soon as a site declares it"
    else:
        change = "deleted" if site.delete_all(cap.gone) else "unchanged"
        text = f"{_whose(name)}: {site.name} {_rules_text(before, SitePolicySpec(service=name))}"
    unchanged = ", unchanged" if change == "unchanged" else ""
    output.report(settings, "Policy", name, change, text + unchanged)
    return True


def _rules_text(before: SitePolicySpec, after: SitePolicySpec) -> str:
    """Which rules are gone, and which stand."""
    gone = (
        ("takes what its targets take", before.site_capacity, after.site_capacity),
        ("exports it to all sites", before.export_to, after.export_to),
        ("takes it from all sites", before.import_from, after.import_from),
    )
    told = [text for text, was, stands in gone if was is not None and stands is None]
    if after.site_capacity is not None:
        told.append(f"takes {_taken_text(after)}")
    told += lending_text(before, after)
    return ", ".join((*told, *sharing_text(after))) or "has no rule for it"


def _whose(name: str) -> str:
    return "all services" if name == ALL else f"service {name}"


def _taken_text(spec: SitePolicySpec) -> str:
    stated = str(spec.site_capacity).replace(",", " at once and ")
    if "/s" not in stated:
        return f"{stated} at once"
    what = "everything new leaves" if spec.spill == "all" else "the excess leaves"
    below = spec.resume or "two thirds of it"
    return f"{stated}; above it {what}, until fewer than {below} are asked for"


def _set_elsewhere(
    settings: Settings,
    site: Site,
    name: str,
    port: int | None,
    tls_cert: str | None,
    listen: str | None,
    client_trust: str | None,
    others: tuple[object, ...],
) -> bool:
    """Set what each site has of a service that another one declares; False: that is not all.

    ``others``: all that was given but ``tls_cert``; ``listen`` and ``client_trust`` among it.
    """
    given = len(others) - others.count(None)
    if tls_cert and not given:
        _keep_certificate(settings, site, name, tls_cert)
        return True
    of_listeners = (listen is not None) + (client_trust is not None)
    if of_listeners and given == of_listeners and tls_cert is None:
        _listen_here(settings, site, name, port, listen, client_trust)
        return True
    return False


def _listen_here(
    settings: Settings,
    site: Site,
    name: str,
    port: int | None,
    listen: str | None,
    client_trust: str | None,
) -> None:
    """Listen for a service of other sites; an edge without service sync learns of no other."""
    site.require_readable("Service", name)
    require_name(name)
    trust = tls.client_credential(site, client_trust, name) if client_trust else client_trust
    declared = declared_service(site, name)
    ports = () if declared is None else declared.ports
    if ports:
        _require_port(name, port, ports)
    documents = changed_listeners(site, name, ports, listen, trust, port=port, is_own=False)
    changes = set(site.put_all(documents))
    change = changes.pop() if len(changes) == 1 else "updated"
    when = "" if declared is not None else ", as soon as a site declares it"
    told: list[str] = []
    if listen is not None:
        where = {"auto": "at its own port", "none": "nowhere"}.get(listen, f"at {listen}")
        first = ports[0] if len(ports) > 1 and split_listen(listen) is not None else None
        which = "it" if (about := port or first) is None else f"its port {about}"
        told.append(f"listens for {which} {where}{when}")
    if trust is not None:
        clients = f"only clients with a certificate of {trust}" if trust else "any client"
        told.append(f"admits {clients}")
    text = f"service {name}: {site.name} {' and '.join(told)}"
    output.report(settings, "Listener", name, change, text)
    note_no_listener(settings, site, name)


def _keep_certificate(settings: Settings, site: Site, name: str, tls_cert: str) -> None:
    """Keep a certificate for a service that another site declares. Failure: nobody does."""
    credential = tls.credential_in_use(site, name)
    if not is_declared(site, name):
        raise _no_service(site, name)
    if not credential:
        raise not_found(
            f"service {name!r} does not speak TLS, and is not declared at {site.name}",
            f"At the site that declares it: sitectl service set {name} --tls-cert FOLDER",
        )
    kept = tls.shown_credential(site, tls_cert, name)
    if kept.name != credential:
        raise usage(
            f"service {name!r} names the credential {credential!r}, where it is declared",
            f"sitectl service set {name} --tls-cert FOLDER",
        )
    site.reload()
    text = f"service {name}: {site.name} shows the credential {kept.name}"
    change = "updated" if kept.is_new else "unchanged"
    output.report(settings, "Service", name, change, text if kept.is_new else f"{text}, unchanged")


def _no_service(site: Site, name: str) -> Failure:
    site.require_readable("Service", name)
    if is_declared(site, name):
        hint = f"At that site: sitectl service set {name} …"
        if damaged := [error.source for error in site.scan()[1] if error.severity == "error"]:
            hint += f"; if it has targets here, correct {damaged[0]} first: sitectl check"
        return not_found(
            f"service {name!r} is not declared at {site.name} but at another site", hint
        )
    return not_declared(site, name)
