"""`service bind` and `service unbind`: which targets a service has at this site."""

import click

from router.model.specs import ServiceSpec
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import (
    UNTIL_READY,
    Settings,
    accepted,
    completes,
    dry_run_flag,
    flag_group,
    type_and_name,
    wait_flag,
)
from sitectl.base.verb import Verb
from sitectl.flags.services.bindings import (
    Binding,
    bound_document,
    is_declared,
    reach_of,
    require_target,
    target_ports_of,
    unbind_target,
)
from sitectl.flags.services.capacity import CapacityFlags, capacity_flags
from sitectl.flags.services.names import nearest_service, require_name, service_meant
from sitectl.flags.services.service import health_flags
from sitectl.flags.services.targets import host_places, note_not_ready, put_until_ready
from sitectl.flags.sites import tls
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

_target_words = flag_group(
    click.argument("name", shell_complete=completes("services")),
    click.argument(
        "words",
        nargs=-1,
        required=True,
        metavar="TYPE TARGET|HOST:PORT...",
        shell_complete=completes("targets"),
    ),
    click.option(
        "--target-port",
        "target_ports",
        metavar="PORT",
        multiple=True,
        help="The target's port, once for each port of the service.",
    ),
)


@click.command("bind", cls=Verb)
@_target_words
@capacity_flags
@wait_flag(UNTIL_READY)
@health_flags
@pod_flags
@tls.target_flags
@dry_run_flag
@accepted("not needed here", "--tls-cert=")
@click.pass_obj
def bind(
    settings: Settings,
    /,
    name: str,
    words: tuple[str, ...],
    target_ports: tuple[str, ...],
    capacity: CapacityFlags,
    wait: float | None,
    reached: tls.ReachFlags,
    pods: PodFlags,
    **health: str | None,
) -> None:
    """Attach targets of this site to a service, or change their settings.

    \b
    Examples:
      sitectl service bind shop host 127.0.0.1 --target-port 9001 --capacity 10 --wait 30
      sitectl service bind shop 127.0.0.1:9001 127.0.0.1:9002 10.0.0.5:9001 --capacity 10
      sitectl service bind shop host 127.0.0.1 --target-port 9001 --health-path /healthz
      sitectl service bind db host/10.0.0.5 --target-port 5432
      sitectl service bind db host db1.lan --target-port 5432 --tls-trust ./db-ca
      sitectl service bind shop deployment/shop --target-port http --capacity 10
      sitectl service bind shop pods app=shop,tier=web --target-port 8080
      sitectl service bind db service/postgres.data
    """
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    require_name(name)
    bindings = _bindings(site, name, words, target_ports, pods.namespace_of_target)
    service = site.find("Service", name)
    protocol = service.spec.protocol if service and isinstance(service.spec, ServiceSpec) else "tcp"
    reach = reach_of(site, name, protocol, reached)
    reach |= use_of_pods(site, bindings[0].target, pods)
    advice = [line for binding in bindings for line in port_advice(site, binding)]
    documents = [bound_document(site, one, capacity, health, reach) for one in bindings]
    wait = None if settings.dry_run else wait
    wanted = [one for one in documents if one is not None]
    written = iter(put_until_ready(site, name, bindings, wanted, wait))
    changes: list[Change] = ["unchanged" if one is None else next(written) for one in documents]
    if pods.headless and site.has_workloads:
        changes = [mark_headless(site, bindings[0], changes[0])]
    _report_bound(settings, name, bindings, changes, "" if wait is None else ", ready")
    for line in advice:
        output.note(line)
    if service and protocol == "tcp" and "auto" in (capacity.capacity or ""):
        output.note(f"{name} is tcp, whose latency says nothing: auto counts as none there")
        output.note(f"Next: sitectl service set {name} --capacity 100")
    if wait is None and not settings.dry_run:
        note_not_ready(site, name, bindings, _unbind(name, words, target_ports))
    if not is_declared(site, name):
        site.require_readable("Service", name)
        output.note(f"no site that is known here declares {name} yet: the target waits for that")
        if meant := nearest_service(site, name):
            output.note(f"{meant[0].upper()}{meant[1:]} Then: {_unbind(name, words, target_ports)}")
        output.note(f"Next: sitectl service create {name} PORT, here or at a linked site")


def _unbind(name: str, words: tuple[str, ...], target_ports: tuple[str, ...]) -> str:
    """The command that takes the binding of ``words`` back."""
    ports = "".join(f" --target-port {port}" for port in target_ports)
    return f"sitectl service unbind {name} {' '.join(words)}{ports}"


def _bindings(
    site: Site,
    name: str,
    words: tuple[str, ...],
    target_ports: tuple[str, ...],
    namespace: str,
    verb: str = "bind",
) -> list[Binding]:
    """The bindings that ``TYPE TARGET`` or ``HOST:PORT...`` mean, each once."""
    places = host_places(words)
    if not places:
        target = require_target(site, *type_and_name(words, "TYPE TARGET"), namespace)
        return [Binding(name, target, target_ports_of(site, name, target, target_ports))]
    if target_ports:
        raise usage(
            f"{words[-1]!r} names a port, and so does --target-port",
            f"sitectl service {verb} {name} {' '.join(words)}",
        )
    hosts = [(require_target(site, "host", host), port) for host, port in places]
    return [
        Binding(name, target, target_ports_of(site, name, target, (port,)))
        for target, port in dict.fromkeys(hosts)
    ]


def _report_bound(
    settings: Settings, name: str, bindings: list[Binding], changes: list[Change], more: str
) -> None:
    """One target as ``item``, several as ``items``; a line for each."""
    texts = [
        f"{binding.shown} {_bound(change)} service {name}{more}"
        for binding, change in zip(bindings, changes, strict=True)
    ]
    if len(bindings) == 1 or settings.dry_run:
        key = bindings[0].document_name
        output.report(settings, "Connector", key, changes[0], texts[0])
        return
    items = [
        {"kind": "Connector", "name": binding.document_name, "change": change}
        for binding, change in zip(bindings, changes, strict=True)
    ]
    output.emit_items(settings, "Change", items, lambda: "\n".join(map(output.safe, texts)))


def _bound(change: str) -> str:
    words = {"created": "bound to", "updated": "has new settings at"}
    return words.get(change, "is bound already, unchanged, to")


@click.command("unbind", cls=Verb)
@_target_words
@click.option("--target-namespace", "namespace_of_target", default="", hidden=True)
@dry_run_flag
@click.pass_obj
def unbind(
    settings: Settings,
    name: str,
    words: tuple[str, ...],
    target_ports: tuple[str, ...],
    namespace_of_target: str,
) -> None:
    """Detach a target, named as in `service bind`; without a port, all its ports.

    \b
    Examples:
      sitectl service unbind shop 127.0.0.1:9001 127.0.0.1:9002
      sitectl service unbind shop host 127.0.0.1
      sitectl service unbind shop deployment/shop
    """
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    removed: list[Binding] = []
    if host_places(words):
        asked = _bindings(site, name, words, target_ports, namespace_of_target, "unbind")
        for one in asked:
            removed += unbind_target(site, name, one.target, one.ports)
        target = asked[0].target
        shown = f"{', '.join(one.shown for one in asked)} {'is' if len(asked) == 1 else 'are'}"
    else:
        target = bound_target(site, name, words, namespace_of_target)
        ports = target_ports_of(site, name, target, target_ports) if target_ports else None
        removed, shown = unbind_target(site, name, target, ports), f"{target.shown} is"
    change = "deleted" if removed else "unchanged"
    text = (
        f"{', '.join(b.shown for b in removed)} unbound from service {name}"
        if removed
        else f"{shown} not bound to service {name}, nothing to unbind"
    )
    output.report(settings, "Connector", target.name, change, text)
