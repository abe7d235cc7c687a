"""Garbage, namespaces, ServiceAccounts, load balancers, routes: what a cluster does by itself."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from tests.kubernetes.failures import Failure
from tests.kubernetes.registry import FOREGROUND, ORPHAN, now
from tests.kubernetes.resources import Json
from tests.kubernetes.selectors import of_object
from tests.kubernetes.world import Reconcile, World, condition, is_ending, is_ready

ROOT_CA: Final = "kube-root-ca.crt"


def owners_present(world: World) -> set[str]:
    """The uids of everything."""
    return {
        str(found["metadata"]["uid"])
        for resource in world.registry.catalogue.resources
        for found in world.store.all(resource)
    }


def garbage(world: World, namespace: str) -> None:
    """Remove what lost all its owners; finish foreground and orphan deletions."""
    present: set[str] | None = None
    dependents: dict[str, list[Json]] = {}
    waiting: list[Json] = []
    for resource in world.registry.catalogue.resources:
        for found in world.store.all(resource, namespace if resource.namespaced else ""):
            owners = found["metadata"].get("ownerReferences") or []
            if is_ending(found) and set(found["metadata"].get("finalizers") or []) & {
                FOREGROUND,
                ORPHAN,
            }:
                waiting.append(found)
            if not owners:
                continue
            present = owners_present(world) if present is None else present
            for owner in owners:
                dependents.setdefault(owner["uid"], []).append(found)
            if not is_ending(found) and not any(each["uid"] in present for each in owners):
                world.delete(found, propagationPolicy="Background")
    for found in waiting:
        _finish(world, found, dependents.get(found["metadata"]["uid"], []))


def _finish(world: World, found: Json, dependents: list[Json]) -> None:
    finalizers = found["metadata"]["finalizers"]
    uid = found["metadata"]["uid"]
    if ORPHAN in finalizers:
        for each in dependents:
            world.change(each, lambda edited: _disown(edited, uid))
        done = ORPHAN
    else:
        present = owners_present(world)
        left = [each for each in dependents if each["metadata"]["uid"] in present]
        for each in left:
            if not is_ending(each):
                world.delete(each, propagationPolicy="Foreground")
        present = owners_present(world)
        if any(each["metadata"]["uid"] in present for each in left):
            return
        done = FOREGROUND

    def edit(edited: Json) -> None:
        edited["metadata"]["finalizers"] = [each for each in finalizers if each != done]

    world.change(found, edit)


def _disown(found: Json, uid: str) -> None:
    owners = found["metadata"].get("ownerReferences") or []
    found["metadata"]["ownerReferences"] = [each for each in owners if each["uid"] != uid]


def namespaces(world: World, namespace: str) -> None:
    """Empty a namespace that ends; it goes when nothing is left in it."""
    found = world.get("Namespace", "", namespace)
    if found is None or not is_ending(found):
        return
    left = 0
    for resource in world.registry.catalogue.resources:
        if resource.namespaced:
            for each in world.store.all(resource, namespace):
                if not is_ending(each):
                    world.delete(each)
            left += len(world.store.all(resource, namespace))
    if left:
        text = f"Some content in the namespace has finalizers remaining or ends: {left} objects"
        shown = condition(found, "NamespaceContentRemaining", True, "SomeResourcesRemain", text)
        world.set_status(found, conditions=shown)
        return
    world.registry.finalize({"metadata": {"name": namespace}})


def accounts(ca_pem: str) -> Reconcile:
    """ServiceAccount ``default`` and ConfigMap ``kube-root-ca.crt`` in each namespace."""

    def reconcile(world: World, namespace: str) -> None:
        holder = world.get("Namespace", "", namespace)
        if holder is None or is_ending(holder):
            return
        if world.get("ServiceAccount", namespace, "default") is None:
            world.create("ServiceAccount", namespace, {"metadata": {"name": "default"}})
        if world.get("ConfigMap", namespace, ROOT_CA) is None:
            made = {"metadata": {"name": ROOT_CA}, "data": {"ca.crt": ca_pem}}
            world.create("ConfigMap", namespace, made)

    return reconcile


def load_balancers(address_of: Callable[[Json], str], delay_s: Callable[[], float]) -> Reconcile:
    """An external address for each Service of type LoadBalancer, after a while.

    ``delay_s`` below zero: never. ``address_of`` may give a host name.
    """

    def give(world: World, namespace: str, name: str, uid: str) -> None:
        found = world.get("Service", namespace, name)
        if found is None or found["metadata"]["uid"] != uid:
            return
        if found["spec"]["type"] == "LoadBalancer":
            address = address_of(found)
            is_ip = address.replace(".", "").isdigit() or ":" in address
            entry = {"ip": address, "ipMode": "VIP"} if is_ip else {"hostname": address}
            world.set_status(found, loadBalancer={"ingress": [entry]})

    def reconcile(world: World, namespace: str) -> None:
        for found in world.all("Service", namespace):
            metadata = found["metadata"]
            held = found.get("status", {}).get("loadBalancer", {}).get("ingress")
            if found["spec"]["type"] != "LoadBalancer":
                if held:
                    world.set_status(found, loadBalancer={})
            elif not held and delay_s() >= 0:
                loop = asyncio.get_running_loop()
                place = namespace, metadata["name"], metadata["uid"]
                loop.call_later(delay_s(), give, world, *place)

    return reconcile


def routes(domain: str) -> Reconcile:
    """A host and an admitted ingress for each Route of OpenShift."""

    def reconcile(world: World, namespace: str) -> None:
        for found in world.all("Route", namespace):
            name = found["metadata"]["name"]
            host = found["spec"].get("host") or f"{name}-{namespace}.{domain}"
            if found["spec"].get("host") != host:

                def edit(edited: Json, host: str = host) -> None:
                    edited["spec"]["host"] = host

                found = world.change(found, edit)
            if not (found.get("status") or {}).get("ingress"):
                admitted = {"type": "Admitted", "status": "True", "lastTransitionTime": now()}
                entry = {
                    "host": host,
                    "routerName": "default",
                    "routerCanonicalHostname": f"router-default.{domain}",
                    "wildcardPolicy": "None",
                    "conditions": [admitted],
                }
                with contextlib.suppress(Failure):  # It was deleted meanwhile.
                    world.set_status(found, ingress=[entry])

    return reconcile


def disruption_budgets(world: World, namespace: str) -> None:
    """How many pods may be evicted."""
    for found in world.all("PodDisruptionBudget", namespace):
        matches = of_object(found["spec"].get("selector"))
        pods = [
            pod
            for pod in world.all("Pod", namespace)
            if matches(pod["metadata"].get("labels") or {})
        ]
        healthy = sum(map(is_ready, pods))
        wanted = int(found["spec"].get("minAvailable", 0))
        if "maxUnavailable" in found["spec"]:
            wanted = len(pods) - int(found["spec"]["maxUnavailable"])
        world.set_status(
            found,
            currentHealthy=healthy,
            desiredHealthy=wanted,
            disruptionsAllowed=max(healthy - wanted, 0),
            expectedPods=len(pods),
            observedGeneration=found["metadata"]["generation"],
        )
