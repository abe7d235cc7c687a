"""docs/reference-mesh.md, of the fields by which `sitectl.mesh` reads a mesh file."""

from typing import Final

from router.model.specs import API_VERSION
from sitectl.mesh.sentences import FORMS
from sitectl.mesh.table import SPEC, TABLES
from tests.reference.documents import row

HEAD: Final = f"""# Mesh file: fields

One document of `apiVersion: {API_VERSION}` and `kind: Mesh`, with a `name` and these fields under
`spec`. Made from the code. What they are for: [mesh](mesh.md).

| field | |
|---|---|
"""
BETWEEN: Final = "\n| field | type | default | |\n|---|---|---|---|\n"


def page() -> str:
    """The whole page."""
    parts = [HEAD, *(f"| `{name}` | {text} |\n" for name, (_, text) in SPEC.items())]
    for title, shape in TABLES:
        parts += [f"\n## {title}\n", BETWEEN]
        parts += [row(shape, key, field) for key, field in shape.fields.items()]
        if title == "services: NAME":
            parts.append(
                "\nBeside these, the fields of [Service](reference-documents.md#service).\n"
            )
    parts.append("\n## tests\n\nA list of sentences, each in one of these forms:\n\n")
    parts += [f"- `{form}`\n" for form in FORMS]
    return "".join(parts)
