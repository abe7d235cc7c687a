"""Garbage, namespaces, ServiceAccounts, load balancers, routes: what a cluster does by itself."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from tests.kubernetes.failures import Failure
from tests.kubernetes.registry import FOREGROUND, ORPHAN, now
from tests.kubernetes.resources import Json, Resource
from tests.kubernetes.selectors import of_object
from tests.kubernetes.storage import Change, Key, key_of, owners
from tests.kubernetes.world import (
    Reconcile,
    World,
    condition,
    is_ending,
    is_owned,
    is_ready,
    share,
)

ROOT_CA: Final = "kube-root-ca.crt"


class Garbage:
    """Removes what lost all its owners; finishes foreground and orphan deletions."""

    name = "garbage"

    def __init__(self) -> None:
        self._suspects: dict[tuple[Resource, Key], None] = {}

    def start(self, world: World) -> Callable[[], None]:
        """Begin; gives what ends it."""
        loop = asyncio.get_running_loop()

        def run() -> None:
            suspects, self._suspects = list(self._suspects), {}
            for resource, key in suspects:
                found = world.store.get(resource, *key)
                if found is not None:
                    _collect(world, found)

        def note(change: Change) -> None:
            found = _suspects(world, change)
            if found and not self._suspects:
                loop.call_soon(run)
            self._suspects.update(dict.fromkeys((each, key_of(one)) for each, one in found))

        return world.store.listen(note)


def _suspects(world: World, change: Change) -> list[tuple[Resource, Json]]:
    """What may have to go after a change: itself, its dependents, and owners that wait for it."""
    if change.after is not None:
        is_suspect = owners(change.after) or is_ending(change.after)
        return [(change.resource, change.after)] if is_suspect else []
    gone = change.before or {}
    found = world.store.owned_by(gone["metadata"]["uid"])
    for owner in gone["metadata"].get("ownerReferences") or []:
        holder = world.registry.catalogue.of(owner["apiVersion"], owner["kind"])
        if holder is None:
            continue
        place = gone["metadata"].get("namespace", "") if holder.namespaced else ""
        left = world.store.get(holder, place, owner["name"])
        if left is not None:
            found.append((holder, left))
    return found


def _collect(world: World, found: Json) -> None:
    uids = owners(found)
    if uids and not is_ending(found) and not world.store.uids & set(uids):
        world.delete(found, propagationPolicy="Background")
    elif is_ending(found):
        finalizers = found["metadata"].get("finalizers") or []
        if ORPHAN in finalizers or FOREGROUND in finalizers:
            _finish(world, found)


def _finish(world: World, found: Json) -> None:
    finalizers = found["metadata"]["finalizers"]
    uid = found["metadata"]["uid"]
    if ORPHAN in finalizers:
        for _resource, each in world.store.owned_by(uid):
            world.change(each, lambda edited: _disown(edited, uid))
        done = ORPHAN
    else:
        for _resource, each in world.store.owned_by(uid):
            if not is_ending(each):
                world.delete(each, propagationPolicy="Foreground")
        if world.store.owned_by(uid):
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
        healthy = sum(is_ready(pod) and not is_ending(pod) for pod in pods)
        expected, wanted = len(pods), found["spec"].get("minAvailable", 0)
        if "maxUnavailable" in found["spec"]:
            expected = _wanted_pods(world, namespace, pods)
            wanted = max(expected - share(found["spec"]["maxUnavailable"], expected, up=True), 0)
        elif isinstance(wanted, str):
            expected = _wanted_pods(world, namespace, pods)
            wanted = share(wanted, expected, up=True)
        world.set_status(
            found,
            currentHealthy=healthy,
            desiredHealthy=wanted,
            disruptionsAllowed=max(healthy - wanted, 0),
            expectedPods=expected,
            observedGeneration=found["metadata"]["generation"],
        )


def _wanted_pods(world: World, namespace: str, pods: list[Json]) -> int:
    """How many pods their Deployments and other controllers should have."""
    makers: dict[str, int] = {}
    for pod in pods:
        for kind in ("ReplicaSet", "StatefulSet"):
            for maker in world.all(kind, namespace):
                if is_owned(pod, maker):
                    above = (d for d in world.all("Deployment", namespace) if is_owned(maker, d))
                    scaled = next(above, maker)
                    makers[scaled["metadata"]["uid"]] = scaled["spec"]["replicas"]
    return sum(makers.values())
