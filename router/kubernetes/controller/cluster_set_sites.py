"""A site in each namespace that takes part in a cluster set, linked to the cluster's own site.

The cluster's site is the one in the controller's namespace. Its ConfigMap ``skupper-site`` switches
this on by annotation `names.MCS_NAMESPACES`, which selects namespaces by their labels. Links to
other clusters are made by hand, once, between the clusters' sites.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from certs import claims
from certs.authority import Authority
from certs.errors import CertError
from certs.tokens import Token
from router.kubernetes.client.errors import NOT_FOUND, ApiError
from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs import identity
from router.kubernetes.codecs import token as token_secrets
from router.kubernetes.codecs.secrets import SecretError, grant_name, link_name
from router.kubernetes.objects import findings, names, selectors
from router.kubernetes.objects.addresses import LINK_PORT
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import (
    Object,
    annotations,
    is_going,
    labels,
    metadata,
    name_of,
    part,
)
from router.kubernetes.objects.selectors import Selector
from router.model import limits
from router.model.errors import ConfigError

LINK: Final = "cluster"
"""The link of each such site, and the Secret with its token."""
EVERY: Final = "all"
_SYSTEM_PREFIX: Final = "kube-"
_PART_CHARS: Final = 24
_DIGEST_CHARS: Final = 8


class Objects(Protocol):
    """The part of `Api` that is used here."""

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """The object, or None."""
        ...

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        """ApiError 409: there is one."""
        ...

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        """False: there was none."""
        ...


class ClusterSite(msgspec.Struct, frozen=True):
    """The cluster's site. ``selector`` None: every namespace but those of Kubernetes."""

    namespace: str
    name: str
    selector: Selector | None

    def members(self, namespaces: Iterable[Object]) -> frozenset[str]:
        """The namespaces that take part, by their objects."""
        return frozenset(
            name_of(each) for each in namespaces if not is_going(each) and self._has(each)
        )

    def _has(self, namespace: Object) -> bool:
        name = name_of(namespace)
        if name == self.namespace:
            return False
        if self.selector is None:
            return not name.startswith(_SYSTEM_PREFIX)
        return self.selector.matches(labels(namespace))


def cluster_site(found: Object | None, namespace: str) -> ClusterSite | ConfigError | None:
    """What ConfigMap ``skupper-site`` of the controller's ``namespace`` says. None: it is off."""
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
            "it is no label selector, so no namespace takes part in the cluster set by it",
            f"Write a selector of namespaces, such as team=shop, or {EVERY}",
            findings.ANNOTATION_VALUE,
        )
        return noted.errors[0]
    return ClusterSite(namespace, named, selector)


def is_made(site: Object) -> bool:
    """Whether we made this ConfigMap ``skupper-site`` for a namespace that takes part."""
    return labels(site).get(names.MCS_SITE_LABEL) == "true"


def site_config_map(namespace: str, cluster: ClusterSite) -> dict[str, Any]:
    """ConfigMap ``skupper-site`` of a namespace that takes part."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.SITE_CONFIGMAP,
            "labels": {
                **names.PART_OF,
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.MCS_SITE_LABEL: "true",
            },
        },
        "data": {
            "name": _short(f"{cluster.name}-{namespace}"),
            "ingress": "none",
            "mcs": "true",
            "service-sync": "false",
        },
    }


def claim_name(namespace: str) -> str:
    """The claim that the cluster's site grants to the site of ``namespace``."""
    return f"mcs-{_short(namespace)}"


class ClusterSetSites:
    """Makes and links the sites. ``clock``: Unix seconds."""

    def __init__(self, api: Objects, clock: Callable[[], float] = time.time) -> None:
        self._api, self._clock = api, clock

    async def make(self, namespace: str, cluster: ClusterSite) -> None:
        """The ConfigMap, of which the controller makes the site. ApiError 409: there is one."""
        await self._api.create(site_config_map(namespace, cluster), namespace=namespace)

    async def link(self, namespace: str, site: Object, cluster: ClusterSite) -> None:
        """Link the site of ConfigMap ``site`` to the cluster's, if it is not.

        ApiError 404: the cluster's site has no identity or address yet.
        """
        found = await self._api.find("Secret", LINK, namespace=namespace)
        if found is not None and not await self._is_in_vain(found, namespace):
            return
        drafted = await self._draft(namespace, cluster)
        name = grant_name(drafted.name)
        await self._api.delete("Secret", name, namespace=cluster.namespace)
        grant, token = claims.new_grant(drafted)
        await self._api.create(grants.secret(grant), namespace=cluster.namespace)
        if found is not None:
            uid = str(metadata(found).get("uid", ""))
            await self._api.delete("Secret", LINK, uid=uid, namespace=namespace)
        await self._api.create(_owned(token_secrets.secret(token, LINK), site), namespace=namespace)

    async def forget(self, namespace: str, cluster: ClusterSite) -> None:
        """Delete what the cluster's site keeps of the claim of a site that is gone."""
        name = grant_name(claim_name(namespace))
        await self._api.delete("Secret", name, namespace=cluster.namespace)

    async def _is_in_vain(self, found: Object, namespace: str) -> bool:
        """Whether a token expired before its site redeemed it."""
        try:
            expires_at = token_secrets.decode(found).expires_at
        except CertError:
            return False  # A user wrote their own.
        if self._clock() < expires_at:
            return False
        return await self._api.find("Secret", link_name(LINK), namespace=namespace) is None

    async def _draft(self, namespace: str, cluster: ClusterSite) -> Token:
        secret = await self._api.find("Secret", names.IDENTITY_SECRET, namespace=cluster.namespace)
        service = await self._api.find("Service", names.ROUTER, namespace=cluster.namespace)
        address = part(service, "spec", "clusterIP") if service is not None else None
        if secret is None or not isinstance(address, str) or address in ("", "None"):
            message = f"the cluster's site in namespace {cluster.namespace} is not ready to link"
            raise ApiError(NOT_FOUND, "NotFound", message)
        try:
            authority = Authority.of_state(identity.ca(secret), identity.SOURCE)
            site_id = identity.site_id(secret)
        except (CertError, SecretError) as error:
            raise ApiError(NOT_FOUND, "NotFound", str(error)) from error
        return Token(
            kind="claim",
            name=claim_name(namespace),
            site_id=site_id,
            site_name=cluster.name,
            endpoints=((address, LINK_PORT),),
            ca_pem=authority.trusted_pem,
            expires_at=claims.claim_expires_at(self._clock()),
        )


def _owned(made: Mapping[str, Any], site: Object) -> dict[str, Any]:
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": name_of(site),
        "uid": str(metadata(site).get("uid", "")),
    }
    return {**made, "metadata": {**made["metadata"], "ownerReferences": [owner]}}


def _short(text: str) -> str:
    """``text`` as a name, cut and with a digest where it is long."""
    if len(text) <= limits.NAME_CHARS_MAX - 8:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{text[:_PART_CHARS].rstrip('-')}-{digest}"
