"""Findings on one object, recorded while it is read."""

from typing import Any, Final

from router.kubernetes.objects.objects import Object
from router.model.errors import ConfigError, Severity

SITE_VALUE, SITE_KEY, SITE_NO_EFFECT = "SW0405", "SW0406", "SW0407"
ANNOTATION_VALUE, ANNOTATION_NO_EFFECT = "SW0408", "SW0409"
PORTS, CONTRADICTION, LOOP = "SW0410", "SW0411", "SW0412"
LEFT_TO_SKUPPER, DOCUMENTS, TOKEN, SKUPPER_SERVICES = "SW0414", "SW0415", "SW0416", "SW0417"
STILL_IN_FORCE = "SW0418"
CODES: Final = {
    SITE_VALUE: "a value of `skupper-site` cannot be used; the default is",
    SITE_KEY: "`skupper-site` has a key that does not exist",
    SITE_NO_EFFECT: "a key or value of `skupper-site` has no effect here",
    ANNOTATION_VALUE: "the value of an annotation cannot be used",
    ANNOTATION_NO_EFFECT: "an annotation does not exist, or has no effect on this kind",
    PORTS: "no port is known, or ports of two objects do not fit",
    CONTRADICTION: "two objects of one address say different things; the older one counts",
    LOOP: "a target leads back to the router",
    LEFT_TO_SKUPPER: "left to Skupper, which runs in the same namespace",
    DOCUMENTS: "a ConfigMap with documents has something that is none of the site's",
    TOKEN: "a Secret with a token makes no link, or its cost or state cannot be used",
    SKUPPER_SERVICES: "an entry of `skupper-services` cannot be used",
    STILL_IN_FORCE: "an object is wrong, and what it said before stays in force",
}
"""Meanings of the codes, which never change; SW0401 to SW0404 are of the network."""

ANNOTATIONS: Final = "metadata.annotations[{}]"


class ObjectFindings:
    """The findings on one object; ``source`` is its ``KIND/NAME``."""

    __slots__ = ("errors", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.errors: list[ConfigError] = []

    def add(
        self, path: str, reason: str, hint: str, code: str, severity: Severity = "error"
    ) -> None:
        """Record a finding at the field ``path``."""
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
        """Record a finding about an annotation."""
        self.add(ANNOTATIONS.format(key), reason, hint, code, severity)


def data_of(found: Object, noted: ObjectFindings, code: str) -> list[tuple[str, Any]]:
    """Keys and values of a ConfigMap, sorted; values may be anything, wrong shapes are recorded."""
    data = found.get("data")
    if data is None:
        return []
    if not isinstance(data, dict):
        noted.add("data", "expected a mapping", "Write KEY: VALUE", code)
        return []
    return sorted(((str(key), value) for key, value in data.items()), key=lambda item: item[0])
