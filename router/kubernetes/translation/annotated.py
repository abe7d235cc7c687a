"""Reads one annotated object, and finds mistakes in objects without the annotation."""

import msgspec

from router.documents import readers
from router.kubernetes.objects import findings, names
from router.kubernetes.objects.objects import Object, part
from router.kubernetes.services.skupper_coexistence import is_skuppers_own
from router.kubernetes.translation import annotated_services, annotation_keys, workloads
from router.kubernetes.translation.exposure import Exposure, ObjectReading
from router.kubernetes.translation.ported import PortedServices
from router.model.errors import ConfigError


class Annotated(msgspec.Struct, frozen=True):
    """The reading of ``found``. ``services``: the Services that were read; None: missing."""

    found: Object
    exposure: Exposure | None
    errors: tuple[ConfigError, ...]
    services: tuple[tuple[str, Object | None], ...]


def read(kind: str, found: Object, services: PortedServices, namespace: str) -> Annotated:
    """Read one workload or Service; ``exposure`` None: nothing usable."""
    reading = ObjectReading(kind, found)
    exposure: Exposure | None = None
    if not reading.is_annotated:
        _note_no_proxy(reading)
    elif kind == "Service":
        exposure = annotated_services.read(reading, services, namespace)
    else:
        exposure = workloads.read(reading, services)
    return Annotated(found, exposure, tuple(reading.noted.errors), services.looked_at())


def _note_no_proxy(reading: ObjectReading) -> None:
    """Record a finding if annotations without the switch suggest that an exposure was meant."""
    of_pods = part(reading.found, "spec", "template", "metadata", "annotations")
    if isinstance(of_pods, dict) and names.PROXY in of_pods:
        reading.noted.add(
            f"spec.template.{findings.ANNOTATIONS.format(names.PROXY)}",
            "has no effect on pods; nothing is exposed",
            f"Annotate the {reading.kind} itself: metadata.annotations",
            findings.ANNOTATION_NO_EFFECT,
            "warning",
        )
    meant = next((key for key in sorted(reading.notes) if _is_nearly_proxy(key)), None)
    if meant is not None:
        reading.noted.annotation(
            meant,
            "there is no such annotation; nothing is exposed",
            f"Did you mean {names.PROXY!r}?",
            findings.ANNOTATION_NO_EFFECT,
            "warning",
        )
        return
    stated = next((key for key in annotation_keys.EXPOSING if key in reading.notes), None)
    if stated is not None and not is_skuppers_own(reading.found):
        reading.noted.annotation(
            stated,
            f"has no effect without {names.PROXY}; nothing is exposed",
            f"Add {names.PROXY}: tcp, http or http2",
            findings.ANNOTATION_NO_EFFECT,
            "warning",
        )


def _is_nearly_proxy(key: str) -> bool:
    """Whether the switch was mistyped, or written with our own prefix."""
    if not key.startswith((names.SKUPPER_PREFIX, names.PREFIX)):
        return False
    if key in annotation_keys.BY_KEY or key in annotation_keys.OTHERS:
        return False
    return readers.closest(key.rpartition("/")[2], (names.PROXY.rpartition("/")[2],)) is not None
