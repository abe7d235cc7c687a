"""Skupper v1's part of a moving address: entries, and Services in their original form. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from router.kubernetes.objects import names, texts
from router.kubernetes.objects.objects import Object, annotations, labels, spec_of
from router.kubernetes.services import adoption

SKUPPERS_NOTES: Final = (
    names.SKUPPER_ORIGINAL_SELECTOR,
    names.SKUPPER_ORIGINAL_PORT,
    names.SKUPPER_ASSIGNED_PORT,
)
"""Annotations in which Skupper stores a Service's original state."""


def is_foreign(text: str) -> bool:
    """Whether an entry came from another Skupper site."""
    origin = _entry(text).get("origin")
    return isinstance(origin, str) and origin not in ("", "annotation")


def placeholder(text: str) -> str:
    """An entry of this site for the address of ``text``, without targets and Service."""
    found = _entry(text)
    kept = {key: found[key] for key in ("address", "protocol", "ports") if key in found}
    return json.dumps({**kept, "exposeIngress": "Never", "targets": []})


def _entry(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def original(service: Object) -> Object:
    """A Service that Skupper led to its router, as it was before."""
    notes = annotations(service)
    spec = dict(spec_of(service))
    if names.SKUPPER_ORIGINAL_SELECTOR in notes:
        spec["selector"] = texts.pairs(notes[names.SKUPPER_ORIGINAL_SELECTOR])
    was = texts.port_pairs(notes.get(names.SKUPPER_ORIGINAL_PORT, "-"))
    if not isinstance(was, texts.InvalidText):
        given = dict(was)
        spec["ports"] = [
            {**port, "targetPort": given.get(port["port"], port.get("targetPort", port["port"]))}
            for port in adoption.ports(service)
            if port["port"] in given
        ] or spec.get("ports")
    kept = {key: value for key, value in notes.items() if key not in SKUPPERS_NOTES}
    return adoption.with_metadata(service, labels(service), kept) | {"spec": spec}
