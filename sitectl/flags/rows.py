"""Flags that are made from rows of the table of settings (`router.documents.schema`).

A row with a flag is read on the command line as in a document: the same bounds, the same words.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from router.documents import quantities, readers
from router.documents.fields import Field, default_text
from router.documents.nodes import Findings, Scalar
from router.documents.schema import SHAPES
from router.model.specs import Kind
from sitectl.base.failure import usage
from sitectl.base.options import Decorated

_META: Final = "sitectl.flags.rows"
_LINK: Final = re.compile(r" \(\[[^]]*\]\([^)]*\)\)")


def rows_of(kind: Kind) -> list[Field]:
    """The rows of ``kind`` that have a flag."""
    return [row for row in SHAPES[kind].fields.values() if row.flag]


def row_flags(kind: Kind) -> Callable[[Decorated], Decorated]:
    """Give a verb the flags of the rows of ``kind``; `values_of` and `texts_of` return the given
    ones."""

    def decorate(function: Decorated) -> Decorated:
        for row in reversed(rows_of(kind)):
            default = default_text(SHAPES[kind].struct, row)
            function = row_flag(row, default, expose_value=False, callback=remember)(function)
        return function

    return decorate


def row_flag(row: Field, default: str | None, **how: Any) -> Callable[[Callable[..., Any]], Any]:
    """The flag of ``row``; None where it is not given. ``default``: for its help."""
    text = help_text(row, default)
    if row.read is readers.boolean:
        return click.option(f"--{row.flag}/--no-{row.flag}", default=None, help=text, **how)
    metavar = _metavar(row)
    return click.option(f"--{row.flag}", type=RowParam(row), metavar=metavar, help=text, **how)


def help_text(row: Field, default: str | None) -> str:
    """The description of the row, as one sentence of plain text."""
    text = _LINK.sub("", row.text).replace("`", "")
    shown = f" [default: {default}]" if default else ""
    if not row.text.startswith("`"):  # A word to type stays as it is.
        text = f"{text[0].upper()}{text[1:]}"
    return f"{text}.{shown}"


class RowParam(click.ParamType[str]):
    """A text that the row's reader takes."""

    def __init__(self, row: Field) -> None:
        self.row = row
        self.name = row.flag

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value`` as it was typed, once it is right."""
        text = str(value)
        findings = Findings("")
        if isinstance(read(self.row, text, findings), readers.Bad):
            error = findings.errors[0]
            self.fail(f"{error.reason}. {error.hint}".removesuffix(". "), param, ctx)
        return text

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The words that there are."""
        reader = readers.without_option(self.row.read)
        words = reader.choices if isinstance(reader, readers.WordReader) else ()
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def read(row: Field, text: str, findings: Findings | None = None) -> Any:
    """The value of ``text`` for ``row``; ``BAD``, with the reason in ``findings``, if it does not
    fit."""
    return row.read(findings or Findings(""), Scalar(text, text != "", 1, 1), "")


def _metavar(row: Field) -> str:
    reader = readers.without_option(row.read)
    if isinstance(reader, readers.WordReader):
        return f"[{'|'.join(reader.choices)}]"
    kinds: tuple[tuple[type, str], ...] = (
        (quantities.DurationReader, "DURATION"),
        (quantities.IntegerReader, "N"),
    )
    known = next((name for kind, name in kinds if isinstance(reader, kind)), "")
    return known or ("SIZE" if row.is_size else "VALUE")


def remember(ctx: click.Context, param: click.Parameter, value: str | bool | None) -> None:
    """Callback of a flag whose text `typed` has."""
    if value is not None:
        text = str(value).lower() if isinstance(value, bool) else value
        ctx.meta.setdefault(_META, {})[param.opts[0].removeprefix("--")] = text


def typed(ctx: click.Context) -> dict[str, str]:
    """The texts that `remember` stored, by flag without its dashes."""
    found: dict[str, str] = ctx.meta.get(_META, {})
    return found


def texts_of(kind: Kind) -> dict[str, str]:
    """By attribute: the texts of the rows of ``kind`` whose flags were typed."""
    texts = typed(click.get_current_context())
    return {row.attribute: texts[row.flag] for row in rows_of(kind) if row.flag in texts}


def values_of(kind: Kind) -> dict[str, Any]:
    """As `texts_of`, parsed."""
    texts = texts_of(kind)
    return {row.attribute: read(row, texts[row.attribute]) for row in typed_rows(kind)}


def keys_of(kind: Kind) -> dict[str, str]:
    """By key of ConfigMap ``skupper-site``, the same texts. Failure: there is no such key."""
    texts = texts_of(kind)
    for row in typed_rows(kind):
        if not row.site_key:
            raise usage(
                f"--{row.flag} is for sites on hosts", "docs/kubernetes-skupper.md has all keys"
            )
    return {row.site_key: texts[row.attribute] for row in typed_rows(kind)}


def typed_rows(kind: Kind) -> list[Field]:
    """The rows of ``kind`` whose flags were typed."""
    texts = texts_of(kind)
    return [row for row in rows_of(kind) if row.attribute in texts]
