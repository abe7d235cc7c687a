"""The image of all components, and its pull policy."""

from typing import Final, Literal

from router import __version__

REGISTRY: Final = ""
"""The registry of release images, HOST or HOST/PATH; empty: there is none.

This is the only line that names one.
"""
LOCAL: Final = "localhost/"
"""Prefix of images that exist only where they were built or loaded.

No registry has them, so no foreign image can take their place.
"""
REPOSITORY: Final = f"{REGISTRY}/spillway/router" if REGISTRY else f"{LOCAL}spillway/router"
IMAGE: Final = f"{REPOSITORY}:{__version__}"
"""The default image of router, sidecar and site controller."""
IMAGE_VARIABLE: Final = "SPILLWAY_IMAGE"
"""Environment variable with another image, for the site controller and `sitectl`.

`sitectl` reads it after its own variable.
"""
PULL_POLICY_VARIABLE: Final = "SPILLWAY_IMAGE_PULL_POLICY"
"""The pull policy of the image that the site controller gives to routers."""

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
PULL_POLICY: Final[PullPolicy] = "IfNotPresent"
PULL_POLICIES: Final[tuple[PullPolicy, ...]] = ("Always", "IfNotPresent", "Never")
