"""When a deletion is refused and how long it waits."""

from tests.kubernetes import selectors
from tests.kubernetes.failures import Failure, conflict
from tests.kubernetes.resources import Catalogue, Json, Resource
from tests.kubernetes.storage import Store


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


def check_budgets(store: Store, catalogue: Catalogue, pod: Json) -> None:
    """429 when a PodDisruptionBudget does not allow the pod's eviction."""
    namespace = pod["metadata"]["namespace"]
    for budget in store.all(catalogue.kind("PodDisruptionBudget"), namespace):
        matches = selectors.of_object(budget["spec"].get("selector"))
        allowed = (budget.get("status") or {}).get("disruptionsAllowed", 0)
        if matches(pod["metadata"].get("labels") or {}) and not allowed:
            text = "Cannot evict pod as it would violate the pod's disruption budget."
            raise Failure(429, "TooManyRequests", text, retry_after_s=10)
