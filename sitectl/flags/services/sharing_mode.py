"""``--sharing open|strict``: whether uses that no rule and no grant allows are allowed."""

from typing import Final

from sitectl.base import output
from sitectl.site.site import Change, Site

_MEANING: Final = {
    "open": "what no rule forbids is allowed",
    "strict": "what no rule and no grant allows is not allowed",
}


def is_strict(site: Site) -> bool:
    """Whether the wanted state of ``site`` says so."""
    return site.wanted().site.sharing == "strict"


def mode_text(name: str, sharing: str, change: Change) -> str:
    """The effect of a changed mode, as text."""
    unchanged = ", unchanged" if change == "unchanged" else ""
    return f"site {name} is {sharing}: {_MEANING[sharing]}{unchanged}"


def note_to_grant(site: Site) -> None:
    """Note the grants that a strict site needs for the site that joins by a token."""
    if not is_strict(site):
        return
    output.note(f"{site.name} is strict: the site that joins gets nothing until you allow it.")
    output.note(
        "Next: sitectl service grant NAME --site SITE --call lets it call a service of this site; "
        "or: sitectl service set NAME --import-from SITE, to use a service of that site"
    )
