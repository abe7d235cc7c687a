"""`apply` on Kubernetes: documents into ConfigMaps of theirs, ConfigMaps and Secrets as is."""

import base64
from typing import Any, Final, NamedTuple

import yaml

from certs.token_files import tokens
from router.documents import read
from router.kubernetes.objects import names
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, labels, metadata, name_of, shown
from router.kubernetes.translation import site_config
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.tokens import text_of
from router.model.specs import API_VERSION, Document
from sitectl.base import output, texts
from sitectl.base.failure import conflict, usage
from sitectl.base.options import Settings
from sitectl.flags.skupper2.links import WantedClaims, emit_changes
from sitectl.kubernetes.cluster import ApiFailure
from sitectl.kubernetes.objects import covers
from sitectl.kubernetes.site import KubernetesSite
from sitectl.site.site import Change

_TAKEN: Final = ("ConfigMap", "Secret")
_SEPARATOR: Final = "---"


class Parts(NamedTuple):
    """The content of a file."""

    documents: list[Document]
    objects: list[dict[str, Any]]


def apply_text(settings: Settings, text: str, source: str) -> None:
    """Make everything in ``text`` so: all of it, or nothing when something is wrong."""
    parts = _parts(text, source)
    if not parts.documents and not parts.objects:
        raise usage(f"no documents in {source}")
    site = KubernetesSite.of(settings)
    for one in parts.objects:
        judge_object(one, site.namespace, source)
    if any(document.kind == "Site" for document in parts.documents):
        raise usage(
            f"{source} holds a Site document; on Kubernetes a site is ConfigMap "
            f"{names.SITE_CONFIGMAP}",
            f"sitectl -n {site.namespace} init",
        )
    put_and_tell(settings, site, parts.objects, parts.documents)


def put_and_tell(
    settings: Settings,
    site: KubernetesSite,
    objects: list[dict[str, Any]],
    documents: list[Document],
    claims: WantedClaims | None = None,
) -> None:
    """Make objects that were judged, documents and claims so; print what changed of each."""
    site.judge_all(documents, replace=True)
    items: list[dict[str, Any]] = [
        {"kind": str(one["kind"]), "name": name_of(one), "change": apply_object(site, one)}
        for one in objects
    ]
    changes = site.put_all(documents)
    items += [
        {"kind": document.kind, "name": document.name, "change": change}
        for document, change in zip(documents, changes, strict=True)
    ]
    items += claims.make(settings) if claims is not None else []
    if settings.dry_run:
        output.emit_planned(settings)
        return
    emit_changes(settings, items, printed=claims is not None and claims.printed)


def _parts(text: str, source: str) -> Parts:
    """Documents and objects of ``text``, by their apiVersion. Failure: one of them is wrong."""
    parts = Parts([], [])
    errors = []
    for piece in _pieces(text):
        found = _loaded(piece, source)
        if not isinstance(found, dict) or found.get("apiVersion") == API_VERSION:
            documents, wrong = read(piece, source)
            parts.documents.extend(documents)
            errors += wrong
        elif found.get("kind") == "List":
            parts.objects.extend(found.get("items") or [])
        else:
            parts.objects.append(found)
    if errors:
        raise texts.config_failure(errors, f"{len(errors)} errors in {source}, nothing was applied")
    return parts


def _pieces(text: str) -> list[str]:
    """One YAML document each, at the line where it stands: errors name that."""
    pieces: list[list[str]] = [[]]
    for number, line in enumerate(text.split("\n")):
        if line.rstrip() == _SEPARATOR or line.startswith(f"{_SEPARATOR} "):
            pieces.append([""] * (number + 1))
        else:
            pieces[-1].append(line)
    return ["\n".join(piece) for piece in pieces if any(line.strip() for line in piece)]


def _loaded(piece: str, source: str) -> object:
    try:
        return yaml.safe_load(piece)
    except yaml.YAMLError as error:
        raise usage(f"{source} is not YAML: {' '.join(str(error).split())}") from error


def judge_object(one: Object, namespace: str, source: str) -> None:
    """Raise Failure for an object that is not ours to apply, or that no router could use."""
    if not isinstance(one, dict) or one.get("kind") not in _TAKEN:
        kind = one.get("kind") if isinstance(one, dict) else None
        raise usage(
            f"{source} holds a {kind or 'thing without kind'}: only documents, ConfigMaps and "
            "Secrets are taken",
            f"kubectl apply -f {texts.typed(source)}",
        )
    if not name_of(one):
        raise usage(f"{source}: a {one['kind']} without metadata.name")
    stated = metadata(one).get("namespace", namespace)
    if stated != namespace:
        raise usage(
            f"{shown(one)} is for namespace {stated}, this is {namespace}", f"Add -n {stated}"
        )
    kind = labels(one).get(names.SKUPPER_TYPE, "")
    if one["kind"] == "Secret" and kind in (names.TOKEN_CLAIM, names.CONNECTION_TOKEN):
        tokens.load(text_of(one, kind), f"{source}: {shown(one)}")
    if one["kind"] == "ConfigMap" and name_of(one) == names.SITE_CONFIGMAP:
        noted = ObjectFindings(site_config.SOURCE)
        site_config.read(one, namespace, SiteDefaults(), noted)
        wrong = [error for error in noted.errors if error.severity == "error"]
        if wrong:
            raise texts.config_failure(wrong, f"{source}: this site cannot be used")
        for error in noted.errors:
            output.note(f"{error.code} {error.message}. {error.hint}".rstrip(". "))


def apply_object(site: KubernetesSite, one: dict[str, Any]) -> Change:
    """Make the object so by server-side apply. Failure: another owner keeps it."""
    kind = str(one["kind"])
    wanted = {"apiVersion": KINDS[kind].api_version, **_encoded(one)}
    found = site.cluster.find(kind, name_of(one))
    if found is not None and covers(found, wanted):
        return "unchanged"
    try:
        site.cluster.apply(wanted, force=False)
    except ApiFailure as failure:
        if failure.status != 409 or failure.lost_quota_race:
            raise
        raise conflict(
            f"{shown(one)} is kept by another owner: {failure.message}",
            "Change it where that is done, or: kubectl apply --server-side --force-conflicts",
        ) from failure
    return "created" if found is None else "updated"


def _encoded(one: dict[str, Any]) -> dict[str, Any]:
    """A Secret with its ``stringData`` in ``data``, as the API keeps it."""
    plain = one.get("stringData")
    if one["kind"] != "Secret" or not isinstance(plain, dict):
        return one
    coded = {key: base64.b64encode(str(text).encode()).decode() for key, text in plain.items()}
    rest = {key: value for key, value in one.items() if key != "stringData"}
    return {**rest, "data": {**(one.get("data") or {}), **coded}}
