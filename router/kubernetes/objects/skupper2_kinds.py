"""The kinds of Skupper v2 that are read: the one list for rights, mirrors and statuses."""

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
"""Those that people write. What Skupper's controller makes for itself is not looked at."""
CLUSTER_ROLE: Final = "spillway-skupper-v2"
PAGE: Final = "docs/kubernetes-skupper-v2.md"
