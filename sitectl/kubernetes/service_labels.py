"""`service label`: labels of the Services that are made for a service of the network."""

from router.kubernetes.objects.names import SERVICE_LABELS
from router.kubernetes.objects.objects import annotations
from router.kubernetes.objects.texts import is_label_key, is_label_value, pairs
from router.kubernetes.translation.documents import config_map_name
from sitectl.base import output
from sitectl.base.failure import not_found, usage
from sitectl.base.options import Settings
from sitectl.flags.services.names import service_meant
from sitectl.kubernetes.site import KubernetesSite


def label_service(settings: Settings, name: str, words: tuple[str, ...]) -> None:
    """Set and remove labels, or print them when ``words`` is empty."""
    site = KubernetesSite.of(settings)
    name = service_meant(site, name)
    document = site.find("Service", name)
    if document is None:
        raise not_found(
            f"no service {name!r} is declared at {site.name}", f"sitectl service create {name} PORT"
        )
    site.require_ours([document])
    found = site.reading.snapshot.get("ConfigMap", config_map_name("Service", name))
    before = pairs(annotations(found or {}).get(SERVICE_LABELS, ""))
    after = dict(before)
    for word in words:
        _change(after, word)
    text = ",".join(f"{key}={value}" for key, value in sorted(after.items()))
    if not words:
        output.emit_item(
            settings, "Labels", {"name": name, "labels": before}, lambda: text or "No labels."
        )
        return
    marked = after != before and site.mark(document, {SERVICE_LABELS: text or None})
    told = f"has the labels {text}" if text else "has no labels of its own"
    output.report(
        settings, "Service", name, "updated" if marked else "unchanged", f"service {name} {told}"
    )


def _change(labels: dict[str, str], word: str) -> None:
    key, equals, value = word.partition("=")
    if not equals and word.endswith("-"):
        labels.pop(word[:-1], None)
        return
    if not equals or not is_label_key(key) or not is_label_value(value):
        raise usage(f"{word!r} is not a label", "Write NAME=VALUE, or NAME- to remove it")
    labels[key] = value
