"""Codes of mesh files."""

from typing import Final

from router.model.codes.code import Code

CODES: Final = (
    Code(
        "SW0740",
        "Not a mesh file",
        "The file is not one document of kind Mesh, or has no site.",
        "docs/mesh.md has an example; documents of one site: sitectl apply -f FILE",
    ),
    Code(
        "SW0741",
        "A name that the mesh file does not have",
        "A link, service, grant or test names a site or service that the file lacks, or one twice.",
        "Correct the name at the place that the error has",
    ),
    Code(
        "SW0742",
        "A sentence that is no test",
        "A line of `tests` is in none of the forms that can be judged.",
        "Write it in one of the forms that the error lists",
    ),
    Code(
        "SW0743",
        "A link that cannot be",
        "A link of the mesh file leads to its own site or to one that accepts none, has the name "
        "of another one, or other terms than another one of the same two sites.",
        "Let the other site dial, give the link a name, or both the same allow",
    ),
    Code(
        "SW0744",
        "Links wait for a site out of reach",
        "All that can be done from here is done; links lack the claim of a site elsewhere.",
        "At that site: sitectl mesh apply -f FILE --invite DIR; then here: --invitation FILE",
    ),
    Code(
        "SW0745",
        "A site is not what the mesh file says, and no apply can make it so",
        "Another site is found at that place, another program runs its router, a document is in a "
        "file of your own, or a site was let in on other terms or revoked. Nothing was changed at "
        "any site.",
        "What the error names; sitectl mesh plan -f FILE shows all of them",
    ),
    Code(
        "SW0746",
        "A test of the mesh file failed",
        "Routers in virtual time, configured as the file says, do not do what a sentence says.",
        "Correct the file, or the sentence; the line says what happened instead",
    ),
)
