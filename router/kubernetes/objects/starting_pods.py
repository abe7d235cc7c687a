"""How long a pod is not ready, and whether its containers are still being made. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from router.kubernetes.objects.objects import Object, created_at, seconds_of, section

_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})
"""Waiting reasons of a container that is about to start."""


def is_starting(pod: Object) -> bool:
    """Whether containers wait only until they are made: images are pulled, volumes mounted."""
    return any(_waiting(pod)) and not any(stuck_reasons(pod))


def stuck_reasons(pod: Object) -> Iterator[str]:
    """The reasons for which containers wait (``CrashLoopBackOff``), other than being made."""
    return (reason for reason in _waiting(pod) if reason not in _STARTING)


def not_ready_since(pod: Object) -> float:
    """Since when a pod is not ready, in Unix seconds: if it never was, since its creation."""
    conditions = section(pod, "status").get("conditions") or ()
    told = (one.get("lastTransitionTime") for one in conditions if one.get("type") == "Ready")
    return seconds_of(str(next(told, "") or created_at(pod))) or 0.0


def container_statuses(pod: Object) -> list[Mapping[str, Any]]:
    """The node's statuses of the pod's containers."""
    told = section(pod, "status").get("containerStatuses") or ()
    return [one for one in told if isinstance(one, dict)]


def _waiting(pod: Object) -> Iterator[str]:
    waiting = ((one.get("state") or {}).get("waiting") for one in container_statuses(pod))
    return (reason for one in waiting if one and (reason := str(one.get("reason") or "")))
