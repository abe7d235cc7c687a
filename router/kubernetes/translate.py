"""All that the objects of a namespace say, as one `Picture`.

Level-triggered: the same objects give the same picture, whatever came before and in any order.
"""

from collections.abc import Mapping

from router.kubernetes import (
    annotated_services,
    annotation_keys,
    documents,
    findings,
    merging,
    names,
    ported,
    site_config,
    tokens,
    workloads,
)
from router.kubernetes.beside import Beside, is_skuppers_own
from router.kubernetes.documents import Documents, Memo
from router.kubernetes.exposure import Exposure, Reading
from router.kubernetes.findings import Findings
from router.kubernetes.objects import Object, Snapshot, is_going, part
from router.kubernetes.picture import Picture, SiteOptions
from router.kubernetes.site_config import SiteDefaults
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document

_DEFAULTS = SiteDefaults()


def translate(
    snapshot: Snapshot,
    own_site_id: str = "",
    *,
    defaults: SiteDefaults = _DEFAULTS,
    memo: Memo | None = None,
) -> Picture:
    """What the objects say. ``own_site_id``: tokens of this very site make no link. ``memo``
    spares documents that did not change from being read again; the picture is the same.

    Nothing raises, whatever stands in the objects: what is wrong is in ``errors``, sorted, and
    takes nothing else with it.
    """
    errors: list[ConfigError] = []
    options, site = _site(snapshot, defaults, errors)
    documented = documents.together((memo or Memo()).read(snapshot.of("ConfigMap")))
    errors += documented.errors
    by_kind = _first_of_each(documented)
    own = by_kind.get("Service", {})
    beside = Beside(snapshot, _addresses(documented))
    exposures: list[Exposure] = []
    if options is None or options.service_controller:
        exposures = _exposures(snapshot, beside, errors)
    merged = merging.merge(exposures, own, documented.wishes)
    links = tokens.read(snapshot.of("Secret"), own_site_id, beside.runs, by_kind.get("Link", {}))
    errors += [*merged.errors, *links.errors]
    return Picture(
        documents=(*site, *documented.documents, *merged.documents, *links.documents),
        options=options,
        wishes={address: merged.wishes[address] for address in sorted(merged.wishes)},
        tokens=links.tokens,
        requests=links.requests,
        errors=tuple(sorted(errors, key=_place)),
    )


def _place(error: ConfigError) -> tuple[str, int, int, str, str, str]:
    return (error.source, error.line, error.column, error.path, error.code, error.reason)


def _site(
    snapshot: Snapshot, defaults: SiteDefaults, errors: list[ConfigError]
) -> tuple[SiteOptions | None, tuple[Document, ...]]:
    found = snapshot.get("ConfigMap", names.SITE_CONFIGMAP)
    if found is None or is_going(found):
        return None, ()
    noted = Findings(site_config.SOURCE)
    options, document = site_config.read(found, snapshot.namespace, defaults, noted)
    errors += noted.errors
    return options, (document,)


def _first_of_each(documented: Documents) -> Mapping[str, Mapping[str, Document]]:
    """Documents by kind and name, as `documents.resolve` keeps them: the first source's."""
    kept: dict[str, dict[str, Document]] = {}
    for document in sorted(documented.documents, key=lambda d: (d.source, d.line)):
        kept.setdefault(document.kind, {}).setdefault(document.name, document)
    return kept


def _addresses(documented: Documents) -> frozenset[str]:
    return frozenset(
        document.spec.service if isinstance(document.spec, ConnectorSpec) else document.name
        for document in documented.documents
        if document.kind in ("Service", "Connector")
    )


def _exposures(snapshot: Snapshot, beside: Beside, errors: list[ConfigError]) -> list[Exposure]:
    services = {
        name: found for name, found in snapshot.of("Service").items() if not is_going(found)
    }
    found_all: list[Exposure] = []
    for kind in annotation_keys.ALL_KINDS:
        for found in snapshot.of(kind).values():
            if is_going(found) or (kind == "Service" and ported.is_generated(found)):
                continue
            reading = Reading(kind, found)
            exposure = _exposure(reading, services, snapshot.namespace)
            if exposure is not None and beside.is_skuppers(found, exposure.address):
                errors.append(_left(exposure))
                continue
            errors += reading.noted.errors
            if exposure is not None:
                found_all.append(exposure)
    return found_all


def _exposure(reading: Reading, services: Mapping[str, Object], namespace: str) -> Exposure | None:
    if not reading.is_annotated:
        _note_no_proxy(reading)
        return None
    if reading.kind == "Service":
        return annotated_services.read(reading, services, namespace)
    return workloads.read(reading, services)


def _note_no_proxy(reading: Reading) -> None:
    """The switch is missing, or at the wrong place: somebody thinks that this is exposed."""
    of_pods = part(reading.found, "spec", "template", "metadata", "annotations")
    if isinstance(of_pods, dict) and names.PROXY in of_pods:
        reading.noted.add(
            f"spec.template.{findings.ANNOTATIONS.format(names.PROXY)}",
            "has no effect on pods; nothing is exposed",
            f"Annotate the {reading.kind} itself: metadata.annotations",
            findings.ANNOTATION_NO_EFFECT,
            "warning",
        )
    stated = next((key for key in annotation_keys.EXPOSING if key in reading.notes), None)
    if stated is not None and not is_skuppers_own(reading.found):
        reading.noted.annotation(
            stated,
            f"has no effect without {names.PROXY}; nothing is exposed",
            f"Add {names.PROXY}: tcp, http or http2",
            findings.ANNOTATION_NO_EFFECT,
            "warning",
        )


def _left(exposure: Exposure) -> ConfigError:
    noted = Findings(exposure.source)
    noted.annotation(
        names.PROXY,
        f"address {exposure.address!r} is left to Skupper, which runs here",
        f'Move it: sitectl migrate --apply, or set {names.MIGRATED}: "true"',
        findings.LEFT_TO_SKUPPER,
        "info",
    )
    return noted.errors[0]
