"""All objects of a namespace, as one `NamespacePicture`.

Level-triggered: the same objects give the same picture, whatever came before and in any order.
"""

from collections.abc import Iterator, Mapping

import msgspec

from router.kubernetes.objects import findings, names
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Snapshot, is_going
from router.kubernetes.objects.picture import NamespacePicture, SiteOptions
from router.kubernetes.services.skupper_coexistence import Beside
from router.kubernetes.translation import documents, merged_objects, site_config, tokens
from router.kubernetes.translation.documents import Documents
from router.kubernetes.translation.exposure import Exposure
from router.kubernetes.translation.memo import Memo
from router.kubernetes.translation.site_config import SiteDefaults
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document

_DEFAULTS = SiteDefaults()


def translate(
    snapshot: Snapshot,
    own_site_id: str = "",
    *,
    defaults: SiteDefaults = _DEFAULTS,
    memo: Memo | None = None,
) -> NamespacePicture:
    """Translate the objects. ``own_site_id``: this site's tokens make no link.

    ``memo`` saves reading unchanged objects again; the picture is the same.

    Nothing raises, whatever the objects hold: ``errors`` has the errors, sorted, and none of them
    affects other objects.
    """
    errors: list[ConfigError] = []
    options, site = _site(snapshot, defaults, errors)
    memo = memo or Memo()
    config_maps = snapshot.of("ConfigMap")
    documented = documents.together(memo.documented(config_maps))
    errors += documented.errors
    errors += filter(None, map(documents.mislabelled, config_maps.values()))
    by_kind = _first_of_each(documented)
    own = by_kind.get("Service", {})
    beside = Beside(snapshot, _addresses(documented))
    exposures: list[Exposure] = []
    if options is None or options.service_controller:
        exposures = _exposures(snapshot, beside, memo, errors)
    connectors = by_kind.get("Connector", {})
    merged = merged_objects.merge(exposures, own, connectors, documented.wishes)
    links = tokens.read(snapshot.of("Secret"), own_site_id, beside.runs, by_kind.get("Link", {}))
    errors += [*merged.errors, *links.errors]
    return NamespacePicture(
        documents=(
            *site,
            *_aged(documented, merged.declared_at_s),
            *merged.documents,
            *links.documents,
        ),
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
    noted = ObjectFindings(site_config.SOURCE)
    options, document = site_config.read(found, snapshot.namespace, defaults, noted)
    errors += noted.errors
    return options, (document,)


def _first_of_each(documented: Documents) -> Mapping[str, Mapping[str, Document]]:
    """Documents by kind and name; the first source counts, as in `documents.resolve`."""
    kept: dict[str, dict[str, Document]] = {}
    for document in sorted(documented.documents, key=lambda d: (d.source, d.line)):
        kept.setdefault(document.kind, {}).setdefault(document.name, document)
    return kept


def _aged(documented: Documents, oldest: Mapping[str, float]) -> Iterator[Document]:
    """The documents; a Service that annotated objects also declare gets the oldest one's age."""
    for document in documented.documents:
        before_s = oldest.get(document.name) if document.kind == "Service" else None
        own_s = document.declared_at_s
        if before_s is not None and (own_s is None or before_s < own_s):
            document = msgspec.structs.replace(document, declared_at_s=before_s)
        yield document


def _addresses(documented: Documents) -> frozenset[str]:
    return frozenset(
        document.spec.service if isinstance(document.spec, ConnectorSpec) else document.name
        for document in documented.documents
        if document.kind in ("Service", "Connector")
    )


def _exposures(
    snapshot: Snapshot, beside: Beside, memo: Memo, errors: list[ConfigError]
) -> list[Exposure]:
    exposures: list[Exposure] = []
    for one in memo.annotated(snapshot):
        exposure = one.exposure
        if exposure is not None and beside.is_skuppers(one.found, exposure.address):
            errors.append(_left(exposure))
            continue
        errors += one.errors
        if exposure is not None:
            exposures.append(exposure)
    return exposures


def _left(exposure: Exposure) -> ConfigError:
    noted = ObjectFindings(exposure.source)
    noted.annotation(
        names.PROXY,
        f"address {exposure.address!r} is left to Skupper, which runs here",
        f'Move it: sitectl migrate --apply, or set {names.MIGRATED}: "true"',
        findings.LEFT_TO_SKUPPER,
        "info",
    )
    return noted.errors[0]
