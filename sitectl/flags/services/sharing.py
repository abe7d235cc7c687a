"""Flags for the sites that share a service: ``--export-to`` and ``--import-from``."""

import shlex
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from router.documents.readers import SITE_PATTERN_HINT, is_site_pattern
from router.model.limits import SHARING_PATTERNS_MAX
from router.model.rights.sharing import ALL, SHORT_ID_CHARS, names_one_site, shown_pattern
from router.model.specs import Document, SitePolicySpec
from sitectl.base import output
from sitectl.base.failure import Failure, not_found, usage
from sitectl.base.options import flags_as
from sitectl.flags.services.capacity import CapChange, policy_of_service
from sitectl.site.site import Site

EVERYBODY, NOBODY = "all", "none"
"""As values of either flag: the rule is withdrawn, and no site but this one."""


class SharingFlags(msgspec.Struct, frozen=True):
    """As given; empty: not given."""

    export_to: tuple[str, ...] = ()
    import_from: tuple[str, ...] = ()


sharing_flags = flags_as(
    "sharing",
    SharingFlags,
    click.option(
        "--export-to",
        metavar=f"SITE|{EVERYBODY}|{NOBODY}",
        multiple=True,
        help="Sites that may see and use this site's part of the service.",
    ),
    click.option(
        "--import-from",
        metavar=f"SITE|{EVERYBODY}|{NOBODY}",
        multiple=True,
        help="Sites whose targets and declarations of the service count here.",
    ),
)


def with_sharing(site: Site, name: str, cap: CapChange, flags: SharingFlags) -> CapChange:
    """``cap`` and what the flags make of the Policy document of service ``name`` here."""
    if flags == SharingFlags():
        return cap
    usual = policy_of_service(site, ALL) if name != ALL else None
    changed: dict[str, Any] = {}
    for field, given in zip(
        flags.__struct_fields__, (flags.export_to, flags.import_from), strict=True
    ):
        if given:
            rule = with_ids(site, _rule(f"--{field.replace('_', '-')}", given))
            stands = usual is not None and getattr(usual.spec, field) is not None
            changed[field] = (ALL,) if rule is None and stands else rule
    return with_fields(site, name, cap, changed)


def with_fields(site: Site, name: str, cap: CapChange, changed: Mapping[str, Any]) -> CapChange:
    """``cap`` with these fields of the Policy document of service ``name`` here changed too.

    A document that then says nothing goes.
    """
    known = policy_of_service(site, name)
    before: Any = SitePolicySpec(service=name)
    if cap.put:
        before = cap.put[0].spec
    elif known is not None and not cap.gone:
        before = known.spec
    after = msgspec.structs.replace(before, **changed)
    if after == SitePolicySpec(service=name):
        return CapChange(gone=() if known is None else (known,))
    return CapChange((Document("Policy", document_name(site, name, known), after),))


def _rule(flag: str, given: tuple[str, ...]) -> tuple[str, ...] | None:
    """None: all sites. Failure: it names none."""
    words = list(dict.fromkeys(part for text in given for part in text.split(",")))
    if words == [EVERYBODY]:
        return None
    if words == [NOBODY]:
        return ()
    if EVERYBODY in words or NOBODY in words:
        raise usage(f"{flag}: {EVERYBODY} and {NOBODY} stand alone", f"{flag} {words[0]}")
    for word in words:
        if not is_site_pattern(word):
            raise usage(f"{flag}: {word!r} names no site", SITE_PATTERN_HINT, code="SW0112")
    if len(words) > SHARING_PATTERNS_MAX:
        reason = f"{flag}: {len(words)} sites, at most {SHARING_PATTERNS_MAX}"
        raise usage(reason, "Use patterns with *", code="SW0112")
    return tuple(words)


def with_ids(site: Site, rule: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """``rule`` with the ids of the sites that bear its names now, ``NAME@ID``.

    A name that no site bears, or several do, stays: the router resolves it when one does.
    """
    if not rule or not any(map(names_one_site, rule)):
        return rule
    try:
        known = site.admin.get("/api/v1/network")
    except Failure:
        output.note("the router does not answer: it resolves the names of sites when it runs")
        return rule
    named: list[str] = []
    for word in rule:
        ids = [one["id"] for one in known if word in _names(one)] if names_one_site(word) else []
        if len(ids) == 1:
            named.append(f"{word.partition('@')[0]}@{ids[0]}")
            continue
        if names_one_site(word):
            reason = f"{len(ids)} sites are" if ids else "no site is"
            output.note(
                f"{reason} called {word!r} now: the rule means none until one site alone is"
            )
        named.append(word)
    return tuple(dict.fromkeys(named))


def _names(item: dict[str, Any]) -> tuple[str, str]:
    """The names of a site in rules: its own name, alone and with the start of its ID."""
    suffix = f"@{item['id'][:SHORT_ID_CHARS]}"
    name = item["name"].removesuffix(suffix)
    return name, name + suffix


def document_name(site: Site, name: str, known: Document | None) -> str:
    """Of the Policy document of service ``name``: as it is ``known``, else a free one."""
    if known is not None:
        return known.name
    if name != ALL:
        return name
    taken = {document.name for document in site.documents() if document.kind == "Policy"}
    return next(
        free for free in ("default", "all-services", "for-all-services") if free not in taken
    )


def unknown_here(site: Site, name: str, failure: Failure) -> Failure:
    """``failure`` of the router, which knows no service ``name``, with the next step.

    The router names the rule that refuses each declaration of it; with none of them, a rule of
    the documents may be why.
    """
    if failure.code != "not-found":
        return failure
    return not_found(failure.message, where_to_look(site, name, failure.hint))


def where_to_look(site: Site, name: str, other: str = "") -> str:
    """The next step when ``name`` (``NAME[:PORT]``) is not known here: an import rule may be why.

    ``other``: the step otherwise.
    """
    name = name.partition(":")[0]
    for whose in (name, ALL):
        known = policy_of_service(site, whose)
        spec = known.spec if known is not None else None
        if isinstance(spec, SitePolicySpec) and spec.import_from is not None:
            if spec.import_from == (ALL,):
                break
            rule = sharing_text(msgspec.structs.replace(spec, export_to=None))[0]
            change = f"sitectl service set {shlex.quote(whose)} --import-from SITE"
            return f"{change} ({site.name} {rule})"
    return other or "sitectl service status"


def sharing_text(spec: SitePolicySpec) -> list[str]:
    """The rules, human-readable."""
    told = []
    if spec.export_to is not None:
        told.append(f"exports it to {_named(spec.export_to)}")
    if spec.import_from is not None:
        told.append(f"takes it from {_named(spec.import_from)}")
    return told


def _named(rule: tuple[str, ...]) -> str:
    if rule == (ALL,):
        return "all sites"
    if not rule:
        return "no other site"
    *others, last = map(shown_pattern, rule)
    return f"{', '.join(others)} and {last} only" if others else f"{last} only"
