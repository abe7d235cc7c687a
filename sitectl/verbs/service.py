"""`service create|bind|set|unbind|delete|status`."""

from typing import Any

import click

from router.model import limits
from router.model.specs import (
    Document,
    ServiceSpec,
)
from sitectl import output, store, tls
from sitectl.bindings import (
    bindings_of,
    changed_targets,
    is_declared,
)
from sitectl.failure import Failure, not_found, usage
from sitectl.options import Settings, Verbs, accepted, dry_run_flag
from sitectl.policy_flags import (
    QUEUE_DEFAULT,
    policy_flags,
    policy_of,
    request_id_flag,
    request_id_of,
)
from sitectl.service_flags import handling_changes, health_flags, timeout_flags
from sitectl.service_names import documents_of, listener_of, name_and_ports, require_name
from sitectl.service_status import service_items, table
from sitectl.sessions import affinity_of, require_sessions_fit
from sitectl.site import Site
from sitectl.verbs.service_targets import bind, unbind


@click.group("service", cls=Verbs)
def group() -> None:
    """Services: declare, bind targets, change, look."""


@group.command("create")
@click.argument("words", nargs=-1, required=True, metavar="NAME PORT...")
@click.option(
    "--protocol",
    type=click.Choice(("tcp", "http", "http2")),
    default="tcp",
    help="What is balanced: connections, requests, or HTTP/2 and gRPC streams.",
)
@policy_flags
@request_id_flag
@timeout_flags
@click.option("--listen", metavar="[IP:]PORT|[IP:]auto|none", help="Where clients connect here.")
@click.option(
    "--enable-ingress",
    "ingress",
    type=click.Choice(("Always", "Never"), case_sensitive=False),
    hidden=True,
    help="Skupper's word: Never is --listen none.",
)
@tls.cert_flag
@tls.generate_flag
@accepted("not in Spillway, requests are balanced one by one", "--aggregate=", "--event-channel")
@dry_run_flag
@click.pass_obj
def create(
    settings: Settings,
    words: tuple[str, ...],
    protocol: Any,
    policy: str | None,
    weights: tuple[str, ...],
    queue: int | None,
    queue_wait: float | None,
    affinity: str | None,
    request_id: str | None,
    timeouts: tuple[str, ...],
    ceilings: tuple[str, ...],
    listen: str | None,
    ingress: str | None,
    tls_cert: str | None,
    generate: bool,
) -> None:
    """Declare a service; every linked site gets a listener for it.

    \b
    Examples:
      sitectl service create shop 8080 --protocol http
      sitectl service create greeter 50051 --protocol http2
      sitectl service create db:5432
      sitectl service create shop 8443 --protocol http --tls-cert ./shop-tls
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
        policy=policy_of(policy, weights),
        queue=None if queue == QUEUE_DEFAULT else queue,
        queue_wait_s=limits.QUEUE_WAIT_S if queue_wait is None else queue_wait,
        tls_cert=tls.expected_credential(site, name, tls_cert, generate),
        affinity=affinity_of(affinity) if affinity is not None else None,
        request_id=request_id_of(request_id) or "",
        **handling_changes(timeouts, ceilings, ServiceSpec(ports=()), protocol),
    )
    require_sessions_fit(spec)
    documents = [Document("Service", name, spec)]
    if listen is None and ingress == "Never":
        listen = "none"
    if listen is not None:
        documents.append(listener_of(name, listen, ports))
    site.judge_all(documents, replace=False)  # Before a credential is copied for nothing.
    tls.wanted_credential(site, name, tls_cert, generate)
    changes = site.put_all(documents, replace=False)
    change = "unchanged" if set(changes) == {"unchanged"} else "created"
    shown = ", ".join(map(str, ports))
    text = f"service {name} ({protocol}, port {shown}) " + _told(change)
    output.report(settings, "Service", name, change, text)
    if change == "created":
        what = "deployment NAME" if site.has_workloads else "host ADDRESS"
        output.note(f"Next: sitectl service bind {name} {what} --target-port PORT")
    if change == "created" and spec.tls_cert:
        output.note(f"At every other site: sitectl service set {name} --tls-cert FOLDER")


def _told(change: str) -> str:
    return "exists already, unchanged" if change == "unchanged" else change


@group.command("set")
@click.argument("name")
@policy_flags
@request_id_flag
@timeout_flags
@health_flags
@click.option("--capacity", help="For every target of the service here, as is what health says.")
@click.option("--protocol", type=click.Choice(("tcp", "http", "http2")))
@click.option("--listen", metavar="[IP:]PORT|[IP:]auto|none")
@tls.cert_flag
@tls.generate_flag
@dry_run_flag
@click.pass_obj
def set_(
    settings: Settings,
    /,
    name: str,
    policy: str | None,
    weights: tuple[str, ...],
    queue: int | None,
    queue_wait: float | None,
    affinity: str | None,
    request_id: str | None,
    timeouts: tuple[str, ...],
    ceilings: tuple[str, ...],
    capacity: str | None,
    protocol: Any,
    listen: str | None,
    tls_cert: str | None,
    generate: bool,
    **health: str | None,
) -> None:
    """Change a service's settings, or those of all its targets here, while it runs.

    --listen says where clients connect here, also to a service that another site declares.
    With --tls-cert FOLDER the certificate that this site shows is replaced, also where the service
    is declared by another site; new connections get it within 2 seconds. --tls-cert "" ends TLS.

    \b
    Examples:
      sitectl service set shop --capacity 20 --health-path /healthz
      sitectl service set shop --timeout connect=500ms --timeout response=5s
      sitectl service set shop --affinity header:X-Session
      sitectl service set shop --tls-cert ./renewed
      sitectl service set shop --listen auto
    """
    site = store.site_to_change(settings)
    service = site.find("Service", name)
    others = (
        policy,
        weights or None,
        queue,
        queue_wait,
        capacity,
        protocol,
        listen,
        generate or None,
        affinity,
        request_id,
        timeouts or None,
        ceilings or None,
        *health.values(),
    )
    if service is None and _set_elsewhere(settings, site, name, tls_cert, listen, others):
        return
    bound = bindings_of(site, name)
    documents: list[Document] = []
    changes: dict[str, Any] = {}
    if policy is not None or weights:
        changes["policy"] = policy_of(policy, weights)
    kept = tls.Kept(tls_cert or "")
    if service is not None:
        kept = tls.wanted_credential(site, name, tls_cert, generate)
    given = {
        "queue": queue,
        "queue_wait_s": queue_wait,
        "protocol": protocol,
        "tls_cert": None if tls_cert is None and not generate else kept.name,
        "request_id": request_id_of(request_id),
    }
    changes |= {
        field: None if value == QUEUE_DEFAULT else value
        for field, value in given.items()
        if value is not None
    }
    if affinity is not None:
        changes["affinity"] = affinity_of(affinity)
    # One that is not declared here is refused below, and not for its protocol.
    spec = service.spec if service is not None else ServiceSpec(protocol="http", ports=())
    assert isinstance(spec, ServiceSpec)
    changes |= handling_changes(timeouts, ceilings, spec, protocol or spec.protocol)
    if service is None and (changes or listen is not None or not bound):
        raise _no_service(site, name)
    import msgspec

    if service is not None and changes:
        replaced = msgspec.structs.replace(spec, **changes)
        require_sessions_fit(replaced)
        documents.append(Document("Service", name, replaced))
    if listen is not None and service is not None:
        documents.append(listener_of(name, listen, spec.ports))
    if capacity is not None or any(text is not None for text in health.values()):
        documents += changed_targets(name, bound, capacity, health)
    if not documents:
        raise usage("nothing to set", f"sitectl service set {name} --policy fill --capacity 10")
    is_unchanged = set(site.put_all(documents)) == {"unchanged"}
    change, text = "updated", "updated"
    if is_unchanged and kept.is_new:
        site.reload()
        text = "has a new certificate"
    elif is_unchanged:
        change, text = "unchanged", "has these settings, unchanged"
    output.report(settings, "Service", name, change, f"service {name} {text}")


def _set_elsewhere(
    settings: Settings,
    site: Site,
    name: str,
    tls_cert: str | None,
    listen: str | None,
    others: tuple[object, ...],
) -> bool:
    """Set what each site has of a service that another one declares; False: that is not all.

    ``others``: all that was given but ``tls_cert``, ``listen`` among it.
    """
    given = len(others) - others.count(None)
    if tls_cert and not given:
        _keep_certificate(settings, site, name, tls_cert)
        return True
    if listen and given == 1 and tls_cert is None:
        _listen_here(settings, site, name, listen)
        return True
    return False


def _listen_here(settings: Settings, site: Site, name: str, listen: str) -> None:
    """Listen for a service of other sites; an edge without service sync learns of no other."""
    site.require_readable("Service", name)
    require_name(name)
    change = site.put_all([listener_of(name, listen, ())])[0]
    when = "" if is_declared(site, name) else ", as soon as a site declares it"
    where = {"auto": "at its own port", "none": "nowhere"}.get(listen, f"at {listen}")
    text = f"service {name}: {site.name} listens for it {where}{when}"
    output.report(settings, "Listener", name, change, text)


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
        return not_found(
            f"service {name!r} is not declared at {site.name} but at another site",
            f"At that site: sitectl service set {name} …",
        )
    known = sorted(d.name for d in site.documents() if d.kind == "Service")
    there = f"; declared here: {', '.join(known)}" if known else ""
    return not_found(
        f"no service {name!r} is declared at {site.name}{there}",
        f"sitectl service create {name} PORT",
    )


group.add_command(bind)
group.add_command(unbind)


@group.command("delete")
@click.argument("name")
@dry_run_flag
@click.pass_obj
def delete(settings: Settings, name: str) -> None:
    """Withdraw a service of this site, with its targets and listeners here.

    \b
    Example:
      sitectl service delete shop
    """
    site = store.site_to_change(settings)
    declared = site.find("Service", name) is not None
    if not declared:
        site.require_readable("Service", name)
    targets = len(bindings_of(site, name))
    removed = site.delete_all(documents_of(site, name))
    change = "deleted" if removed else "unchanged"
    done = "deleted" if declared else "is not declared here"
    text = f"service {name} " + (done if removed else "is not here, nothing to delete")
    if targets:
        text += f", {output.count(targets, 'target')} of it here unbound"
    output.report(settings, "Service", name, change, text)


@group.command("label")
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[LABEL=VALUE|LABEL-]...")
@dry_run_flag
@click.pass_obj
def label(settings: Settings, name: str, words: tuple[str, ...]) -> None:
    """On Kubernetes: labels of the Service that is made for a service; without words print them.

    \b
    Examples:
      sitectl service label shop tier=web
      sitectl service label shop tier-
    """
    if not settings.on_kubernetes():
        output.note("service label: not needed here, a process site has no Kubernetes services")
        return
    from sitectl.kubernetes.labelling import label_service

    label_service(settings, name, words)


@group.command("status")
@click.argument("name", required=False)
@click.option("-v", "--verbose", is_flag=True, help="Sites and targets too.")
@accepted("not needed here", "--show-labels")
@click.pass_context
def status(ctx: click.Context, name: str | None, verbose: bool) -> None:
    """Services: where they are served, how full they are.

    \b
    Examples:
      sitectl service status
      sitectl service status shop -o json
    """
    settings = ctx.ensure_object(Settings)
    site = store.find_site(settings)
    items, stopped = service_items(site, name)
    if stopped:
        output.note(f"stopped: {stopped}; this is what is configured")
    detailed = verbose or name is not None
    output.emit_items(
        settings,
        "ServiceStatus",
        items,
        lambda: settings.here(table(items, detailed, has_workloads=site.has_workloads)),
    )
    if stopped:
        ctx.exit(site.without_router)
