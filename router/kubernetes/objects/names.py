"""Names, labels and annotations of objects: Skupper v1's, which are read unchanged, and our own.

All of them are promises to users (docs/kubernetes-objects.md) and are never renamed.
"""

from typing import Final

# Ours: objects of a site. All begin with spillway-, so that a site can run beside Skupper's.
ROUTER: Final = "spillway-router"
"""Name of most objects of a site.

Deployment, ServiceAccount, Role, RoleBinding, PodDisruptionBudget, NetworkPolicy, Lease, and the
Service of the link port.
"""
IDENTITY_SECRET: Final = "spillway-identity"
"""Keys: identity.key, ca.key, ca.crt."""
REVOKED_SECRET: Final = "spillway-revoked"
GRANT_PREFIX, LINK_PREFIX = "spillway-grant-", "spillway-link-"
ADMITTED_PREFIX: Final = "spillway-admitted-"
"""Prefix of Secrets with the sites that may link here, by the first digit of their ids."""
PROXY_PREFIX: Final = "spillway-proxy-"
"""Prefixes of Secrets: a granted claim; a link's redeemed credential; a proxy's login."""
ROUTER_CONTAINER: Final = "router"
"""The router's container in its pod; a mesh may add others."""
CONSOLE: Final = "spillway-console"
"""Name of the console's Service, Route and Ingress."""
CONSOLE_USERS_SECRET: Final = "skupper-console-users"
"""Shared with Skupper v1: each key is a user, its value the password."""
BURSTS_SECRET: Final = "spillway-bursts"
"""The last results of burst hooks."""
IN_FORCE_SECRET: Final = "spillway-in-force"
"""The documents in force of wrong objects, until those are right."""
STATUS_CONFIGMAP: Final = "spillway-status"
OWNERS_CONFIGMAP: Final = "spillway-owners"
"""The owner of each service name."""
MESH_CONFIGMAP: Final = "spillway-mesh"
"""Objects that `sitectl mesh apply` made in the namespace from a mesh file."""
MIGRATION_CONFIGMAP: Final = "spillway-migration"
"""By address: the state that `sitectl migrate` took from Skupper, for a rollback."""
DOCUMENT_PREFIX: Final = "spillway-"
"""Prefix of ConfigMaps that `sitectl` writes: spillway-KIND-NAME with the key KIND-NAME.yaml."""

PART_OF: Final = {"app.kubernetes.io/part-of": "spillway"}
MANAGED_BY_LABEL, MANAGED_BY = "app.kubernetes.io/managed-by", "spillway"
FIELD_MANAGER: Final = "spillway"
"""Field manager of the fields that routers write."""
COMPONENT_LABEL: Final = "spillway.dev/component"
COMPONENT_ROUTER: Final = "router"
"""COMPONENT_LABEL=COMPONENT_ROUTER selects the routers of the namespace's site."""
DOCUMENTS_LABEL, DOCUMENTS = "spillway.dev/documents", "true"
"""On ConfigMaps whose values are documents (any key that ends in .yaml)."""
TYPE_LABEL: Final = "spillway.dev/type"
"""On our Secrets: identity, revoked, admitted, grant, link, in-force; on users': proxy, tls."""
SERVICE_LABEL: Final = "spillway.dev/service"
"""On Services that lead to the routers: the network's service."""
CLUSTERSET_LABEL: Final = "spillway.dev/clusterset"
"""On ServiceImports and derived Services that we made: the network's name of the service."""
MCS_NAMESPACES: Final = "spillway.dev/mcs-namespaces"
"""On ConfigMap ``skupper-site`` in the site controller's namespace: the members of a cluster set.

A selector of namespaces, or ``all``. The controller makes their sites.
"""
MCS_SITE_LABEL: Final = "spillway.dev/mcs-site"
"""``true`` on a ConfigMap ``skupper-site`` that the site controller made for such a namespace."""
V2_SITE_LABEL: Final = "spillway.dev/skupper-v2-site"
"""``true`` on a ConfigMap ``skupper-site`` that the site controller made from a v2 Site."""
ACCESS_OF: Final = "spillway.dev/access-of"
"""On Secrets and Links made from an AccessGrant or AccessToken: its UID."""
BURST_LABEL: Final = "spillway.dev/burst"
"""On an object that a burst hook made: the name of the Burst."""
ORIGINAL: Final = "spillway.dev/original"
"""On an adopted Service: its original state, as JSON, to be restored."""
MADE: Final = "spillway.dev/made"
"""On a Service or EndpointSlice that we made: its inner ports and our labels and annotations.

As JSON.
"""

APPLIED: Final = "spillway.dev/applied"
"""On objects of the site controller: a digest of the applied content."""

VERSION: Final = "spillway.dev/version"
"""On every object of a site or site controller: the version that rendered it."""

CAPACITY, POLICY, QUEUE = "spillway.dev/capacity", "spillway.dev/policy", "spillway.dev/queue"
WEIGHTS: Final = "spillway.dev/weights"
SPILL_AT: Final = "spillway.dev/spill-at"
"""On workloads, Services and Pods (capacity), on workloads and Services (the others)."""
RESUME, WINDOW = "spillway.dev/resume", "spillway.dev/window"
SITE_CAPACITY, SPILL = "spillway.dev/site-capacity", "spillway.dev/spill"
"""On workloads and Services: the site's capacity, and settings of a rate.

The rate is that of the site if it has one, else that of the targets.
"""
RESERVE_FOR_OWN, MAX_SHARE = "spillway.dev/reserve-for-own", "spillway.dev/max-share"
"""On workloads and Services: shares of the site's slots for its own clients, and per neighbor."""
EXPORT_TO, IMPORT_FROM = "spillway.dev/export-to", "spillway.dev/import-from"
"""On workloads and Services: sites to which the service is offered, and from which it is taken."""
SERVICE_SETTINGS, CONNECTOR_SETTINGS = "spillway.dev/service-spec", "spillway.dev/connector-spec"
"""On workloads and Services: further fields of the Service and Connector document, as YAML."""
CLUSTER_IP: Final = "spillway.dev/cluster-ip"
"""On a ConfigMap of documents: the address for its Services, if it is free."""
LINK_PROXY, LINK_PROXY_SECRET = "spillway.dev/link-proxy", "spillway.dev/link-proxy-secret"
"""On a token's Secret: the HTTP proxy of its link, and the Secret with its password."""
MIGRATED: Final = "spillway.dev/migrated"
"""``true`` on an annotated object: ours, though Skupper runs in the same namespace."""
CONTROLLER_BEFORE: Final = "spillway.dev/controller-before"
"""On ConfigMap `SKUPPER_CONTROL` during a migration: its former controller; empty: none."""
FILLED: Final = "spillway.dev/filled"
"""On a filled token request: its UID. A copy has another one."""
PREFIX: Final = "spillway.dev/"

# Skupper v1's (skupper 1.9.6: api/types/types.go).
SITE_CONFIGMAP: Final = "skupper-site"
SERVICES_CONFIGMAP: Final = "skupper-services"
SKUPPER_ROUTER: Final = "skupper-router"
SKUPPER_SERVICE_CONTROLLER: Final = "skupper-service-controller"
SKUPPER_PREFIX: Final = "skupper.io/"
GENERATED_BY: Final = "skupper.io/generated-by"
SITE_VERSION: Final = "skupper.io/site-version"
SKUPPER_TYPE: Final = "skupper.io/type"
TOKEN_CLAIM, CONNECTION_TOKEN = "token-claim", "connection-token"
CONNECTION_TOKEN_REQUEST: Final = "connection-token-request"
COST: Final = "skupper.io/cost"
DISABLED: Final = "internal.skupper.io/disabled"
SITE_CONTROLLER_IGNORE: Final = "internal.skupper.io/site-controller-ignore"
SKUPPER_CONTROLLED: Final = "internal.skupper.io/controlled"
SKUPPER_ORIGINAL_SELECTOR: Final = "internal.skupper.io/originalSelector"
SKUPPER_ORIGINAL_PORT: Final = "internal.skupper.io/originalTargetPort"
SKUPPER_ASSIGNED_PORT: Final = "internal.skupper.io/originalAssignedPort"
SKUPPER_CONTROL, CONTROLLER_KEY = "skupper", "controller"
"""The ConfigMap of Skupper v2, and its key, that names the namespace's controller.

`ROUTER`: Spillway acts on the objects.
"""
SKUPPER_CONTROLLER: Final = "skupper-controller"
"""The Deployment of Skupper v2's controller, as named in its manifests and chart."""
CONTROLLER_FROZEN: Final = "spillway-migration"
"""As the named controller, it keeps every controller of Skupper out of the namespace."""
SKUPPER_LISTENER: Final = "internal.skupper.io/listener"
"""On Services that Skupper v2 makes for the hosts of Listeners."""
PROXY, ADDRESS, PORT = "skupper.io/proxy", "skupper.io/address", "skupper.io/port"
TARGET, INGRESS, INGRESS_ONLY = "skupper.io/target", "skupper.io/ingress", "skupper.io/ingress-only"
HEADLESS: Final = "skupper.io/headless"
SERVICE_LABELS, SERVICE_ANNOTATIONS = "skupper.io/service-labels", "skupper.io/service-annotations"
TLS_CERT, TLS_TRUST = "skupper.io/tls-cert", "skupper.io/tls-trust"
EXCLUDE_ANNOTATIONS, EXCLUDE_LABELS = (
    "skupper.io/exclude-annotations",
    "skupper.io/exclude-labels",
)
