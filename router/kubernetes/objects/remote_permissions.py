"""Why another namespace is not visible: its Role is missing, or there are too many. Pure."""

from typing import Final

from router.kubernetes.objects import names
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.role_rules import rule_text
from router.kubernetes.objects.skupper2_kinds import PAGE
from router.model import limits

ROLE: Final = "spillway-attached"


def read_rule(kind: str) -> str:
    """The rule of a Role that lets a router read ``kind``."""
    info = KINDS[kind]
    group, _, _ = info.api_version.rpartition("/")
    return f"{{{rule_text(group, info.plural, 'get', 'list', 'watch')}}}"


def hint(namespace: str, site_namespace: str, kind: str) -> str:
    """The permission that an administrator of ``namespace`` must grant the router."""
    return (
        f"In namespace {namespace} add to Role {ROLE} {read_rule(kind)}, bound to ServiceAccount "
        f"{site_namespace}/{names.ROUTER}: {PAGE}, Pods of another namespace, has both objects"
    )


def left_out(namespace: str) -> str:
    """Why ``namespace`` is not followed."""
    return (
        f"namespace {namespace} is not followed: connectors here name more than "
        f"{limits.OTHER_NAMESPACES_MAX} other namespaces, of which the first by name count"
    )


def left_out_hint(namespace: str) -> str:
    """The next step for that."""
    return (
        f"Make a Service in namespace {namespace}, then bind it here: sitectl service bind KEY "
        f"service NAME.{namespace}"
    )
