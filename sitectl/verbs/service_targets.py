"""`service bind` and `service unbind`: which targets a service has at this site."""

import click

from router.model.specs import ServiceSpec
from sitectl import output, store, tls
from sitectl.bindings import (
    Binding,
    bind_target,
    is_declared,
    reach_of,
    require_target,
    target_ports_of,
    unbind_target,
)
from sitectl.capacity_flags import CapacityFlags, capacity_flags
from sitectl.options import Decorated, Settings, Verb, accepted, dry_run_flag, type_and_name
from sitectl.pod_flags import bound_target, mark_headless, port_advice, use_of_pods, workload_flags
from sitectl.service_flags import health_flags
from sitectl.service_names import require_name


def _target_flags(function: Decorated) -> Decorated:
    return click.option(
        "--target-port",
        "target_ports",
        metavar="PORT",
        multiple=True,
        help="The target's port, once for each port of the service.",
    )(function)


@click.command("bind", cls=Verb)
@click.argument("name")
@click.argument("words", nargs=-1, required=True, metavar="TYPE TARGET")
@_target_flags
@capacity_flags
@health_flags
@workload_flags
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
    capacity: CapacityFlags | None,
    tls_trust: str | None,
    tls_server_name: str | None,
    proxy_protocol: bool | None,
    headless: bool,
    not_ready: bool | None,
    namespace_of_target: str,
    **health: str | None,
) -> None:
    """Attach a target of this site to a service, or change how it is used.

    \b
    Examples:
      sitectl service bind shop host 127.0.0.1 --target-port 9001 --capacity 10
      sitectl service bind shop host 127.0.0.1 --target-port 9001 --health-path /healthz
      sitectl service bind db host/10.0.0.5 --target-port 5432
      sitectl service bind db host db1.lan --target-port 5432 --tls-trust ./db-ca
      sitectl service bind shop deployment/shop --target-port http --capacity 10
      sitectl service bind shop pods app=shop,tier=web --target-port 8080
      sitectl service bind db service/postgres.data
    """
    site = store.site_to_change(settings)
    require_name(name)
    target = require_target(site, *type_and_name(words, "TYPE TARGET"), namespace_of_target)
    binding = Binding(name, target, target_ports_of(site, name, target, target_ports))
    service = site.find("Service", name)
    protocol = service.spec.protocol if service and isinstance(service.spec, ServiceSpec) else "tcp"
    reach = reach_of(site, name, protocol, tls_trust, tls_server_name, proxy_protocol)
    if use_of_pods(site, target, headless, not_ready):
        reach["not_ready"] = bool(not_ready)
    advice = port_advice(site, binding)
    change = bind_target(site, binding, capacity, health, reach)
    if headless and site.has_workloads:
        change = mark_headless(site, binding, change)
    text = f"{binding.shown} {_bound(change)} service {name}"
    output.report(settings, "Connector", binding.document_name, change, text)
    for line in advice:
        output.note(settings.here(line))
    if not is_declared(site, name):
        site.require_readable("Service", name)
        output.note(f"no site that is known here declares {name} yet: the target waits for that")
        output.note(f"Next: sitectl service create {name} PORT, here or at a linked site")


def _bound(change: str) -> str:
    words = {"created": "bound to", "updated": "has new settings at"}
    return words.get(change, "is bound already, unchanged, to")


@click.command("unbind", cls=Verb)
@click.argument("name")
@click.argument("words", nargs=-1, required=True, metavar="TYPE TARGET")
@_target_flags
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
    """Detach a target; without --target-port every port of it.

    \b
    Examples:
      sitectl service unbind shop host 127.0.0.1
      sitectl service unbind shop deployment/shop
    """
    site = store.site_to_change(settings)
    target = bound_target(site, name, words, namespace_of_target)
    ports = target_ports_of(site, name, target, target_ports) if target_ports else None
    removed = unbind_target(site, name, target, ports)
    change = "deleted" if removed else "unchanged"
    text = (
        f"{', '.join(b.shown for b in removed)} unbound from service {name}"
        if removed
        else f"{target.shown} is not bound to service {name}, nothing to unbind"
    )
    output.report(settings, "Connector", target.name, change, text)
