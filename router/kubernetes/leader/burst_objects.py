"""A Kubernetes object of any kind that exists while a service is saturated.

Made by server-side apply with a label of ours, and deleted when the service is calm. Objects
without that label belong to others and are neither changed nor deleted.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from router.control.bursts.hook_call import Firing, HookOutcome
from router.documents.templates import filled_whole
from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import APPLY_PATCH
from router.kubernetes.client.errors import FORBIDDEN, ApiError, admission_step
from router.kubernetes.objects.names import BURST_LABEL
from router.kubernetes.objects.objects import labels, metadata, uid_of


class _Refused(Exception):
    """A human-readable refusal; ``hint``: the next step."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


async def settle(
    api: Api, manifest: Mapping[str, Any], firing: Firing, timeout_s: float
) -> HookOutcome:
    """Make the object of ``manifest`` on ``saturated``, else delete it. Repeats are harmless."""
    wanted: dict[str, Any] = filled_whole(dict(manifest), firing.values)
    name = f"{wanted['kind']} {wanted['metadata']['name']}"
    try:
        async with asyncio.timeout(timeout_s):
            path = await _path(api, wanted)
            if firing.event == "saturated":
                return HookOutcome(
                    ok=True, text=f"{name} {await _apply(api, path, wanted, firing)}"
                )
            gone = await _delete(api, path, wanted["metadata"]["name"], firing.values["burst"])
            return HookOutcome(ok=True, text=f"{name} {gone}")
    except TimeoutError:
        hint = "kubectl get --raw /readyz says how the API server is"
        return HookOutcome(ok=False, text=f"{name}: no answer within {timeout_s:g} s", hint=hint)
    except _Refused as refused:
        return HookOutcome(ok=False, text=f"{name} {refused}", hint=refused.hint)
    except ApiError as error:
        hint = admission_step(error)
        if error.status == FORBIDDEN and not hint:
            group = str(wanted["apiVersion"]).rpartition("/")[0] or '""'
            hint = (
                "Give the router's ServiceAccount get, create, patch and delete on "
                f"{wanted['kind']} of API group {group} (docs/bursts.md has the Role)"
            )
        return HookOutcome(ok=False, text=f"{name}: {error}", hint=hint)


async def _path(api: Api, wanted: Mapping[str, Any]) -> str:
    """The API path of the object; the API server supplies the plural of unknown kinds."""
    version, kind = str(wanted["apiVersion"]), str(wanted["kind"])
    root = f"{'apis' if '/' in version else 'api'}/{version}"
    served = (await api.send_if_there("GET", root) or {}).get("resources")
    for one in served if isinstance(served, list) else ():
        if not isinstance(one, dict) or one.get("kind") != kind:
            continue
        plural = one.get("name")
        # Names with a slash are subresources.
        if isinstance(plural, str) and plural and "/" not in plural:
            place = ""
            if one.get("namespaced"):
                place = f"/namespaces/{wanted['metadata'].get('namespace') or api.namespace}"
            return f"{root}{place}/{plural}"
    raise _Refused(
        f"cannot be made: this cluster serves no {kind} of {version}",
        "Install what defines it, or correct apiVersion and kind",
    )


def _require_ours(found: Mapping[str, Any], burst: str) -> None:
    owner = labels(found).get(BURST_LABEL)
    if owner != burst:
        whose = f"belongs to burst {owner}" if owner else f"has no label {BURST_LABEL}"
        raise _Refused(
            f"is there already and {whose}: it is left alone",
            "Give the object of this burst another name",
        )


async def _apply(api: Api, path: str, wanted: dict[str, Any], firing: Firing) -> str:
    name, burst = wanted["metadata"]["name"], firing.values["burst"]
    found = await api.send_if_there("GET", f"{path}/{name}")
    if found is not None:
        _require_ours(found, burst)
        if metadata(found).get("deletionTimestamp"):
            # The API would accept a patch and still delete the object.
            raise _Refused("is still being deleted", "Wait: it is made again when that is done")
    about = wanted["metadata"]
    stated = about.get("labels") if isinstance(about.get("labels"), dict) else {}
    ours = {**wanted, "metadata": {**about, "labels": {**stated, BURST_LABEL: burst}}}
    await api.send(
        "PATCH", f"{path}/{name}", params={"force": "true"}, body=ours, content_type=APPLY_PATCH
    )
    return "is there" if found is not None else "was made"


async def _delete(api: Api, path: str, name: str, burst: str) -> str:
    found = await api.send_if_there("GET", f"{path}/{name}")
    if found is None:
        return "was gone already"
    _require_ours(found, burst)
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": uid_of(found)},
    }
    deleted = await api.send_if_there("DELETE", f"{path}/{name}", body=options)
    return "was gone already" if deleted is None else "was deleted"
