"""Flags for targets that are pods of a workload."""

from typing import Any

import click
import msgspec

from router.kubernetes.objects.names import HEADLESS
from router.model.specs import Document
from sitectl.base import output
from sitectl.base.failure import Failure, usage
from sitectl.base.options import flags_as, type_and_name
from sitectl.flags.services.bindings import Binding, BoundTarget, bindings_of, require_target
from sitectl.site.site import Change, Site

_NO_PODS = "not needed here, a process site has no pods"


class PodFlags(msgspec.Struct, frozen=True):
    """How pods are found and named, as given; ``not_ready`` None: not given."""

    headless: bool = False
    not_ready: bool | None = None
    namespace_of_target: str = ""


pod_flags = flags_as(
    "pods",
    PodFlags,
    click.option(
        "--headless",
        is_flag=True,
        help="On Kubernetes: a name for each pod of a statefulset, at every site.",
    ),
    click.option(
        "--publish-not-ready-addresses/--no-publish-not-ready-addresses",
        "not_ready",
        default=None,
        help="On Kubernetes: use pods before they are ready.",
    ),
    click.option(
        "--target-namespace",
        "namespace_of_target",
        metavar="NAME",
        default="",
        help="On Kubernetes: namespace of a target of type service.",
    ),
)


def use_of_pods(site: Site, target: BoundTarget, flags: PodFlags) -> dict[str, Any]:
    """The fields of a connector that the flags set. Failure: ``--headless`` for a workload
    without named pods.

    A process site refuses them all: it needs none.
    """
    if not site.has_workloads:
        if flags.headless:
            output.note(f"--headless: {_NO_PODS}")
        if flags.not_ready:
            output.note(f"--publish-not-ready-addresses: {_NO_PODS}")
        return {}
    if flags.headless and target.kind != "statefulset":
        raise usage(
            f"--headless: pods of a {target.kind} have no lasting names",
            "It is for type statefulset",
        )
    if flags.not_ready is None or target.kind == "host":
        return {}
    return {"not_ready": flags.not_ready}


def mark_headless(site: Site, binding: Binding, change: Change) -> Change:
    """Have each pod of the binding's StatefulSet get a name; what became of it all."""
    document = Document("Connector", binding.document_name, binding.spec)
    marked = site.mark(document, {HEADLESS: "true"})
    return "updated" if marked and change == "unchanged" else change


def port_advice(site: Site, binding: Binding) -> list[str]:
    """Notes on a workload's ports that are probably wrong: the pods name others, or the same pods
    are also a target at other ports. None for a host, which may have any number of ports.
    """
    target, service = binding.target, binding.service
    if target.kind in ("host", "service") or not site.has_workloads:
        return []
    told = []
    declared = [port for _, port in site.workload_ports(*target) if isinstance(port, int)]
    strange = [port for port in binding.ports if isinstance(port, int) and port not in declared]
    if declared and strange:
        known, asked = ", ".join(map(str, declared)), ", ".join(map(str, strange))
        told.append(f"the containers of {target.shown} name port {known}, not {asked}")
    for other in bindings_of(site, service):
        if other.target == target and other.ports != binding.ports:
            ports = "".join(f" --target-port {port}" for port in other.ports)
            gone = f"sitectl service unbind {service} {target.kind} {target.name}{ports}"
            told.append(f"{other.shown} stays a target too; if it should not: {gone}")
    return told


def bound_target(site: Site, service: str, words: tuple[str, ...], namespace: str) -> BoundTarget:
    """The target to unbind: one that is gone from the cluster can still be bound here."""
    kind, name = type_and_name(words, "TYPE TARGET")
    try:
        return require_target(site, kind, name, namespace)
    except Failure:
        if not site.has_workloads:
            raise
        full = f"{name}.{namespace}" if namespace else name
        known = {binding.target for binding in bindings_of(site, service)}
        found = next((t for t in known if t.name == full and kind.startswith(t.kind)), None)
        if found is None:
            raise
        return found
