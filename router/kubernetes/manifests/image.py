"""Which image runs everywhere, and how pods are told when to pull it."""

from typing import Final, Literal

from router import __version__

REGISTRY: Final = ""
"""Where images of releases are, HOST or HOST/PATH; empty: there is no such place. This is the only
line that names one."""
LOCAL: Final = "localhost/"
"""Images of this prefix are only where they were built or loaded: no registry has them, so none of
somebody else's can answer instead."""
REPOSITORY: Final = f"{REGISTRY}/spillway/router" if REGISTRY else f"{LOCAL}spillway/router"
IMAGE: Final = f"{REPOSITORY}:{__version__}"
"""What runs everywhere unless another is named: router, sidecar and site controller."""
IMAGE_VARIABLE: Final = "SPILLWAY_IMAGE"
"""Names another, for the site controller (and `sitectl`, after its own variable)."""
PULL_POLICY_VARIABLE: Final = "SPILLWAY_IMAGE_PULL_POLICY"
"""Of the image that the site controller gives to routers."""

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
PULL_POLICY: Final[PullPolicy] = "IfNotPresent"
PULL_POLICIES: Final[tuple[PullPolicy, ...]] = ("Always", "IfNotPresent", "Never")
