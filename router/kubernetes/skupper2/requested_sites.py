"""The site that a Site of Skupper v2 asks for, in the form of ConfigMap ``skupper-site``."""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.documents.skupper2 import SiteRequest, parse_object, translate
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    created_at,
    is_going,
    labels,
    name_of,
    part,
    shown,
)
from router.kubernetes.skupper2.controller_choice import controller_of, named_controller
from router.model.errors import ConfigError


class RequestedSite(msgspec.Struct, frozen=True):
    """A site for the namespace of ``site``. ``config_map`` None: ``errors`` have the reasons."""

    site: Object
    config_map: Mapping[str, Any] | None
    errors: tuple[ConfigError, ...] = ()


def is_of_site(config_map: Object | None) -> bool:
    """Whether the site controller made this ConfigMap ``skupper-site`` from a Site."""
    return config_map is not None and labels(config_map).get(names.V2_SITE_LABEL) == "true"


def requested_config_map(request: SiteRequest) -> dict[str, Any]:
    """ConfigMap ``skupper-site`` for the site of ``request``.

    Without service sync: in v2 a site listens only for the services that its Listeners name.
    """
    return {
        "kind": "ConfigMap",
        "metadata": {"name": names.SITE_CONFIGMAP},
        "data": {
            "name": request.name,
            "ingress": request.ingress,
            "router-mode": "edge" if request.edge else "interior",
            "routers": str(request.routers),
            "service-sync": "false",
        },
    }


def site_wish(snapshot: Snapshot, *, openshift: bool, explicit: bool) -> RequestedSite | None:
    """The site that the oldest Site of ``snapshot`` asks for; None: it is not ours to make.

    ``snapshot`` also has the objects that `controller_of` reads. ``explicit``: only if ConfigMap
    ``skupper`` names Spillway, since a controller of Skupper takes all other namespaces.
    """
    found = sorted(
        (one for one in snapshot.of("Site").values() if not is_going(one)),
        key=lambda one: (created_at(one), name_of(one)),
    )
    if not found or controller_of(snapshot).other:
        return None
    site = found[0]
    claim = snapshot.get("ConfigMap", names.SKUPPER_CONTROL)
    if explicit and named_controller(claim, snapshot.namespace) != names.ROUTER:
        return None
    if labels(site).get(names.SITE_CONTROLLER_IGNORE) == "true":
        return None
    taken = parse_object(site, shown(site))
    read = translate([] if taken is None else [taken], "namespace")
    if read.site is None:
        return RequestedSite(site, None, read.errors)
    request = read.site
    if openshift and part(site, "spec", "linkAccess") == "default":
        request = msgspec.structs.replace(request, ingress="route")
    made = requested_config_map(request)
    marked = {
        **names.PART_OF,
        names.MANAGED_BY_LABEL: names.MANAGED_BY,
        names.V2_SITE_LABEL: "true",
    }
    head = {**made["metadata"], "labels": marked}
    return RequestedSite(site, {"apiVersion": "v1", **made, "metadata": head})
