"""Versions of a namespace's objects: their manager, their release, the changes of an update."""

from typing import Final

from router import __version__
from router.kubernetes.manifests.image import PULL_POLICIES, REPOSITORY, PullPolicy
from router.kubernetes.objects import names
from router.kubernetes.objects.applied import is_stamped
from router.kubernetes.objects.objects import Object, annotations, part
from router.model.errors import ConfigError
from sitectl.base import output
from sitectl.base.failure import Failure
from sitectl.base.options import Settings
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.site import KubernetesSite, kept_by

CONTROLLER: Final = "the site controller"


def version_of(found: Object | None) -> str:
    """The version that rendered an object; empty: none, or one that did not say so."""
    return annotations(found or {}).get(names.VERSION, "")


def keeper(deployment: Object | None) -> str:
    """Who makes a site's objects, and would undo what a verb writes; empty: `sitectl`."""
    if deployment is None:
        return ""
    return CONTROLLER if is_stamped(deployment) else kept_by(deployment)


def image_of(deployment: Object | None) -> str:
    """The image of a Deployment's routers."""
    return str(_router_container(deployment).get("image", ""))


def _router_container(deployment: Object | None) -> Object:
    containers = part(deployment or {}, "spec", "template", "spec", "containers")
    for container in containers if isinstance(containers, list) else []:
        if container.get("name") == "router":
            return dict(container)
    return {}


def kept_policy(deployment: Object | None) -> PullPolicy | None:
    """When its nodes pull, as it was chosen when the site was made; None: there is none."""
    policy = _router_container(deployment).get("imagePullPolicy")
    return next((known for known in PULL_POLICIES if known == policy), None)


def kept_image(deployment: Object | None) -> str:
    """The image that was chosen when the site was made; empty: ours, of some version."""
    image = image_of(deployment)
    return "" if image.startswith(f"{REPOSITORY}:") else image


def gap(made_by: str) -> str:
    """Why one does not go from ``made_by`` to this version at once; empty: one may.

    One minor version at a time, up or down: state and objects are read across one, not more.
    """
    one, other = _minor(made_by), _minor(__version__)
    if one is None or other is None or (one[0] == other[0] and abs(one[1] - other[1]) <= 1):
        return ""
    return (
        f"the site is of version {made_by}, this is {__version__}: versions are mixed only with "
        "the one before and the one after"
    )


def of_router(settings: Settings) -> dict[str, str | None]:
    """``version`` from the namespace's router, ``image`` of its Deployment; None: unknown."""
    found: dict[str, str | None] = {"version": None, "image": None}
    try:
        site = KubernetesSite.of(settings)
        found["image"] = image_of(router_of(site.cluster)) or None
        found["version"] = site.admin.get("/api/v1/status").get("version")
    except (Failure, ConfigError) as error:
        output.note(str(error))
    return found


def _minor(version: str) -> tuple[int, int] | None:
    numbers = version.split(".")[:2]
    if len(numbers) < 2 or not all(word.isascii() and word.isdecimal() for word in numbers):
        return None
    return int(numbers[0]), int(numbers[1])


def router_of(cluster: Cluster) -> Object | None:
    """The Deployment of the site's routers."""
    return cluster.find("Deployment", names.ROUTER)
