"""Whether a namespace takes new objects, and what the server adds to new pods."""

from typing import Final

from tests.kubernetes import defaults, pod_security, quotas
from tests.kubernetes.failures import forbidden, not_found
from tests.kubernetes.resources import Catalogue, Json, Resource
from tests.kubernetes.storage import Store

TOKEN_DIRECTORY: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_SECONDS: Final = 3607


def mount_token(pod: Json, account: Json | None, suffix: str) -> None:
    """Mount token, CA and namespace into each container that has nothing there, in place."""
    spec = pod["spec"]
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None and account is not None:
        wanted = account.get("automountServiceAccountToken")
    if wanted is False:
        return
    name = f"kube-api-access-{suffix}"
    mount = {"name": name, "mountPath": TOKEN_DIRECTORY, "readOnly": True}
    used = False
    for container in [*(spec.get("initContainers") or []), *spec.get("containers", [])]:
        mounts = container.setdefault("volumeMounts", [])
        if not any(each.get("mountPath") == TOKEN_DIRECTORY for each in mounts):
            mounts.append(dict(mount))
            used = True
    if not used:
        return
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _SECONDS, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    projected = {"defaultMode": 0o644, "sources": sources}
    spec.setdefault("volumes", []).append({"name": name, "projected": projected})


def admit_namespace(
    store: Store, catalogue: Catalogue, resource: Resource, namespace: str, name: str
) -> None:
    """404 and 403: a namespace that is not there or ends takes nothing new."""
    holder = catalogue.kind("Namespace")
    found = store.get(holder, "", namespace)
    if found is None:
        raise not_found(holder, namespace)
    if "deletionTimestamp" in found["metadata"]:
        raise forbidden(
            resource,
            name,
            f'{resource.qualified} "{name}" is forbidden: unable to create new content in '
            f"namespace {namespace} because it is being terminated",
        )


def admit_pod(store: Store, catalogue: Catalogue, namespace: str, found: Json, suffix: str) -> None:
    """Fill in a new pod, in place. 403: no such ServiceAccount, or beyond a LimitRange."""
    spec = found.setdefault("spec", {})
    holder = catalogue.kind("ServiceAccount")
    account = spec.setdefault("serviceAccountName", "default")
    held = store.get(holder, namespace, account)
    if held is None and account != "default":
        name = found["metadata"]["name"]
        raise forbidden(
            catalogue.kind("Pod"),
            name,
            f'pods "{name}" is forbidden: error looking up service account '
            f'{namespace}/{account}: serviceaccount "{account}" not found',
        )
    quotas.fill_and_check(store, catalogue, namespace, found)
    defaults.fill("Pod", found)  # A limit is a request too.
    place = store.get(catalogue.kind("Namespace"), "", namespace)
    violation = pod_security.violations(place, found) if place is not None else ""
    if violation:
        name = found["metadata"]["name"]
        raise forbidden(catalogue.kind("Pod"), name, f'pods "{name}" is forbidden: {violation}')
    mount_token(found, held, suffix)
