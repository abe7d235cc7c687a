"""Which image runs everywhere, and how pods are told when to pull it."""

from typing import Final, Literal

from router import __version__

REPOSITORY: Final = "quay.io/spillway/router"
IMAGE: Final = f"{REPOSITORY}:{__version__}"
"""What runs everywhere unless another is named: router, sidecar and site controller."""
IMAGE_VARIABLE: Final = "SPILLWAY_IMAGE"
"""Names another, for the site controller (and `sitectl`, after its own variable)."""
PULL_POLICY_VARIABLE: Final = "SPILLWAY_IMAGE_PULL_POLICY"
"""Of the image that the site controller gives to routers."""

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
PULL_POLICY: Final[PullPolicy] = "IfNotPresent"
PULL_POLICIES: Final[tuple[PullPolicy, ...]] = ("Always", "IfNotPresent", "Never")
