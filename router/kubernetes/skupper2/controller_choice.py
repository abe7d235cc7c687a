"""The controller that acts on the objects of Skupper v2 in a namespace.

ConfigMap ``skupper`` decides if it names a controller: every controller of Skupper at once leaves a
namespace alone that names another one. If it names none, Spillway acts unless Skupper's router runs
in the namespace or a Site has the status of another controller.
"""

import msgspec

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, Snapshot, is_going, labels, metadata, part


class ActingController(msgspec.Struct, frozen=True):
    """``other``: the controller that acts instead of Spillway; empty: none.

    ``why``: the object that shows it.
    """

    other: str = ""
    why: str = ""


def controller_of(snapshot: Snapshot) -> ActingController:
    """The controller that acts on the objects of ``snapshot``."""
    claim = snapshot.get("ConfigMap", names.SKUPPER_CONTROL)
    named = named_controller(claim, snapshot.namespace)
    if named == names.ROUTER:
        return ActingController()
    if named == names.CONTROLLER_FROZEN:
        return ActingController(named, "their services move from Skupper or back")
    if named:
        why = f"key {names.CONTROLLER_KEY} of ConfigMap/{names.SKUPPER_CONTROL} names it"
        return ActingController(named, why)
    deployment = snapshot.get("Deployment", names.SKUPPER_ROUTER)
    if deployment is not None and not is_going(deployment) and is_of_v2(deployment):
        return ActingController(
            "Skupper's controller", f"its Deployment/{names.SKUPPER_ROUTER} is in this namespace"
        )
    for name, site in sorted(snapshot.of("Site").items()):
        other = part(site, "status", "controller", "name")
        if isinstance(other, str) and other not in ("", names.ROUTER):
            return ActingController(other[:253], f"the status of Site/{name} names it")
    return ActingController()


def named_controller(claim: Object | None, namespace: str) -> str:
    """The controller that ConfigMap ``skupper`` names; empty: none. Ours has two spellings."""
    text = part(claim, "data", names.CONTROLLER_KEY)
    named = text.strip() if isinstance(text, str) else ""
    return names.ROUTER if named == f"{namespace}/{names.ROUTER}" else named


def is_of_v2(deployment: Object) -> bool:
    """Whether it is of Skupper v2; v1's has the same name and reads none of these objects."""
    owners = metadata(deployment).get("ownerReferences")
    return labels(deployment).get(names.SKUPPER_TYPE) == "site" or any(
        isinstance(owner, dict) and owner.get("kind") == "Site"
        for owner in (owners if isinstance(owners, list) else ())
    )
