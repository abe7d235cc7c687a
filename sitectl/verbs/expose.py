"""`expose` and `unexpose`: service and target in one word."""

from typing import Any

import click

from router.model.specs import Document, ServiceSpec
from sitectl import output, store
from sitectl.bindings import (
    Binding,
    bind_target,
    bindings_of,
    capacity_slots,
    require_host_type,
    target_ports_of,
    unbind_target,
)
from sitectl.failure import usage
from sitectl.options import Settings, Verb, accepted, type_and_name
from sitectl.verbs.service import documents_of, require_name

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
@click.option("--capacity", help="Requests in flight at this target: a number.")
@accepted(
    _NO_PODS, "--headless", "--publish-not-ready-addresses", "--proxy-cpu=", "--bridge-image="
)
@accepted("not needed here", "--target-namespace=", "--generate-tls-secrets", "--tls-cert=")
@accepted("not needed here", "--enable-ingress-from-target-site=", "--tls-trust=")
@click.pass_obj
def expose(
    settings: Settings,
    words: tuple[str, ...],
    address: str | None,
    ports: tuple[int, ...],
    target_ports: tuple[str, ...],
    protocol: Any,
    capacity: str | None,
) -> None:
    """Declare a service, if need be, and bind a target to it.

    \b
    Example:
      sitectl expose host 127.0.0.1 --address shop --port 8080 --target-port 9001 --capacity 10
    """
    site = store.find_site(settings)
    host = require_host_type(*type_and_name(words, "TYPE NAME"))
    name = _address(address, host)
    capacity_slots(capacity)  # Judged before anything is written.
    existing = site.find("Service", name)
    created: store.Change = "unchanged"
    if existing is None:
        declared = ports or _numbers(target_ports)
        if not declared:
            raise usage("the service needs a port", "Add --port PORT")
        spec = ServiceSpec(protocol=protocol or "tcp", ports=declared)
        created = site.put(Document("Service", name, spec), replace=False)
    elif ports or protocol:
        assert isinstance(existing.spec, ServiceSpec)
        spec = existing.spec
        wanted = ServiceSpec(
            protocol=protocol or spec.protocol,
            ports=ports or spec.ports,
            policy=spec.policy,
            queue=spec.queue,
            queue_wait_s=spec.queue_wait_s,
        )
        site.put(Document("Service", name, wanted), replace=False)
    binding = Binding(name, host, target_ports_of(site, name, target_ports))
    bound = bind_target(site, binding, capacity)
    change = created if created != "unchanged" else bound
    text = f"{binding.shown} is exposed as {name} already, unchanged"
    if change != "unchanged":
        text = f"{binding.shown} exposed as service {name}"
    output.report(settings, "Service", name, change, text)


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
    site = store.find_site(settings)
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
