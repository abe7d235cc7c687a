"""Fields of the site's document that a running router cannot apply: each is a finding until its
next start. Pure."""

from collections.abc import Iterable, Sequence

from router.documents import Wanted
from router.model.errors import ConfigError
from router.model.specs import Document


def findings(
    started: Wanted, wanted: Wanted, documents: Iterable[Document], hint: str
) -> Sequence[ConfigError]:
    """Findings on fields of ``wanted`` that differ from the state with which the router
    ``started``.

    ``documents``: those that count; the site's gives the place. ``hint``: how to restart the
    router.
    """
    changed = [
        (path, f"{wants}, and this router {has} until it is started again")
        for path, before, now, wants, has in (
            (
                "$.name",
                started.name,
                wanted.name,
                f"the site is named {wanted.name}",
                f"runs as {started.name}",
            ),
            (
                "$.spec.routerMode",
                started.site.router_mode,
                wanted.site.router_mode,
                f"routerMode is {wanted.site.router_mode}",
                f"runs as {started.site.router_mode}",
            ),
            (
                "$.spec.admin",
                started.site.admin,
                wanted.site.admin,
                f"admin is {wanted.site.admin or 'not set'}",
                f"serves its admin API at {started.site.admin or 'its socket alone'}",
            ),
        )
        if before != now
    ]
    source = next((one.source for one in documents if one.kind == "Site"), "")
    return [ConfigError(source, path, reason, hint=hint, code="SW0311") for path, reason in changed]
