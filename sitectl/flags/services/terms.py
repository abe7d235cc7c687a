"""Flags for the terms of a token: the rights of the site that joins by it; and their text."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sitectl.base.failure import usage
from sitectl.base.options import flags_as

if TYPE_CHECKING:
    from certs.ca.terms import TokenTerms

_WAYS = ("declare", "export", "import")
_VERBS = {"declare": "declares", "export": "serves", "import": "asks for"}


class TermsFlags(msgspec.Struct, frozen=True):
    """As given: empty, not given; an empty pattern: none."""

    services: tuple[str, ...] = ()
    declare: tuple[str, ...] = ()
    export: tuple[str, ...] = ()
    import_: tuple[str, ...] = ()


def _pattern_option(flag: str, field: str, text: str) -> Callable[[Any], Any]:
    return click.option(flag, field, metavar="PATTERN", multiple=True, help=text)


terms_flags = flags_as(
    "terms",
    TermsFlags,
    _pattern_option(
        "--allow-services",
        "services",
        "Services that the joining site may declare, serve and use. [default: all services]",
    ),
    _pattern_option("--allow-declare", "declare", "Services that the joining site may declare."),
    _pattern_option(
        "--allow-export", "export", "Services that the joining site may have targets of."
    ),
    _pattern_option("--allow-import", "import_", "Services that the joining site may use."),
)


def terms_of(flags: TermsFlags) -> "TokenTerms":
    """The terms of the flags. Failure: an invalid pattern."""
    from certs.ca.terms import TokenTerms

    usual = _patterns("services", flags.services, None)
    return TokenTerms(
        declare=_patterns("declare", flags.declare, usual),
        export=_patterns("export", flags.export, usual),
        import_=_patterns("import", flags.import_, usual),
    )


def _patterns(
    way: str, given: tuple[str, ...], usual: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    from certs.ca.terms import Patterns
    from certs.limits import TERMS_PATTERNS_MAX

    if not given:
        return usual
    patterns = tuple(dict.fromkeys(pattern for pattern in given if pattern))
    try:
        return msgspec.convert(patterns, Patterns)
    except msgspec.ValidationError as error:
        raise usage(
            f"--allow-{way} {' '.join(patterns)}: not all of these name services",
            f"Use names in lower case, with * and ?; at most {TERMS_PATTERNS_MAX}",
        ) from error


def terms_fields(terms: "TokenTerms") -> dict[str, list[str] | None]:
    """As JSON has them: None is all."""
    told = (terms.declare, terms.export, terms.import_)
    return {
        way: None if patterns is None else list(patterns)
        for way, patterns in zip(_WAYS, told, strict=True)
    }


def terms_text(fields: Mapping[str, list[str] | None]) -> str:
    """`terms_fields`, human-readable."""
    if all(patterns is None for patterns in fields.values()):
        return "everything"
    if len({str(patterns) for patterns in fields.values()}) == 1:
        return f"{_named(fields['declare'])}, and nothing else"
    return ", ".join(f"{_VERBS[way]} {_named(fields[way])}" for way in _WAYS)


def _named(patterns: list[str] | None) -> str:
    if patterns is None:
        return "all services"
    return " ".join(patterns) or "none"
