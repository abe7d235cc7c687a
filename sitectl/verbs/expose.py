"""`expose` and `unexpose`: service and target in one word."""

from typing import Any

import click
import msgspec

from router.model.specs import Document, ServiceSpec
from sitectl import output, store, tls
from sitectl.bindings import (
    Binding,
    bindings_of,
    bound_document,
    reach_of,
    require_host_type,
    target_ports_of,
    unbind_target,
)
from sitectl.failure import usage
from sitectl.options import Settings, Verb, accepted, type_and_name
from sitectl.service_flags import health_flags
from sitectl.service_names import documents_of, require_name
from sitectl.site import Site

_NO_PODS = "not needed here, a process site has no pods"


def _address(flag: str | None, host: str) -> str:
    from router.documents.readers import is_name

    if flag is None and not is_name(host):
        raise usage(f"{host!r} cannot be the service's name", "Add --address NAME")
    address = flag or host
    require_name(address)
    return address


@click.command(cls=Verb)
@click.argument("words", nargs=-1, required=True, metavar="TYPE NAME")
@click.option("--address", help="The service's name; default NAME.")
@click.option("--port", "ports", type=click.IntRange(1, 65_535), multiple=True)
@click.option("--target-port", "target_ports", multiple=True, metavar="PORT")
@click.option("--protocol", type=click.Choice(("tcp", "http", "http2")))
@click.option("--capacity", help="Requests in flight at this target: a number, or none.")
@health_flags
@accepted(
    _NO_PODS,
    "--headless",
    "--publish-not-ready-addresses",
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
@tls.cert_flag
@tls.target_flags
@tls.generate_flag
@accepted("not needed here", "--target-namespace=", "--enable-ingress-from-target-site=")
@click.pass_obj
def expose(
    settings: Settings,
    /,
    words: tuple[str, ...],
    address: str | None,
    ports: tuple[int, ...],
    target_ports: tuple[str, ...],
    protocol: Any,
    capacity: str | None,
    tls_cert: str | None,
    generate: bool,
    tls_trust: str | None,
    tls_server_name: str | None,
    proxy_protocol: bool | None,
    **health: str | None,
) -> None:
    """Declare a service, if need be, and bind a target to it.

    \b
    Examples:
      sitectl expose host 127.0.0.1 --address shop --port 8080 --target-port 9001 --capacity 10
      sitectl expose host db1.lan --address db --port 5432 --tls-cert ./db-tls --tls-trust ./db-ca
      sitectl expose host 10.0.0.5 --address shop --port 80 --protocol http --health-path /healthz
    """
    site = store.site_to_change(settings)
    host = require_host_type(*type_and_name(words, "TYPE NAME"))
    name = _address(address, host)
    existing = site.find("Service", name)
    documents: list[Document] = []
    if existing is None:
        declared = ports or _numbers(target_ports)
        if not declared:
            raise usage("the service needs a port", "Add --port PORT")
        shown = tls.wanted_credential(site, name, tls_cert, generate).name
        service = ServiceSpec(protocol=protocol or "tcp", ports=declared, tls_cert=shown)
        documents.append(Document("Service", name, service))
    else:
        assert isinstance(existing.spec, ServiceSpec)
        service = existing.spec
        shown = tls.wanted_credential(site, name, tls_cert, generate).name or service.tls_cert
        _refuse_other_words(site, existing, ports, protocol, shown)
    binding = Binding(name, host, target_ports_of(site, name, target_ports, service.ports))
    reach = reach_of(site, name, service.protocol, tls_trust, tls_server_name, proxy_protocol)
    bound = bound_document(site, binding, capacity, health, reach)
    if bound is not None:
        documents.append(bound)
    changes = site.put_all(documents)
    change = changes[0] if changes else "unchanged"
    text = f"{binding.shown} is exposed as {name} already, unchanged"
    if change != "unchanged":
        text = f"{binding.shown} exposed as service {name}"
    output.report(settings, "Service", name, change, text)


def _refuse_other_words(
    site: Site, existing: Document, ports: tuple[int, ...], protocol: Any, tls_cert: str
) -> None:
    """Raise Failure when the flags say another service than the one there is."""
    spec = existing.spec
    assert isinstance(spec, ServiceSpec)
    asked = msgspec.structs.replace(
        spec,
        ports=ports or spec.ports,
        protocol=protocol or spec.protocol,
        tls_cert=tls_cert,
    )
    site.put(Document("Service", existing.name, asked), replace=False)


def _numbers(flags: tuple[str, ...]) -> tuple[int, ...]:
    words = [word for flag in flags for word in flag.split(",")]
    return tuple(int(word) for word in words if word.isascii() and word.isdecimal())


@click.command(cls=Verb)
@click.argument("words", nargs=-1, required=True, metavar="TYPE NAME")
@click.option("--address", help="The service's name; default NAME.")
@accepted("not needed here", "--target-namespace=")
@click.pass_obj
def unexpose(settings: Settings, words: tuple[str, ...], address: str | None) -> None:
    """Detach a target; the service goes with its last target here, if it was declared here."""
    site = store.site_to_change(settings)
    host = require_host_type(*type_and_name(words, "TYPE NAME"))
    name = _address(address, host)
    removed = unbind_target(site, name, host, None)
    if removed and not bindings_of(site, name):
        site.delete_all(documents_of(site, name))
    change = "deleted" if removed else "unchanged"
    text = f"{host} is not exposed as {name}, nothing to do"
    if removed:
        text = f"{', '.join(b.shown for b in removed)} no longer exposed as {name}"
    output.report(settings, "Service", name, change, text)
