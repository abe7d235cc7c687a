"""`sitectl --help`: verbs in sections, by what one wants to do; and the verb that was meant."""

from collections.abc import Iterable, Mapping
from typing import Final

from router.model.wording.suggestions import nearest

SECTIONS: Final = (
    ("Site", "init run start stop status check health site update delete"),
    ("Links", "token link network ping access ca revoke-access"),
    ("Services", "service expose unexpose gateway sidecar burst"),
    ("What happens", "top why events graph explain simulate demo"),
    ("Documents", "apply get mesh"),
    ("Moving and repairing", "backup restore migrate debug"),
    ("This command", "completion switch version verify"),
)
_OTHERS: Final = "More"


def sections(verbs: Mapping[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, and under each the verbs of ``verbs`` (name and text) in the order of `SECTIONS`.

    Verbs that no section names get a separate title, so no verb is ever left out.
    """
    left = dict(verbs)
    found = [
        (title, [(name, left.pop(name)) for name in names.split() if name in left])
        for title, names in SECTIONS
    ]
    return [(title, lines) for title, lines in (*found, (_OTHERS, list(left.items()))) if lines]


def meant(typed: str, known: Iterable[str]) -> str:
    """`` Did you mean 'status'?``; empty: nothing is near."""
    near = nearest(typed, known)
    return f" Did you mean {near!r}?" if near else ""


def first_example(text: str) -> str:
    """The first command line in a verb's help, without its comment; empty: none."""
    for line in text.splitlines():
        words = line.strip()
        if line.startswith("  ") and words.startswith("sitectl "):
            return words.split("   ")[0]
    return ""
