"""`expose` and `unexpose`: service and target in one word."""

from collections.abc import Iterable

import click
import msgspec

from router.documents.readers import is_name
from router.model.specs import Document, ServiceProtocol, ServiceSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import (
    UNTIL_READY,
    Settings,
    accepted,
    completes,
    dry_run_flag,
    flags_as,
    type_and_name,
    wait_flag,
)
from sitectl.base.verb import Verb
from sitectl.flags.services.bindings import (
    Binding,
    BoundTarget,
    bindings_of,
    bound_document,
    reach_of,
    require_target,
    target_ports_of,
    unbind_target,
)
from sitectl.flags.services.capacity import CapacityFlags, CapChange, capacity_flags
from sitectl.flags.services.listeners import listener_of, note_no_listener
from sitectl.flags.services.name_ownership import require_in_force
from sitectl.flags.services.names import documents_of, require_name, service_meant
from sitectl.flags.services.service import health_flags
from sitectl.flags.services.sharing import SharingFlags, sharing_flags, with_sharing
from sitectl.flags.services.targets import note_not_ready, put_until_ready
from sitectl.flags.sites import tls
from sitectl.flags.sites.host import HostFlags, host_flags, host_listeners
from sitectl.flags.sites.pod import (
    PodFlags,
    bound_target,
    mark_headless,
    pod_flags,
    port_advice,
    use_of_pods,
)
from sitectl.selection import store
from sitectl.site.site import Change, Site

_NO_PROXIES = "not needed here, there are no proxy pods"


class _AskedService(msgspec.Struct, frozen=True):
    """The flags for the service and its ports; None and empty: not given."""

    ports: tuple[int, ...] = ()
    target_ports: tuple[str, ...] = ()
    protocol: ServiceProtocol | None = None


_asked_flags = flags_as(
    "asked",
    _AskedService,
    click.option(
        "--port",
        "ports",
        type=click.IntRange(1, 65_535),
        multiple=True,
        help="Port of the service. [default: those of the target]",
    ),
    click.option(
        "--target-port",
        "target_ports",
        multiple=True,
        metavar="PORT",
        help="Port of the target, one for each --port.",
    ),
    click.option(
        "--protocol",
        type=click.Choice(("tcp", "http", "http2")),
        help="Protocol of the clients. [default: tcp]",
    ),
)


def _address(site: Site, flag: str | None, host: str) -> str:
    if flag is None and not is_name(host):
        raise usage(f"{host!r} cannot be the service's name", "Add --address NAME")
    address = service_meant(site, flag) if flag else host
    require_name(address)
    return address


@click.command(cls=Verb)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="TYPE NAME",
    shell_complete=completes("targets"),
)
@click.option("--address", help="Name of the service; default: NAME.")
@_asked_flags
@capacity_flags
@wait_flag(UNTIL_READY)
@health_flags
@sharing_flags
@pod_flags
@host_flags
@dry_run_flag
@accepted(
    _NO_PROXIES,
    "--bridge-image=",
    *(
        f"--proxy-{what}="
        for what in (
            *("cpu", "memory", "cpu-limit", "memory-limit"),
            *("node-selector", "pod-affinity", "pod-antiaffinity"),
        )
    ),
)
@accepted("not in Spillway, requests are balanced one by one", "--aggregate=", "--event-channel")
@tls.cert_flags
@tls.target_flags
@click.option(
    "--enable-ingress-from-target-site",
    "ingress",
    type=click.Choice(("Always", "Never"), case_sensitive=False),
    help="Never: do not serve clients of this site.",
)
@click.pass_obj
def expose(
    settings: Settings,
    /,
    words: tuple[str, ...],
    address: str | None,
    asked: _AskedService,
    capacity: CapacityFlags,
    wait: float | None,
    cert: tls.CertFlags,
    reached: tls.ReachFlags,
    pods: PodFlags,
    ingress: str | None,
    host: HostFlags,
    sharing: SharingFlags,
    **health: str | None,
) -> None:
    """Declare a service, if it is missing, and bind a target to it.

    \b
    Examples:
      sitectl expose host 127.0.0.1 --address shop --port 8080 --target-port 9001 --capacity 10
      sitectl expose host db1.lan --address db --port 5432 --tls-cert ./db-tls --tls-trust ./db-ca
      sitectl expose host 10.0.0.5 --address shop --port 80 --protocol http --health-path /healthz
      sitectl expose host 127.0.0.1 --address ledger --port 8090 --target-port 9002 --export-to east
      sitectl expose deployment/shop --port 8080 --protocol http --capacity 10
      sitectl expose statefulset db --headless
      sitectl expose service/db.data --address db
    """
    site = store.site_to_change(settings)
    target = require_target(site, *type_and_name(words, "TYPE NAME"), pods.namespace_of_target)
    name = _address(site, address, target.name)
    existing = site.find("Service", name)
    documents: list[Document] = []
    if existing is None:
        service = _new_service(site, name, target, asked, cert)
        documents.append(Document("Service", name, service))
    else:
        service = _there_already(site, existing, asked, cert)
    binding = _binding(site, name, target, asked, service)
    reach = reach_of(site, name, service.protocol, reached) | use_of_pods(site, target, pods)
    if ingress == "Never":
        documents.append(listener_of(name, "none", service.ports))
    else:
        documents += host_listeners(settings, name, service.ports, host)
    bound = bound_document(site, binding, capacity, health, reach)
    advice = port_advice(site, binding)
    if bound is not None:
        documents.append(bound)
    # First of all: no site may see the service for a moment if it is not for that site.
    documents[:0] = with_sharing(site, name, CapChange(is_said=False), sharing).put
    wait = None if settings.dry_run else wait
    changes = put_until_ready(site, name, [binding], documents, wait)
    require_in_force(settings, site, name, documents)
    change = changes[0] if changes else "unchanged"
    if pods.headless and site.has_workloads:
        change = mark_headless(site, binding, change)
    _tell(settings, binding, change, advice, is_ready=wait is not None)
    note_no_listener(settings, site, name)
    if wait is None and not settings.dry_run:
        undo = f"sitectl unexpose {' '.join(words)} --address {name}"
        note_not_ready(site, name, [binding], undo)


def _new_service(
    site: Site, name: str, target: BoundTarget, asked: _AskedService, cert: tls.CertFlags
) -> ServiceSpec:
    """One that this site does not declare yet. Failure where nothing says its ports."""
    own = tuple(port for port, _ in site.workload_ports(*target))
    ports = asked.ports or _numbers(asked.target_ports) or own
    if not ports:
        what = f"{target.shown} declares no port" if site.has_workloads else ""
        raise usage(what or "the service needs a port", "Add --port PORT")
    shown = tls.wanted_credential(site, name, cert).name
    return ServiceSpec(protocol=asked.protocol or "tcp", ports=ports, tls_cert=shown)


def _there_already(
    site: Site, existing: Document, asked: _AskedService, cert: tls.CertFlags
) -> ServiceSpec:
    """The service that this site declares. Failure when the flags say another one."""
    spec = existing.spec
    assert isinstance(spec, ServiceSpec)
    shown = tls.wanted_credential(site, existing.name, cert).name
    wanted = msgspec.structs.replace(
        spec,
        ports=asked.ports or spec.ports,
        protocol=asked.protocol or spec.protocol,
        tls_cert=shown or spec.tls_cert,
    )
    site.put(Document("Service", existing.name, wanted), replace=False)
    return spec


def _binding(
    site: Site, name: str, target: BoundTarget, asked: _AskedService, service: ServiceSpec
) -> Binding:
    """The target at its ports. Of a workload, as in Skupper, what the pods declare, and the same
    as the service's where that is said."""
    flags = asked.target_ports
    if not flags and target.kind not in ("host", "service"):
        same = {} if asked.ports else dict(site.workload_ports(*target))
        flags = tuple(str(same.get(port, port)) for port in service.ports)
    return Binding(name, target, target_ports_of(site, name, target, flags, service.ports))


def _tell(
    settings: Settings, binding: Binding, change: Change, advice: Iterable[str], *, is_ready: bool
) -> None:
    name = binding.service
    text = f"{binding.shown} is exposed as {name} already, unchanged"
    if change != "unchanged":
        text = f"{binding.shown} exposed as service {name}"
    output.report(settings, "Service", name, change, text + (", ready" if is_ready else ""))
    for line in advice:
        output.note(line)


def _numbers(flags: tuple[str, ...]) -> tuple[int, ...]:
    words = [word for flag in flags for word in flag.split(",")]
    return tuple(int(word) for word in words if word.isascii() and word.isdecimal())


@click.command(cls=Verb)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="TYPE NAME",
    shell_complete=completes("targets"),
)
@click.option("--address", help="Name of the service; default: NAME.")
@click.option("--target-namespace", "namespace_of_target", default="", hidden=True)
@dry_run_flag
@click.pass_obj
def unexpose(
    settings: Settings, words: tuple[str, ...], address: str | None, namespace_of_target: str
) -> None:
    """Detach a target; the last one here deletes the service, if this site declares it.

    \b
    Examples:
      sitectl unexpose host 127.0.0.1 --address shop
      sitectl unexpose deployment/shop
    """
    site = store.site_to_change(settings)
    name = _address(site, address, type_and_name(words, "TYPE NAME")[1].strip("[]"))
    target = bound_target(site, name, words, namespace_of_target)
    removed = unbind_target(site, name, target, None)
    if removed and not bindings_of(site, name):
        if unreadable := site.unreadable():  # They may hold another target of the service.
            for error in unreadable:
                output.note(f"{name} stays, and what cannot be read: {error.message}")
        else:
            about = documents_of(site, name)
            site.delete_all(about)
            if any(document.kind == "Service" for document in about):
                output.note(f"service {name} is deleted, with its last target here")
    change = "deleted" if removed else "unchanged"
    text = f"{target.shown} is not exposed as {name}, nothing to do"
    if removed:
        text = f"{', '.join(b.shown for b in removed)} no longer exposed as {name}"
    output.report(settings, "Service", name, change, text)
