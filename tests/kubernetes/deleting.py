"""When a deletion is refused and how long it waits."""

from typing import TYPE_CHECKING

from tests.kubernetes import selectors
from tests.kubernetes.failures import Failure, conflict
from tests.kubernetes.resources import Json, Resource

if TYPE_CHECKING:
    from tests.kubernetes.registry import Registry


def preconditions(resource: Resource, before: Json, wanted: Json) -> None:
    """409: not the object that was meant."""
    held = before["metadata"]
    texts = {
        "uid": "the UID in the precondition ({wanted}) does not match the UID in record ({held}). "
        "The object might have been deleted and then recreated",
        "resourceVersion": "the ResourceVersion in the precondition ({wanted}) does not match the "
        "ResourceVersion in record ({held}). The object might have been modified",
    }
    for key, text in texts.items():
        if wanted.get(key) and wanted[key] != held[key]:
            why = text.format(wanted=wanted[key], held=held[key])
            raise conflict(resource, held["name"], why)


def grace(resource: Resource, before: Json, options: Json) -> int:
    """Seconds that a deletion waits."""
    if resource.kind != "Pod":
        return 0
    phase = before.get("status", {}).get("phase")
    if not before["spec"].get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    default = before["spec"].get("terminationGracePeriodSeconds", 30)
    return int(default if asked is None else asked)


def take_from_budgets(registry: "Registry", pod: Json) -> None:
    """Count the pod's eviction against each PodDisruptionBudget. 429: one does not allow it."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Pending", "Succeeded", "Failed"):
        return
    ready = any(
        (each["type"], each["status"]) == ("Ready", "True")
        for each in status.get("conditions") or []
    )
    holder = registry.catalogue.kind("PodDisruptionBudget")
    for budget in registry.store.all(holder, pod["metadata"]["namespace"]):
        if not selectors.of_object(budget["spec"].get("selector"))(
            pod["metadata"].get("labels") or {}
        ):
            continue
        if not ready and budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
            continue
        told = budget.get("status") or {}
        if not told.get("disruptionsAllowed"):
            needs, has = told.get("desiredHealthy", 0), told.get("currentHealthy", 0)
            text = "Cannot evict pod as it would violate the pod's disruption budget."
            cause = {
                "reason": "DisruptionBudget",
                "message": f"The disruption budget {budget['metadata']['name']} needs {needs} "
                f"healthy pods and has {has} currently",
            }
            raise Failure(429, "TooManyRequests", text, details={"causes": [cause]})
        left = {**told, "disruptionsAllowed": told["disruptionsAllowed"] - 1}
        registry.set_status(holder, budget, left)
