"""Every kind and field of Skupper v2, and its effect here, in one table.

An empty reason means that `translate` uses the field. Any other text is the note for the user: why
the field has no effect, or what to do instead. Fields that are not in the table are unknown.
"""

from collections.abc import Mapping
from typing import Final

USED: Final = ""
_OWN_CA: Final = "a site signs with its own CA and never with one that others hold"
_OBSERVER: Final = (
    "connections are carried as they are and never parsed; for figures of HTTP requests declare "
    "the service with protocol http"
)
_SETTINGS: Final = "these settings are Skupper's own"
_GENERATED: Final = "the router has certificates of its own"

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Site": {
        "linkAccess": USED,
        "ha": USED,
        "edge": USED,
        "serviceAccount": "the router runs as its own ServiceAccount",
        "defaultIssuer": _OWN_CA,
        "settings": _SETTINGS,
    },
    "Link": {
        "endpoints": USED,
        "tlsCredentials": USED,
        "cost": USED,
        "settings": USED,
    },
    "AccessToken": {"url": USED, "code": USED, "ca": USED, "linkCost": USED, "settings": _SETTINGS},
    "AccessGrant": {
        "redemptionsAllowed": USED,
        "expirationWindow": USED,
        "code": USED,
        "issuer": _OWN_CA,
        "settings": _SETTINGS,
    },
    "RouterAccess": {
        "roles": USED,
        "bindHost": USED,
        "subjectAlternativeNames": USED,
        "tlsCredentials": _GENERATED,
        "generateTlsCredentials": _GENERATED,
        "issuer": _OWN_CA,
        "accessType": "how a site is reached is an option of the site: sitectl init --ingress",
        "settings": _SETTINGS,
    },
    "Listener": {
        "routingKey": USED,
        "host": USED,
        "port": USED,
        "type": USED,
        "tlsCredentials": USED,
        "exposePodsByName": USED,
        "observer": _OBSERVER,
        "settings": _SETTINGS,
    },
    "Connector": {
        "routingKey": USED,
        "port": USED,
        "selector": USED,
        "host": USED,
        "type": USED,
        "includeNotReadyPods": USED,
        "tlsCredentials": USED,
        "useClientCert": USED,
        "verifyHostname": USED,
        "exposePodsByName": USED,
        "settings": _SETTINGS,
    },
    "MultiKeyListener": {
        "host": USED,
        "port": USED,
        "strategy": USED,
        "tlsCredentials": USED,
        "requireClientCert": USED,
        "observer": _OBSERVER,
        "settings": _SETTINGS,
    },
    "AttachedConnector": {
        "siteNamespace": USED,
        "selector": USED,
        "port": USED,
        "tlsCredentials": USED,
        "useClientCert": USED,
        "type": USED,
        "includeNotReadyPods": USED,
        "settings": _SETTINGS,
    },
    "AttachedConnectorBinding": {
        "connectorNamespace": USED,
        "routingKey": USED,
        "exposePodsByName": USED,
        "settings": _SETTINGS,
    },
}
REQUIRE_CLIENT_CERT: Final = "requireClientCert"
"""A setting of a Listener, which Skupper ignores; a MultiKeyListener has a field of that name."""
USED_SETTINGS: Final = frozenset(
    {("Link", "proxy-configuration"), ("Listener", REQUIRE_CLIENT_CERT)}
)
INTERNAL: Final = ("SecuredAccess", "Certificate")
"""Kinds that Skupper's controller creates for itself."""
ALIASES: Final = {
    "routerLogging": "router-logging",
    "routerDataConnections": "router-data-connection-count",
}
"""Settings of a Site as the CRD's text spells them, and as Skupper's code reads them."""
SITE_SETTINGS: Final = {
    "router-logging": "set it with: sitectl update --router-logging",
    "router-data-connection-count": "a link opens as many connections as it needs",
    "disable-anti-affinity": "set it with: sitectl update --router-pod-antiaffinity",
    "size": "the ConfigMap of sizes is in another namespace; set what the router takes with: "
    "sitectl update --router-cpu CPU --router-memory MEMORY",
    "tls-prior-valid-revisions": "certificates renew themselves; the CA is rotated with: sitectl "
    "ca rotate",
    "ingressClassName": "set it with: sitectl init --ingress-annotations",
}
"""Why each has no effect, and how to get the same result."""
