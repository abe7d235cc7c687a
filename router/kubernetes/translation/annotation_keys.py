"""Every annotation of workloads and Services: its kinds and effect, or why it has none.

The table in docs/kubernetes-skupper.md is made from this one.
"""

from typing import Final

import msgspec

from router.kubernetes.objects import names
from router.model.specs import POLICIES_TEXT

POD_KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "DeploymentConfig")
ALL_KINDS: Final = (*POD_KINDS, "Service")
"""Kinds whose annotations expose them."""
EXPORTING_KINDS: Final = (*ALL_KINDS, "ServiceExport")
"""Kinds whose annotations configure how their service is balanced."""


class AnnotationKey(msgspec.Struct, frozen=True, kw_only=True):
    """One annotation. ``kinds``: where it works; ``why``: it works nowhere, and the reason."""

    key: str
    kinds: tuple[str, ...]
    effect: str = ""
    why: str = ""
    hint: str = ""


_NO_PROXY_PODS = "there are no proxy pods, the router itself listens for each pod"

KEYS: Final = (
    AnnotationKey(
        key=names.PROXY,
        kinds=EXPORTING_KINDS,
        effect="exposes the object: `tcp`, `http` or `http2`",
    ),
    AnnotationKey(
        key=names.ADDRESS,
        kinds=ALL_KINDS,
        effect="the service's name, one DNS label; default: the object's name "
        "(headless: its `serviceName`)",
    ),
    AnnotationKey(
        key=names.PORT,
        kinds=POD_KINDS,
        effect="`8080`, `80:8080`, `80:http`, and lists; default: the containers' ports "
        "(StatefulSet: its Service's), `80` for http",
        hint="Remove it: the ports of a Service are in its spec",
    ),
    AnnotationKey(
        key=names.TARGET,
        kinds=("Service",),
        effect="targets are those of this Service (`NAME` or `NAME.NAMESPACE`), which stays as it "
        "is",
    ),
    AnnotationKey(
        key=names.INGRESS_ONLY, kinds=("Service",), effect="no targets here, clients only"
    ),
    AnnotationKey(
        key=names.INGRESS, kinds=ALL_KINDS, effect="`Never`: no Service is made here; `Always`"
    ),
    AnnotationKey(key=names.HEADLESS, kinds=("StatefulSet",), effect="`true`: a name for each pod"),
    AnnotationKey(
        key=names.SERVICE_LABELS, kinds=ALL_KINDS, effect="`a=b,c=d` onto the Service here"
    ),
    AnnotationKey(
        key=names.SERVICE_ANNOTATIONS, kinds=ALL_KINDS, effect="`a=b,c=d` onto the Service here"
    ),
    AnnotationKey(
        key=names.TLS_CERT,
        kinds=EXPORTING_KINDS,
        effect="listeners speak TLS with the certificate in this Secret; http too",
    ),
    AnnotationKey(
        key=names.TLS_TRUST,
        kinds=EXPORTING_KINDS,
        effect="targets are reached by TLS and judged by the `ca.crt` of this Secret; http too",
    ),
    *(
        AnnotationKey(key=f"{names.SKUPPER_PREFIX}{part}", kinds=(), why=_NO_PROXY_PODS)
        for part in (
            *("cpu-request", "memory-request", "cpu-limit", "memory-limit"),
            *("affinity", "anti-affinity", "node-selector"),
        )
    ),
    AnnotationKey(
        key=names.CAPACITY,
        kinds=EXPORTING_KINDS,
        effect="what each pod takes: 10 at once, `15/s`, or `auto`",
    ),
    AnnotationKey(
        key=names.SITE_CAPACITY,
        kinds=EXPORTING_KINDS,
        effect="what this site takes of the service: 10 at once, or `15/s`",
    ),
    AnnotationKey(
        key=names.SPILL,
        kinds=EXPORTING_KINDS,
        effect="above the site's rate: `excess` (only that leaves) or `all` that is new",
    ),
    AnnotationKey(
        key=names.RESUME,
        kinds=EXPORTING_KINDS,
        effect="`10/s`: below it a rate that was exceeded is calm again",
    ),
    AnnotationKey(
        key=names.WINDOW, kinds=EXPORTING_KINDS, effect="`15s`: what a rate is measured over"
    ),
    AnnotationKey(
        key=names.POLICY,
        kinds=EXPORTING_KINDS,
        effect=POLICIES_TEXT,
    ),
    AnnotationKey(
        key=names.WEIGHTS,
        kinds=EXPORTING_KINDS,
        effect="`a=2,b=1` or `a=70%,b=30%`: sites under `split`",
    ),
    AnnotationKey(
        key=names.SPILL_AT,
        kinds=EXPORTING_KINDS,
        effect="`80%`: share of its slots from which a site is passed over",
    ),
    AnnotationKey(
        key=names.RESERVE_FOR_OWN,
        kinds=EXPORTING_KINDS,
        effect="`30%`: share of this site's slots that only its own clients get",
    ),
    AnnotationKey(
        key=names.MAX_SHARE,
        kinds=EXPORTING_KINDS,
        effect="`40%`: largest share of this site's slots that one neighbor holds",
    ),
    AnnotationKey(
        key=names.EXPORT_TO,
        kinds=EXPORTING_KINDS,
        effect="`east,w*`: the only sites that it is offered to; `none`, `all`",
    ),
    AnnotationKey(
        key=names.IMPORT_FROM,
        kinds=EXPORTING_KINDS,
        effect="`east,w*`: the only sites that it is taken from; `none`, `all`",
    ),
    AnnotationKey(key=names.QUEUE, kinds=EXPORTING_KINDS, effect="how many may wait"),
    AnnotationKey(
        key=names.SERVICE_SETTINGS,
        kinds=EXPORTING_KINDS,
        effect="further fields of the Service document, as YAML",
    ),
    AnnotationKey(
        key=names.CONNECTOR_SETTINGS,
        kinds=EXPORTING_KINDS,
        effect="further fields of the Connector document, as YAML",
    ),
    AnnotationKey(
        key=names.MIGRATED,
        kinds=ALL_KINDS,
        effect="`true`: ours, though Skupper runs beside",
    ),
)
BY_KEY: Final = {entry.key: entry for entry in KEYS}
OTHERS: Final = frozenset((names.ORIGINAL, names.SERVICE_LABEL, names.DOCUMENTS_LABEL))
"""Our own marks, not set by users."""
EXPOSING: Final = (
    *(names.ADDRESS, names.PORT, names.TARGET, names.INGRESS_ONLY, names.HEADLESS),
    *(names.TLS_CERT, names.TLS_TRUST),
)
"""A user who sets one of these wants to expose something."""
