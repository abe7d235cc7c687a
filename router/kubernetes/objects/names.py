"""Names, labels and annotations of objects: Skupper v1's that are read as they are, and our own.

All of them are promises to users (docs/kubernetes-objects.md), none is ever renamed.
"""

from typing import Final

# Ours: objects of a site. All begin with spillway-, so that a site runs beside Skupper's.
ROUTER: Final = "spillway-router"
"""Deployment, ServiceAccount, Role, RoleBinding, PodDisruptionBudget, NetworkPolicy, Lease, and
the Service of the link port."""
IDENTITY_SECRET: Final = "spillway-identity"
"""identity.key, ca.key, ca.crt."""
REVOKED_SECRET: Final = "spillway-revoked"
GRANT_PREFIX, LINK_PREFIX = "spillway-grant-", "spillway-link-"
ADMITTED_PREFIX: Final = "spillway-admitted-"
"""Secrets: who may link here, by the first digit of the sites' ids."""
PROXY_PREFIX: Final = "spillway-proxy-"
"""Secrets: a claim that was granted; the credential that a link's claim was redeemed for."""
CONSOLE: Final = "spillway-console"
"""Service, Route and Ingress of the console."""
CONSOLE_USERS_SECRET: Final = "skupper-console-users"
"""As of Skupper v1, and shared with it: each key a user, its value the password."""
BURSTS_SECRET: Final = "spillway-bursts"
"""What burst hooks did last."""
STATUS_CONFIGMAP: Final = "spillway-status"
OWNERS_CONFIGMAP: Final = "spillway-owners"
MESH_CONFIGMAP: Final = "spillway-mesh"
"""What a mesh file made in the namespace, by `sitectl mesh apply`."""
"""Which site owns which name of a service."""
MIGRATION_CONFIGMAP: Final = "spillway-migration"
"""By address: what `sitectl migrate` took from Skupper, to be put back."""
DOCUMENT_PREFIX: Final = "spillway-"
"""ConfigMaps that `sitectl` writes: spillway-KIND-NAME with the one key KIND-NAME.yaml."""

PART_OF: Final = {"app.kubernetes.io/part-of": "spillway"}
MANAGED_BY_LABEL, MANAGED_BY = "app.kubernetes.io/managed-by", "spillway"
FIELD_MANAGER: Final = "spillway"
"""By what name the API server notes the fields that routers write."""
COMPONENT_LABEL: Final = "spillway.dev/component"
COMPONENT_ROUTER: Final = "router"
"""COMPONENT_LABEL=COMPONENT_ROUTER selects the routers of the namespace's site."""
DOCUMENTS_LABEL, DOCUMENTS = "spillway.dev/documents", "true"
"""On ConfigMaps whose values are documents (any key that ends in .yaml)."""
TYPE_LABEL: Final = "spillway.dev/type"
"""On Secrets of ours: identity, revoked, admitted, grant, link; on users': proxy, tls."""
SERVICE_LABEL: Final = "spillway.dev/service"
"""On Services that lead to the routers: the network's service."""
BURST_LABEL: Final = "spillway.dev/burst"
"""On an object that a burst hook made: the name of the Burst."""
ORIGINAL: Final = "spillway.dev/original"
"""On a Service that was adopted: what it had before, as JSON, to be restored."""
MADE: Final = "spillway.dev/made"
"""On a Service or EndpointSlice that we made: as JSON its inner ports and which labels and
annotations are ours."""

APPLIED: Final = "spillway.dev/applied"
"""On what the site controller made: a digest of what it asked for."""

VERSION: Final = "spillway.dev/version"
"""On every object that a site or a site controller consists of: the version that rendered it."""

CAPACITY, POLICY, QUEUE = "spillway.dev/capacity", "spillway.dev/policy", "spillway.dev/queue"
WEIGHTS: Final = "spillway.dev/weights"
SPILL_AT: Final = "spillway.dev/spill-at"
"""On workloads, Services and Pods (capacity), on workloads and Services (the others)."""
RESUME, WINDOW = "spillway.dev/resume", "spillway.dev/window"
SITE_CAPACITY, SPILL = "spillway.dev/site-capacity", "spillway.dev/spill"
"""On workloads and Services: what the site takes, and what stands beside a rate, that of the site
if it has one, else that of the targets."""
EXPORT_TO, IMPORT_FROM = "spillway.dev/export-to", "spillway.dev/import-from"
"""On workloads and Services: sites that the service is offered to, and that it is taken from."""
SERVICE_SETTINGS, CONNECTOR_SETTINGS = "spillway.dev/service-spec", "spillway.dev/connector-spec"
"""On workloads and Services: further fields of the Service and Connector document, as YAML."""
CLUSTER_IP: Final = "spillway.dev/cluster-ip"
"""On a ConfigMap of documents: the address that its Services shall have, if it is free."""
LINK_PROXY, LINK_PROXY_SECRET = "spillway.dev/link-proxy", "spillway.dev/link-proxy-secret"
"""Of a token's Secret: the HTTP proxy of its link, and the Secret with its password."""
MIGRATED: Final = "spillway.dev/migrated"
"""``true`` on an annotated object: ours, though Skupper runs in the same namespace."""
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
PROXY, ADDRESS, PORT = "skupper.io/proxy", "skupper.io/address", "skupper.io/port"
TARGET, INGRESS, INGRESS_ONLY = "skupper.io/target", "skupper.io/ingress", "skupper.io/ingress-only"
HEADLESS: Final = "skupper.io/headless"
SERVICE_LABELS, SERVICE_ANNOTATIONS = "skupper.io/service-labels", "skupper.io/service-annotations"
TLS_CERT, TLS_TRUST = "skupper.io/tls-cert", "skupper.io/tls-trust"
EXCLUDE_ANNOTATIONS, EXCLUDE_LABELS = (
    "skupper.io/exclude-annotations",
    "skupper.io/exclude-labels",
)
