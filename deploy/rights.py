"""The permission tables in ``docs/kubernetes-deploy.md``, made from the manifests' permissions."""

from collections.abc import Iterable
from typing import Final

from router.kubernetes.manifests import rights
from router.kubernetes.manifests.rights import Right

PAGE: Final = "docs/kubernetes-deploy.md"
BEGIN: Final = "<!-- rights: begin -->\n"
END: Final = "<!-- rights: end -->\n"

_PARTS: Final = (
    ("The router", rights.ROUTER),
    (
        "The router, by what its site needs",
        (rights.ROUTE, rights.INGRESS, rights.DEPLOYMENT_CONFIGS),
    ),
    (
        "The router, granted by an administrator of the cluster alone",
        rights.HEADLESS + rights.MULTICLUSTER,
    ),
    (
        "The router, for objects of Skupper v2, once an administrator of the cluster has added "
        "ClusterRole `spillway-skupper-v2`",
        rights.SKUPPER_V2,
    ),
    (
        "Administrators and editors of namespaces, by ClusterRole `spillway-skupper-v2-authors`",
        rights.SKUPPER_V2_AUTHORS,
    ),
    ("The site controller, beyond all of these that it grants", rights.CONTROLLER),
    ("The site controller on OpenShift", rights.CONTROLLER_OPENSHIFT),
    ("The site controller, where Contour may be", rights.CONTROLLER_CONTOUR),
    ("The site controller for all namespaces", rights.CONTROLLER_EVERY_NAMESPACE),
)


def page(text: str) -> str:
    """``text`` of the page with its tables replaced."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    made = "\n".join(f"**{title}**\n\n{_table(found)}" for title, found in _PARTS)
    return f"{head}{BEGIN}\n{made}\n{END}{tail}"


def _table(found: Iterable[Right]) -> str:
    lines = ["| resources | verbs | only | why |", "|---|---|---|---|"]
    for right in found:
        group = f" ({right.group})" if right.group else ""
        only = ", ".join(f"`{name}`" for name in right.only) or "–"
        resources = " ".join(f"`{name}`" for name in right.resources)
        lines.append(f"| {resources}{group} | {' '.join(right.verbs)} | {only} | {right.why} |")
    return "\n".join(lines) + "\n"
