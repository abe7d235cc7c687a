"""Findings of the site controller, and the Events that report them on the site's ConfigMap."""

import hashlib
from typing import Any, Final

from router.kubernetes.client.errors import FORBIDDEN, ApiError, admission_step
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, metadata, name_of, shown
from router.model import limits
from router.model.errors import ConfigError

FIELD_MANAGER: Final = "spillway-controller"
REFUSED: Final = "SW0457"
"""A permission of the controller is missing, or the API refuses a value."""


def refused(wanted: Object, error: ApiError) -> ConfigError:
    """The finding for an object that the API refuses permanently."""
    return ConfigError(
        shown(wanted),
        "",
        f"the API refuses it: {error.message}",
        hint=_step(error),
        code=REFUSED,
    )


def _step(error: ApiError) -> str:
    if step := admission_step(error):
        return step
    if error.status == FORBIDDEN:
        return "Compare the controller's Role with docs/kubernetes-deploy.md"
    return f"Correct the key of ConfigMap/{names.SITE_CONFIGMAP} that it comes from"


def event(namespace: str, site: Object, problem: ConfigError, text: str, at: str) -> dict[str, Any]:
    """The Event that reports ``problem`` on ``site``, a ConfigMap or Site.

    Equal texts share one Event. ``at``: the current time; without it kubectl shows the Event as
    ``<unknown>`` and first.
    """
    digest = hashlib.sha256(f"{metadata(site).get('uid')} {text}".encode()).hexdigest()[:16]
    involved = {
        "apiVersion": site.get("apiVersion", "v1"),
        "kind": site.get("kind", "ConfigMap"),
        "name": name_of(site),
        "namespace": namespace,
        "uid": metadata(site).get("uid", ""),
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name_of(site)}.{digest}", "namespace": namespace},
        "involvedObject": involved,
        "reason": problem.code,
        "message": text[: limits.OBJECT_EVENT_CHARS],
        "type": "Warning",
        "source": {"component": FIELD_MANAGER},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
