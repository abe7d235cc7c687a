"""Which image routers run, and when it is pulled: one answer for pods and for containers."""

import os
from collections.abc import Mapping
from typing import Any, Final, get_args

import click
import msgspec

from router.kubernetes.manifests import image as pods
from sitectl.base.failure import usage
from sitectl.base.options import flags_as
from sitectl.runtimes.spec import PullPolicy

VARIABLE: Final = "SITECTL_IMAGE"
POLICY_VARIABLE: Final = "SITECTL_IMAGE_PULL_POLICY"

DEFAULT_POLICY: Final[PullPolicy] = "missing"
POLICIES: Final[tuple[PullPolicy, ...]] = get_args(PullPolicy)
_OF_PODS: Final[Mapping[PullPolicy, pods.PullPolicy]] = {
    "always": "Always",
    "missing": "IfNotPresent",
    "never": "Never",
}
_SYNONYMS: Final = {"ifnotpresent": "missing"}  # As Kubernetes says it.


class Policy(click.ParamType[PullPolicy]):
    """``always``, ``missing``, ``never`` or ``newer``; also as Kubernetes spells them."""

    name = "POLICY"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> PullPolicy:
        """The policy that ``value`` means."""
        found = _policy(str(value))
        if found is None:
            self.fail(f"{value!r} is none of {', '.join(POLICIES)}", param, ctx)
        return found

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The values that ``--help`` shows."""
        return "|".join(POLICIES)


class ImageFlags(msgspec.Struct, frozen=True):
    """As typed; None: not given. See `chosen_image` and `stated_policy`."""

    image: str | None = None
    image_pull_policy: PullPolicy | None = None

    @property
    def is_given(self) -> bool:
        """Whether any of them was typed."""
        return self != ImageFlags()


image_flags = flags_as(
    "image",
    ImageFlags,
    click.option(
        "--image",
        metavar="IMAGE",
        help=f"Image of the routers. [default: ${VARIABLE} or that of this version]",
    ),
    click.option(
        "--image-pull-policy",
        type=Policy(),
        help="When to pull the image; newer: not for pods. "
        f"[default: ${POLICY_VARIABLE} or {DEFAULT_POLICY}]",
    ),
)


def stated_image(stated: str | None) -> str:
    """The flag's image, else the environment's; empty: not chosen."""
    return stated or os.environ.get(VARIABLE) or os.environ.get(pods.IMAGE_VARIABLE) or ""


def chosen_image(stated: str | None = None) -> str:
    """The image to run: the flag's, else the environment's, else that of this version."""
    return stated_image(stated) or pods.IMAGE


def stated_policy(stated: PullPolicy | None) -> PullPolicy | None:
    """The flag's policy, else the environment's; None: not chosen. Failure: no policy."""
    words = os.environ.get(POLICY_VARIABLE)
    if stated or not words:
        return stated
    found = _policy(words)
    if found is None:
        raise usage(
            f"{POLICY_VARIABLE}={words} is none of {', '.join(POLICIES)}",
            f"export {POLICY_VARIABLE}={DEFAULT_POLICY}",
        )
    return found


def policy_of_pods(stated: PullPolicy | None) -> pods.PullPolicy | None:
    """The policy in Kubernetes' spelling; None: not chosen. Failure: ``newer``, which it lacks."""
    policy = stated_policy(stated)
    if policy is None:
        return None
    found = _OF_PODS.get(policy)
    if found is None:
        raise usage(
            f"pods have no pull policy {policy!r}: nodes pull always, when missing, or never",
            "Give --image-pull-policy always",
        )
    return found


def _policy(words: str) -> PullPolicy | None:
    word = words.lower()
    word = _SYNONYMS.get(word, word)
    return next((known for known in POLICIES if known == word), None)
