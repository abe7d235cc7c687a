"""YAML of Skupper v2 in ConfigMaps of documents, as its authors have it for Skupper. Pure."""

from router.documents.skupper2 import GROUP, read_objects, translate
from router.documents.skupper2.objects import holds_v2
from router.kubernetes.objects import findings, names
from router.kubernetes.objects.findings import ObjectFindings
from router.model.errors import ConfigError
from router.model.specs import Document


def is_v2(text: str) -> bool:
    """Whether a text has an object of Skupper v2."""
    return GROUP in text and holds_v2(text)


def read_v2(text: str, source: str) -> tuple[list[Document], list[ConfigError]]:
    """The documents that the objects ask for, and what of them has no effect or is wrong."""
    objects, errors = read_objects(text, source)
    found = translate(objects, "namespace")
    noted = ObjectFindings(source)
    if found.site is not None:
        noted.add(
            "$.kind",
            f"Site {found.site.name!r} is left out: in Kubernetes the site is a ConfigMap of its "
            "own",
            f"Its settings belong into ConfigMap {names.SITE_CONFIGMAP}: sitectl update",
            findings.DOCUMENTS,
            "warning",
        )
    for one in (
        *(f"{other.kind}/{other.name}" for other in found.others),
        *(f"{'AccessToken' if token.url else 'Link'}/{token.name}" for token in found.tokens),
        *(f"AccessGrant/{grant.name}" for grant in found.grants),
    ):
        noted.add(
            "$.kind",
            f"{one} is left out: here only Listeners and Connectors count",
            "Apply the file instead: sitectl apply -f FILE",
            findings.DOCUMENTS,
            "warning",
        )
    return list(found.documents), [*errors, *found.errors, *found.notes, *noted.errors]
