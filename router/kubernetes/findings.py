"""What is wrong with one object, noted while it is read.

Codes: SW0405 a value of ``skupper-site``, SW0406 a key that does not exist, SW0407 a key or value
without effect here; SW0408 an annotation's value, SW0409 an annotation that does not exist or has
no effect there, SW0410 ports, SW0411 two objects with one address, SW0412 a target that leads
back to the router, SW0413 a target Service that is not there, SW0414 left to Skupper, SW0415
documents in ConfigMaps, SW0416 Secrets with tokens, SW0417 ``skupper-services``.
"""

from typing import Any, Final

from router.kubernetes.objects import Object
from router.model.errors import ConfigError, Severity

SITE_VALUE, SITE_KEY, SITE_NO_EFFECT = "SW0405", "SW0406", "SW0407"
ANNOTATION_VALUE, ANNOTATION_NO_EFFECT = "SW0408", "SW0409"
PORTS, CONTRADICTION, LOOP, NO_TARGET = "SW0410", "SW0411", "SW0412", "SW0413"
LEFT_TO_SKUPPER, DOCUMENTS, TOKEN, SKUPPER_SERVICES = "SW0414", "SW0415", "SW0416", "SW0417"

ANNOTATIONS: Final = "metadata.annotations[{}]"


class Findings:
    """The findings on one object; ``source`` is its ``KIND/NAME``."""

    __slots__ = ("errors", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.errors: list[ConfigError] = []

    def add(
        self, path: str, reason: str, hint: str, code: str, severity: Severity = "error"
    ) -> None:
        """Note one at the field ``path``."""
        self.errors.append(
            ConfigError(self.source, path, reason, hint=hint, code=code, severity=severity)
        )

    def annotation(
        self,
        key: str,
        reason: str,
        hint: str,
        code: str = ANNOTATION_VALUE,
        severity: Severity = "error",
    ) -> None:
        """Note one about an annotation."""
        self.add(ANNOTATIONS.format(key), reason, hint, code, severity)


def data_of(found: Object, noted: Findings, code: str) -> list[tuple[str, Any]]:
    """Keys and values of a ConfigMap, sorted; values may be anything, wrong shapes are noted."""
    data = found.get("data")
    if data is None:
        return []
    if not isinstance(data, dict):
        noted.add("data", "expected a mapping", "Write KEY: VALUE", code)
        return []
    return sorted(((str(key), value) for key, value in data.items()), key=lambda item: item[0])
