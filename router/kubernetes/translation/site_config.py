"""Reads ConfigMap ``skupper-site``: the options of the site and its Site document."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.documents import readers
from router.kubernetes.objects import console, copied_labels, findings, names, texts
from router.kubernetes.objects.findings import ObjectFindings, data_of
from router.kubernetes.objects.objects import Object, annotations, labels
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.objects.texts import InvalidText
from router.kubernetes.translation.site_keys import BY_KEY, KEYS, SiteKey
from router.model.addresses import join
from router.model.specs import EVERY_HOST, ConsoleAuth, ConsoleSpec, Document, SiteSpec

SOURCE: Final = f"ConfigMap/{names.SITE_CONFIGMAP}"
LINK_PORT: Final = 55671
"""Port where the pod and the router's Service accept links."""
_TTL_S_MIN: Final = 60.0
_READ_APART: Final = ("edge", "cluster-local", "annotation-separator")
LEFT_AS_IT_IS: Final = "; the site stays as it is"
SECRET_KEYS: Final = ("console-password", "prometheus-server-password")


class SiteDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults from the caller for keys that the ConfigMap leaves out.

    ``ingress``: ``route`` if the cluster has Routes.
    ``bind_ip``: where the pod listens for links and for clients; ``::`` in a cluster without IPv4.
    """

    ingress: str = "loadbalancer"
    bind_ip: str = "0.0.0.0"


def read(
    found: Object, namespace: str, defaults: SiteDefaults, noted: ObjectFindings
) -> tuple[SiteOptions, Document]:
    """The options and their Site document. Errors are recorded, and the default is used."""
    data = _data(found, noted)
    separator = data.get("annotation-separator", ",")
    values: dict[str, Any] = {"name": namespace, "ingress": defaults.ingress}
    of_site: dict[str, Any] = {}
    for entry in KEYS:
        text = data.get(entry.key, "")
        if not text or entry.key in _READ_APART:
            continue
        value = _value(entry, text, separator, noted)
        if value is not None:
            (of_site if entry.of_site else values)[entry.field] = value
    _older_keys(data, values, noted)
    _bounds(values, noted)
    options = SiteOptions(**values, **_spread(found))
    return options, _document(options, of_site, defaults, namespace)


def may_open(noted: ObjectFindings) -> bool:
    """Whether a key that controls access is unreadable: its default might open a closed site."""
    paths = {f"data.{entry.key}" for entry in KEYS if entry.opens}
    return any(one.path in paths and one.severity == "error" for one in noted.errors)


def _data(found: Object, noted: ObjectFindings) -> dict[str, str]:
    """The known keys with a value."""
    kept: dict[str, str] = {}
    for key, value in data_of(found, noted, findings.SITE_VALUE):
        if key not in BY_KEY:
            hint = readers.nearest(key, BY_KEY) if readers.closest(key, BY_KEY) else ""
            noted.add(
                f"data.{key}",
                f"there is no key {texts.short(key)}",
                hint or "Remove it; docs/kubernetes-skupper.md has all keys",
                findings.SITE_KEY,
                "warning",
            )
        elif isinstance(value, str):
            kept[key] = value if key == "annotation-separator" else value.strip()
        else:
            noted.add(f"data.{key}", "expected a text", "Quote the value", findings.SITE_VALUE)
    return kept


def _value(entry: SiteKey, text: str, separator: str, noted: ObjectFindings) -> Any:
    """The value of ``text`` for the field of ``entry``; None: none, the default holds."""
    value: Any = texts.annotation_pairs(text, separator) if entry.pairs else entry.read(text)
    path = f"data.{entry.key}"
    if isinstance(value, InvalidText):
        used = f"; {entry.if_wrong or entry.default} is used" if entry.field else ""
        if entry.opens:
            used = LEFT_AS_IT_IS
        noted.add(path, f"{entry.key}: {value.reason}{used}", value.hint, findings.SITE_VALUE)
        return entry.if_wrong or None
    if not entry.field:
        if not _is_quiet(entry, text, value):
            shown = "" if entry.key in SECRET_KEYS else f": {texts.short(text)}"
            noted.add(
                path,
                f"{entry.key}{shown} has no effect here: {entry.why}",
                f"Remove {entry.key}",
                findings.SITE_NO_EFFECT,
                entry.severity,
            )
        return None
    if isinstance(value, str) and value in entry.refused:
        why, instead = entry.refused[value]
        hint = f"Choose another {entry.key}"
        noted.add(path, f"{entry.key}: {why}", hint, findings.SITE_NO_EFFECT, "warning")
        return instead
    if entry.read is texts.label_pairs:
        return text  # The renderer splits these texts of `SiteOptions`.
    return value


def _is_quiet(entry: SiteKey, text: str, value: Any) -> bool:
    """Whether the value only asks for the default behavior."""
    if isinstance(value, bool):
        return str(value).lower() in entry.quiet
    return text in entry.quiet


def _older_keys(data: Mapping[str, str], values: dict[str, Any], noted: ObjectFindings) -> None:
    for key, newer, meant in (
        ("edge", "router-mode", "edge"),
        ("cluster-local", "ingress", "none"),
    ):
        text = data.get(key, "")
        if not text:
            continue
        value = texts.boolean(text)
        if isinstance(value, InvalidText):
            left = LEFT_AS_IT_IS if BY_KEY[key].opens else ""
            path = f"data.{key}"
            noted.add(path, f"{key}: {value.reason}{left}", value.hint, findings.SITE_VALUE)
        elif value and not data.get(newer):
            values[BY_KEY[key].field] = meant


def _bounds(values: dict[str, Any], noted: ObjectFindings) -> None:
    """Apply rules between keys, and Skupper's own minimums."""
    if values.get("router_mode") == "edge":
        values["ingress"] = "none"
        if values.get("routers", 1) > 1:
            noted.add(
                "data.routers",
                "routers: those of an edge do not link to each other, so each gives out only its "
                "part of each capacity, and none helps another",
                "Write 1, or router-mode: interior",
                findings.SITE_VALUE,
                "warning",
            )
    if values.get("routers") == 0:
        del values["routers"]
    if values.get("service_sync_site_ttl_s", _TTL_S_MIN) < _TTL_S_MIN:
        values["service_sync_site_ttl_s"] = _TTL_S_MIN
        noted.add(
            "data.service-sync-site-ttl",
            "service-sync-site-ttl: less than a minute counts as a minute",
            "Write 1m or more",
            findings.SITE_VALUE,
            "warning",
        )
    for what in ("cpu", "memory"):
        least, most = values.get(f"router_{what}"), values.get(f"router_{what}_limit")
        if least is None or most is None:
            continue
        asked, bound = texts.amount(least), texts.amount(most)
        if asked is not None and bound is not None and asked > bound:
            values[f"router_{what}"] = most
            noted.add(
                f"data.router-{what}",
                f"router-{what} {least} is above router-{what}-limit {most}, which is used",
                f"Raise router-{what}-limit, or lower router-{what}",
                findings.SITE_VALUE,
            )


def _spread(found: Object) -> dict[str, Any]:
    """Labels and annotations for generated objects, and whether the site is left alone."""
    notes, marks = annotations(found), labels(found)
    ignored = marks.get(names.SITE_CONTROLLER_IGNORE, "")
    return {
        "labels": copied_labels.spreading(marks, _listed(notes.get(names.EXCLUDE_LABELS, ""))),
        "annotations": copied_labels.spreading(
            notes, _listed(notes.get(names.EXCLUDE_ANNOTATIONS, ""))
        ),
        "is_left_alone": texts.boolean(ignored) is True,
    }


def _listed(text: str) -> frozenset[str]:
    return frozenset(item.strip() for item in text.split(","))


def _document(
    options: SiteOptions, of_site: Mapping[str, Any], defaults: SiteDefaults, namespace: str
) -> Document:
    spec = SiteSpec(
        router_mode="edge" if options.router_mode == "edge" else "interior",
        # Like in Skupper, ingress none excludes peers outside the cluster; only an edge accepts no
        # link.
        ingress="none" if options.router_mode == "edge" else "host",
        ingress_bind_ip=defaults.bind_ip,
        bind_port=LINK_PORT,
        bind_ip=defaults.bind_ip,
        service_sync=options.service_sync,
        service_sync_site_ttl_s=options.service_sync_site_ttl_s,
        adopt_services=options.adopt_services,
        console=_console(options, defaults, namespace) if options.console else None,
        **of_site,
    )
    return Document(kind="Site", name=options.name, spec=spec, source=SOURCE)


def _console(options: SiteOptions, defaults: SiteDefaults, namespace: str) -> ConsoleSpec:
    """A console with TLS and a login, under any host name: the login protects it."""
    hosts = (*console.service_names(namespace), EVERY_HOST)
    auth: ConsoleAuth = "openshift" if options.console_authentication == "openshift" else "internal"
    return ConsoleSpec(bind=join(defaults.bind_ip, console.PORT), auth=auth, hosts=hosts)
