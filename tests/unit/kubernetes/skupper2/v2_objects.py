"""Objects of Skupper v2 as an API server gives them, and the namespaces that they make."""

from collections.abc import Mapping
from typing import Any

from router.kubernetes.skupper2 import reading
from router.kubernetes.skupper2.reading import V2Picture
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from tests.unit.kubernetes.namespace_objects import OWN_SITE, made, snapshot


def v2(kind: str, name: str, *, at: str = "2025-01-01T00:00:00Z", **spec: Any) -> dict[str, Any]:
    """One object; ``at``: when it was made."""
    return {"apiVersion": "skupper.io/v2alpha1", **made(kind, name, at=at, spec=spec)}


def listener(name: str, key: str = "db", host: str = "database", port: int = 5432) -> Any:
    return v2("Listener", name, routingKey=key, host=host, port=port)


def connector(name: str, key: str = "db", port: int = 5432) -> Any:
    return v2("Connector", name, routingKey=key, selector="app=db", port=port)


def several(name: str, *keys: str, host: str = "database", port: int = 5432) -> Any:
    """A MultiKeyListener: the first key with a ready target takes new connections."""
    strategy = {"priority": {"routingKeys": list(keys)}}
    return v2("MultiKeyListener", name, host=host, port=port, strategy=strategy)


def read(*objects: Mapping[str, Any]) -> V2Picture:
    """What these objects of a namespace say."""
    seen = snapshot(objects)
    return reading.read(translate(seen, OWN_SITE), seen, SiteDefaults())


def problems(found: V2Picture) -> list[tuple[str, str, str]]:
    """Code, severity and object of each finding; without fields that have no effect."""
    return [(e.code, e.severity, e.source) for e in found.picture.errors if e.code != "SW0114"]
