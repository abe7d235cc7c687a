"""Pod Security Admission: what level ``restricted`` refuses (Kubernetes, Pod Security Standards).

The checks that a pod of an application or a router can fail; host namespaces, volume types and the
like belong to ``baseline`` and are judged as one.
"""

from collections.abc import Callable
from typing import Final

from tests.kubernetes.resources import Json

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_SECCOMP: Final = ("RuntimeDefault", "Localhost")
_HOST: Final = ("hostNetwork", "hostPID", "hostIPC")


def violations(namespace: Json, pod: Json) -> str:
    """Why the pod is refused in this namespace; empty: it is not."""
    level = (namespace["metadata"].get("labels") or {}).get(ENFORCE)
    if level != "restricted":
        return ""
    found = [text for text in _texts(pod["spec"]) if text]
    return f'violates PodSecurity "restricted:latest": {", ".join(found)}' if found else ""


def _texts(spec: Json) -> list[str]:
    whole = spec.get("securityContext") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]

    def fail(is_bad: Callable[[Json], bool]) -> str:
        names = [c["name"] for c in containers if is_bad(c.get("securityContext") or {})]
        shown = ", ".join(f'"{name}"' for name in names)
        return f"container{'s' if len(names) > 1 else ''} {shown}" if names else ""

    escalation = fail(lambda own: own.get("allowPrivilegeEscalation") is not False)
    capabilities = fail(lambda own: "ALL" not in (own.get("capabilities") or {}).get("drop", ()))
    root = fail(lambda own: own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True)
    profile = fail(
        lambda own: (
            (own.get("seccompProfile") or whole.get("seccompProfile") or {}).get("type")
            not in _SECCOMP
        )
    )
    host = [f"{field}=true" for field in _HOST if spec.get(field)]
    return [
        f"host namespaces ({', '.join(host)})" if host else "",
        escalation
        and "allowPrivilegeEscalation != false "
        f"({escalation} must set securityContext.allowPrivilegeEscalation=false)",
        capabilities
        and "unrestricted capabilities "
        f'({capabilities} must set securityContext.capabilities.drop=["ALL"])',
        root and f"runAsNonRoot != true (pod or {root} must set securityContext.runAsNonRoot=true)",
        profile
        and f"seccompProfile (pod or {profile} must set securityContext.seccompProfile.type to "
        '"RuntimeDefault" or "Localhost")',
    ]
