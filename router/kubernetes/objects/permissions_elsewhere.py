"""The Role by which another namespace lets this site's router see its pods. Pure."""

from typing import Final

from router.kubernetes.objects import names
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.role_rules import rule_text
from router.kubernetes.objects.skupper2_kinds import PAGE

ROLE: Final = "spillway-attached"


def read_rule(kind: str) -> str:
    """The rule of a Role that lets a router read ``kind``."""
    info = KINDS[kind]
    group, _, _ = info.api_version.rpartition("/")
    return f"{{{rule_text(group, info.plural, 'get', 'list', 'watch')}}}"


def hint(namespace: str, site_namespace: str, kind: str) -> str:
    """What an administrator of ``namespace`` must grant the router of ``site_namespace``."""
    return (
        f"In namespace {namespace} add to Role {ROLE} {read_rule(kind)}, bound to ServiceAccount "
        f"{site_namespace}/{names.ROUTER}: {PAGE}, Pods of another namespace, has both objects"
    )
