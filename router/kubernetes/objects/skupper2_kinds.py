"""The kinds of Skupper v2 that are read: the only list for permissions, mirrors and statuses."""

from typing import Final

GROUP: Final = "skupper.io"
API_VERSION: Final = f"{GROUP}/v2alpha1"
KINDS: Final = (
    "Site",
    "Link",
    "Listener",
    "Connector",
    "MultiKeyListener",
    "RouterAccess",
    "AccessGrant",
    "AccessToken",
    "AttachedConnector",
    "AttachedConnectorBinding",
)
"""Kinds that users write. Kinds that Skupper's controller makes for itself are not read."""
CLUSTER_ROLE: Final = "spillway-skupper-v2"
PAGE: Final = "docs/kubernetes-skupper-v2.md"
