"""What the server adds to new pods: the ServiceAccount's token as a projected volume."""

from typing import Final

from tests.kubernetes.resources import Json

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
