"""The namespaces of a cluster that take part in its cluster set, as far as they are known."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from router.kubernetes.controller.controller_findings import REFUSED
from router.kubernetes.objects import findings, names, selectors
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object, annotations, is_going, labels, name_of, part
from router.kubernetes.objects.selectors import Selector
from router.model.errors import ConfigError

EVERY: Final = "all"
_SYSTEM_PREFIX: Final = "kube-"


class ClusterSite(msgspec.Struct, frozen=True):
    """The cluster's site. ``selector`` None: every namespace but those of Kubernetes."""

    namespace: str
    name: str
    selector: Selector | None

    def members(self, namespaces: Iterable[Object]) -> frozenset[str]:
        """The names of the namespaces that take part, given all namespace objects."""
        return frozenset(name_of(each) for each in namespaces if self.has(each))

    def has(self, namespace: Object) -> bool:
        """Whether the namespace takes part."""
        name = name_of(namespace)
        if name == self.namespace or is_going(namespace):
            return False
        if self.selector is None:
            return not name.startswith(_SYSTEM_PREFIX)
        return self.selector.matches(labels(namespace))


def cluster_site(found: Object | None, namespace: str) -> ClusterSite | ConfigError | None:
    """The cluster's site, from ConfigMap ``skupper-site`` of the controller's ``namespace``.

    None: the cluster set is off.
    """
    text = annotations(found).get(names.MCS_NAMESPACES) if found is not None else None
    if found is None or text is None:
        return None
    name = part(found, "data", "name")
    named = name if isinstance(name, str) and name else namespace
    if text.strip() == EVERY:
        return ClusterSite(namespace, named, None)
    selector = selectors.parse(text)
    if selector is None or not selector.terms:
        noted = ObjectFindings(f"ConfigMap/{names.SITE_CONFIGMAP}")
        noted.add(
            f"metadata.annotations.{names.MCS_NAMESPACES}",
            "it is not a label selector, so the controller neither makes nor deletes sites of the "
            "cluster set",
            f"Write a selector of namespaces, such as team=shop, or {EVERY}",
            findings.ANNOTATION_VALUE,
        )
        return noted.errors[0]
    return ClusterSite(namespace, named, selector)


class Membership(msgspec.Struct, frozen=True):
    """The namespaces that take part, as far as known: ``site`` applied to ``namespaces`` (by name).

    ``site`` is `cluster_site` of the newest ConfigMap. ``namespaces`` None: they were never listed.
    """

    site: ClusterSite | ConfigError | None
    namespaces: Mapping[str, Object] | None

    def members(self) -> frozenset[str]:
        """The namespaces that certainly take part."""
        if not isinstance(self.site, ClusterSite) or self.namespaces is None:
            return frozenset()
        return self.site.members(self.namespaces.values())

    def site_for(self, namespace: str) -> ClusterSite | None:
        """The cluster's site, if the namespace certainly takes part."""
        found = (self.namespaces or {}).get(namespace)
        if not isinstance(self.site, ClusterSite) or found is None:
            return None
        return self.site if self.site.has(found) else None

    def has_left(self, namespace: str) -> bool:
        """Whether the namespace certainly takes no part; then a site made for it may go."""
        if self.site is None:
            return True
        found = (self.namespaces or {}).get(namespace)
        return isinstance(self.site, ClusterSite) and found is not None and not self.site.has(found)

    def problem(self) -> ConfigError | None:
        """Why the members are not known."""
        if not isinstance(self.site, ClusterSite):
            return self.site
        if self.namespaces is not None:
            return None
        noted = ObjectFindings(f"ConfigMap/{names.SITE_CONFIGMAP}")
        noted.annotation(
            names.MCS_NAMESPACES,
            "the controller cannot list Namespaces, so it neither makes nor deletes sites of the "
            "cluster set",
            "Let the controller get, list and watch Namespaces: compare its ClusterRole with "
            "docs/kubernetes-deploy.md",
            REFUSED,
        )
        return noted.errors[0]
