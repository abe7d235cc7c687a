"""Names that Skupper v2 and Spillway share in a namespace."""

from typing import Final

API_VERSION: Final = "skupper.io/v2alpha1"
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
"""Those that people write. What Skupper's controller makes for itself is not looked at."""
CLUSTER_ROLE: Final = "spillway-skupper-v2"
PAGE: Final = "docs/kubernetes-skupper-v2.md"
