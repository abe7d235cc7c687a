"""SW01xx: documents, whatever their source."""

from typing import Final

from router.model.codes.code import Code
from router.model.specs import POLICIES

CODES: Final = (
    Code(
        "SW0100",
        "Documents are valid",
        "`check -f` found nothing wrong in the file.",
        "Nothing: sitectl apply -f FILE makes them wanted state",
    ),
    Code(
        "SW0101",
        "A field",
        "A field of a document is missing, unknown or has a value that it cannot have. The last "
        "good state of that document stays in force, also over a restart.",
        "Correct the field at the file, line and column that are named; sitectl check -f FILE",
    ),
    Code(
        "SW0102",
        "YAML syntax",
        "The file is no YAML, or no UTF-8.",
        "Correct it at the line and column that are named",
    ),
    Code(
        "SW0103",
        "A feature of YAML that is refused",
        "Anchors, tags, merge keys and keys that occur twice are not taken: what a document says "
        "must be what one reads.",
        "Write the values out",
    ),
    Code(
        "SW0104",
        "A capacity",
        "A capacity, a rate or one of their marks cannot be used, or they do not fit together.",
        "Write 10 (at once), 15/s or auto; --resume below the rate",
    ),
    Code(
        "SW0105",
        "A policy",
        "A policy does not exist, or has what it does not take (weights are for split).",
        f"One of {', '.join(POLICIES)}",
    ),
    Code(
        "SW0106",
        "Two documents of one name",
        "The same document is there twice; the first one counts.",
        "Keep one of the two files that are named",
    ),
    Code(
        "SW0107",
        "Documents that contradict each other",
        "Two documents want what cannot both be, as two listeners at one address.",
        "Change one of them as the text says",
    ),
    Code(
        "SW0108",
        "A target that is the site itself",
        "A target is an address at which this site listens: it would call itself.",
        "Move the target, or the site's listeners with bindIp",
    ),
    Code(
        "SW0109",
        "No Site document",
        "Nothing says that there is a site here, or what says it cannot be read.",
        "sitectl init NAME, or correct the document",
    ),
    Code(
        "SW0110",
        "A file that cannot be read",
        "The file is there, and the router may not read it. `in-force.json` may also be damaged: a "
        "document that was wrong when the router started then counts as nothing.",
        "Look at its owner and mode: ls -l",
    ),
    Code(
        "SW0111",
        "Too many files",
        "The directory `config` holds more files than are read; those after are left out.",
        "Join documents in one file, separated by ---",
    ),
    Code(
        "SW0112",
        "A rule that names no site",
        "What --export-to or --import-from got is no name, id or pattern of sites, or too many.",
        "Use names, ids or patterns with *; sitectl network status",
    ),
    Code(
        "SW0113",
        "An object of Skupper v2 that cannot be used",
        "A field of an object of `skupper.io/v2alpha1` has a value that is not possible here. The "
        "other objects count.",
        "Follow the hint, or write the document of Spillway instead: sitectl service create",
    ),
    Code(
        "SW0114",
        "A field of Skupper v2 without effect",
        "The object counts, and this field of it changes nothing here.",
        "Remove the field, or do what the hint says",
    ),
)
