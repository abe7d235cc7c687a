"""Answers of the API server: objects, Statuses, scales."""

from typing import Any, Final

import msgspec
from aiohttp import web

from tests.kubernetes.failures import Failure
from tests.kubernetes.requests import Wanted
from tests.kubernetes.resources import Json

_HEADERS: Final = {"Audit-Id": "0", "Cache-Control": "no-cache, private"}


def success(wanted: Wanted, found: Json) -> Json:
    """The Status of a deletion."""
    details = {"name": wanted.name, "kind": wanted.resource.plural}
    details["uid"] = found["metadata"]["uid"]
    if wanted.resource.group:
        details["group"] = wanted.resource.group
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def scale_of(found: Json) -> Json:
    """The subresource ``scale`` of a workload."""
    metadata = found["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = found["spec"].get("selector") or {}
    pairs = (selector.get("matchLabels") or {}).items()
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": count} if (count := found["spec"].get("replicas", 0)) else {},
        "status": {
            "replicas": found.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in pairs),
        },
    }


def answer(
    found: Any,
    code: int = 200,
    warnings: list[str] | None = None,
    content_type: str = "application/json",
) -> web.Response:
    """``found`` as JSON, with the headers that every answer has."""
    headers = {**_HEADERS, "Content-Type": content_type}
    response = web.Response(body=msgspec.json.encode(found), status=code, headers=headers)
    for text in warnings or []:
        shown = text.replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{shown}"')
    return response


def failed(failure: Failure) -> web.Response:
    """The Status of a refused request; without a reason, its text."""
    if not failure.reason:
        headers = {**_HEADERS, "X-Content-Type-Options": "nosniff"}
        response = web.Response(text=failure.message, status=failure.code, headers=headers)
    else:
        response = answer(failure.status(), failure.code)
    if failure.retry_after_s:
        response.headers["Retry-After"] = str(failure.retry_after_s)
    return response
