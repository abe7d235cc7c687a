"""Which router answers for an address while Skupper's router runs in the same namespace.

Skupper runs beside ours if its Deployment ``skupper-router`` exists. Then an annotated object is

- **ours** if it is marked so (``spillway.dev/migrated: "true"``), or if a ConfigMap with documents
  has a Service or Connector of its address;
- else **Skupper's** if Skupper's service controller exists (it acts on each annotated object), or
  if Skupper has the address: it is a key of ``skupper-services``, or the Service of that name leads
  to Skupper's router;
- else ours: no part of Skupper acts on it.
"""

from collections.abc import Collection, Mapping

import msgspec

from router.kubernetes.objects import names, texts
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    annotations,
    is_going,
    labels,
    section,
)
from router.kubernetes.services import adoption


class Beside:
    """The answer for one snapshot; ``documented`` are the addresses that documents name."""

    __slots__ = ("_defined", "_documented", "_sees_all", "_services", "runs")

    def __init__(self, snapshot: Snapshot, documented: Collection[str]) -> None:
        self.runs = _is_there(snapshot, names.SKUPPER_ROUTER)
        self._sees_all = self.runs and _is_there(snapshot, names.SKUPPER_SERVICE_CONTROLLER)
        self._documented = documented
        self._services = snapshot.of("Service")
        definitions = snapshot.get("ConfigMap", names.SERVICES_CONFIGMAP)
        self._defined: Mapping[str, object] = section(definitions, "data")

    def is_skuppers(self, found: Object, address: str) -> bool:
        """Whether ``found``, annotated for ``address``, is left to Skupper."""
        if not self.runs or is_migrated(found) or address in self._documented:
            return False
        return self._sees_all or self.has_address(address)

    def has_address(self, address: str) -> bool:
        """Whether Skupper, which runs here, answers at ``address``."""
        if not self.runs:
            return False
        service = self._services.get(address)
        return address in self._defined or (service is not None and adoption.is_skuppers(service))

    def makes_service(self, address: str) -> bool:
        """Whether Skupper, which runs here, makes or rewrites the Service of ``address``."""
        text = self._defined.get(address) if self.runs else None
        return isinstance(text, str) and not _is_without_service(text)


def _is_without_service(text: str) -> bool:
    """Whether an entry of ``skupper-services`` wants no Service here."""
    if "Never" not in text:
        return False
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("exposeIngress") == "Never"


def is_migrated(found: Object) -> bool:
    """Whether an annotated object is marked as ours."""
    return texts.boolean(annotations(found).get(names.MIGRATED, "").strip()) is True


def is_skuppers_own(found: Object) -> bool:
    """Whether the object is a part of Skupper's installation rather than an application."""
    return labels(found).get("app.kubernetes.io/part-of", "").startswith("skupper")


def is_skuppers_token(found: Object) -> bool:
    """Whether a Secret with a token was issued by a Skupper site."""
    notes = annotations(found)
    return names.SITE_VERSION in notes and not any(key.startswith(names.PREFIX) for key in notes)


def _is_there(snapshot: Snapshot, name: str) -> bool:
    found = snapshot.get("Deployment", name)
    return found is not None and not is_going(found)
