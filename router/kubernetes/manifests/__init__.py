"""Manifests: the objects of a site, of a sidecar and of the site controller. Pure.

In: `SiteOptions` (the keys of ConfigMap ``skupper-site``), an image, a namespace. Out: objects, in
the order in which to apply them, and the options that could not be used.

There is one renderer for `sitectl init`, the site controller, and the files in ``deploy/``
(``python -m deploy`` writes them), so that they cannot differ.

Invariants: every container meets the restricted pod security standard, sets requests and limits,
and is probed only for its own health; any user id works; permissions are those of a namespace's
administrator (`rights`). Fields that the API would fill in are set where leaving them out would
look like a change.
"""

from router.kubernetes.manifests.access import ingress_kind
from router.kubernetes.manifests.console import CONSOLE_KINDS
from router.kubernetes.manifests.controller import CONTROLLER, WATCH_NAMESPACE, controller_objects
from router.kubernetes.manifests.image import IMAGE
from router.kubernetes.manifests.parts import PROBES_PORT, SIDECAR_PROBES_PORT
from router.kubernetes.manifests.sidecar import Sidecar, SidecarService, sidecar, token_secret
from router.kubernetes.manifests.site import (
    OPTIONAL_KINDS,
    Rendered,
    config_map,
    headless_objects,
    multicluster_objects,
    multicluster_role,
    owned,
    render,
    runs_routers,
    site_objects,
    skupper2_objects,
    skupper2_roles,
)

__all__ = [
    "CONSOLE_KINDS",
    "CONTROLLER",
    "IMAGE",
    "OPTIONAL_KINDS",
    "PROBES_PORT",
    "SIDECAR_PROBES_PORT",
    "WATCH_NAMESPACE",
    "Rendered",
    "Sidecar",
    "SidecarService",
    "config_map",
    "controller_objects",
    "headless_objects",
    "ingress_kind",
    "multicluster_objects",
    "multicluster_role",
    "owned",
    "render",
    "runs_routers",
    "sidecar",
    "site_objects",
    "skupper2_objects",
    "skupper2_roles",
    "token_secret",
]
