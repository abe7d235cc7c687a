"""A site in each namespace that takes part in a cluster set, linked to the cluster's own site.

The cluster's site is the one in the controller's namespace. Annotation `names.MCS_NAMESPACES` on
its ConfigMap ``skupper-site`` turns this on and selects namespaces by their labels. Links to other
clusters are made by hand, once, between the clusters' sites.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from certs.ca.authority import Authority
from certs.errors import CertError
from certs.joining import claims
from certs.token_files.tokens import Token
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import CONFLICT, NOT_FOUND, ApiError
from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs import identity
from router.kubernetes.codecs import token as token_secrets
from router.kubernetes.codecs.secrets import SecretError, grant_name, link_name
from router.kubernetes.controller.cluster_set_membership import (
    ClusterSite,
    Membership,
    cluster_site,
)
from router.kubernetes.objects import findings, names
from router.kubernetes.objects.addresses import LINK_PORT
from router.kubernetes.objects.objects import Object, labels, name_of, part, reference, uid_of
from router.model import limits
from router.model.errors import ConfigError

LINK: Final = "spillway-cluster"
"""Name of the link of each such site, and of the Secret with its token."""
_PART_CHARS: Final = 24
_DIGEST_CHARS: Final = 8


def is_made(site: Object) -> bool:
    """Whether the controller made this ConfigMap ``skupper-site`` for a member namespace."""
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
    """Name of the claim that the cluster's site grants to the site of ``namespace``."""
    return f"mcs-{_short(namespace)}"


class NotReadyToLink(ApiError):
    """The cluster's site has no identity or address yet."""


class ClusterSetSites:
    """Makes and links the sites. ``clock``: Unix seconds."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.time) -> None:
        self._api, self._clock = api, clock

    async def make(self, namespace: str, cluster: ClusterSite) -> None:
        """Create the ConfigMap from which the controller makes the site.

        ApiError 409: the namespace has one already.
        """
        await self._api.create(site_config_map(namespace, cluster), namespace=namespace)

    async def link(self, namespace: str, site: Object, cluster: ClusterSite) -> ConfigError | None:
        """Link the site of ConfigMap ``site`` to the cluster's site, unless it is linked.

        Returns an error if a foreign Secret has the link's name; that Secret stays as it is.
        NotReadyToLink: the cluster's site cannot be linked to yet.
        """
        found = await self._api.find("Secret", LINK, namespace=namespace)
        if found is not None:
            token = _our_token(found, namespace)
            if token is None:
                return _not_ours(namespace)
            if not await self._has_expired_unused(token, namespace):
                return None
        drafted = await self._draft(namespace, cluster)
        name = grant_name(drafted.name)
        await self._api.delete("Secret", name, namespace=cluster.namespace)
        grant, made = claims.new_grant(drafted)
        await self._api.create(grants.secret(grant), namespace=cluster.namespace)
        if found is not None:
            await self._api.delete("Secret", LINK, uid=uid_of(found), namespace=namespace)
        await self._api.create(_owned(token_secrets.secret(made, LINK), site), namespace=namespace)
        return None

    async def takes_links(self, cluster: ClusterSite) -> bool:
        """Whether the cluster's site can be linked to."""
        try:
            await self._draft(cluster.namespace, cluster)
        except NotReadyToLink:
            return False
        return True

    async def end(
        self, namespace: str, site: Object, place: str, namespaces: Mapping[str, Object] | None
    ) -> bool:
        """Delete the claim and ConfigMap ``site``, if the namespace really takes no part.

        Reads the ConfigMap of the cluster's site, in ``place``, again, because deleting a site
        deletes its identity. ApiError 409: by that ConfigMap the namespace takes part, or its part
        is unknown.
        """
        stated = await self._api.find("ConfigMap", names.SITE_CONFIGMAP, namespace=place)
        if not Membership(cluster_site(stated, place), namespaces).has_left(namespace):
            raise ApiError(CONFLICT, "Conflict", "the cluster's site has just changed")
        # First: without the annotation nothing triggers this again.
        await self.forget(namespace, place)
        return await self._api.delete(
            "ConfigMap", name_of(site), uid=uid_of(site), namespace=namespace
        )

    async def forget(self, namespace: str, place: str) -> None:
        """Delete the claim of a deleted site from ``place``, the cluster's site's namespace."""
        name = grant_name(claim_name(namespace))
        await self._api.delete("Secret", name, namespace=place)

    async def _has_expired_unused(self, token: Token, namespace: str) -> bool:
        """Whether the token expired before its site redeemed it."""
        if self._clock() < token.expires_at:
            return False
        return await self._api.find("Secret", link_name(LINK), namespace=namespace) is None

    async def _draft(self, namespace: str, cluster: ClusterSite) -> Token:
        secret = await self._api.find("Secret", names.IDENTITY_SECRET, namespace=cluster.namespace)
        service = await self._api.find("Service", names.ROUTER, namespace=cluster.namespace)
        address = part(service, "spec", "clusterIP") if service is not None else None
        if secret is None or not isinstance(address, str) or address in ("", "None"):
            message = f"the cluster's site in namespace {cluster.namespace} is not ready to link"
            raise NotReadyToLink(NOT_FOUND, "NotFound", message)
        try:
            authority = Authority.of_state(identity.ca(secret), identity.SOURCE)
            site_id = identity.site_id(secret)
        except (CertError, SecretError) as error:
            raise NotReadyToLink(NOT_FOUND, "NotFound", str(error)) from error
        return Token(
            kind="claim",
            name=claim_name(namespace),
            site_id=site_id,
            site_name=cluster.name,
            endpoints=((address, LINK_PORT),),
            ca_pem=authority.trusted_pem,
            expires_at=claims.claim_expires_at(self._clock()),
        )


def _our_token(found: Object, namespace: str) -> Token | None:
    """The claim that the controller made for the site of ``namespace``, if the Secret holds it."""
    try:
        token = token_secrets.decode(found)
    except CertError:
        return None
    return token if token.kind == "claim" and token.name == claim_name(namespace) else None


def _not_ours(namespace: str) -> ConfigError:
    return ConfigError(
        f"Secret/{LINK}",
        "",
        "it is not the token that the controller makes, so nothing links this site to the "
        "cluster's site",
        hint=f"Rename it, or delete it: kubectl -n {namespace} delete secret {LINK}",
        code=findings.TOKEN,
    )


def _owned(made: Mapping[str, Any], site: Object) -> dict[str, Any]:
    return {**made, "metadata": {**made["metadata"], "ownerReferences": [reference(site)]}}


def _short(text: str) -> str:
    """``text`` as a name; long text is cut and gets a digest."""
    if len(text) <= limits.NAME_CHARS_MAX - 8:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{text[:_PART_CHARS].rstrip('-')}-{digest}"
