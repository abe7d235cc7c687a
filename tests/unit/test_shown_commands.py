"""Every `sitectl` command that a page shows has a verb and flags that there are."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sitectl.main import cli
from tests.unit.test_docs import PAGES, ROOT

_FENCED = re.compile(r"^```[a-z]*\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`(?:\$ )?(sitectl [^`\n]+)`")
_TYPED = re.compile(r"^(?:\$ )?((?:[A-Z_]+=\S+ )*sitectl [^\n]*)", re.M)
_ENDS = re.compile(r" +#.*| *(?:&&|\|\|?|;|>|<|\(|&)( |$).*| {3,}.*|\)$")
_GENERATED = ("reference-cli.md",)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command, without comments and pipes; commands with gaps are left out."""
    found = _INLINE.findall(_FENCED.sub("", text))
    for block in _FENCED.findall(text):
        found += _TYPED.findall(block.replace("\\\n", " "))
    for line in found:
        line = _ENDS.sub("", line.partition("sitectl ")[2].replace("\\|", "|"))
        if "…" in line or "..." in line or "[" in line:
            continue
        try:
            yield shlex.split(line)
        except ValueError:
            continue  # A quotation that goes on in the next line.


def wrong(words: list[str]) -> str:
    """The word of a command that does not exist; empty: all exist."""
    command: click.Command = cli
    ctx = click.Context(cli, info_name="sitectl")
    options = _options(ctx)
    left = list(words)
    while left:
        word = left.pop(0)
        flag = word.partition("=")[0]
        if word == "--":
            return ""
        if re.fullmatch(r"--?[a-z].*", word):
            if flag not in options:
                known = any(flag[:2] == name for name in options) and not flag.startswith("--")
                if not known:
                    return f"{' '.join(words)}: no flag {flag}"
            elif options[flag] and "=" not in word and left and left[0][:1] != "-":
                left.pop(0)
        elif isinstance(command, click.Group):
            if re.fullmatch(r"[A-Z]+(\|.*)?|.*\|.*", word):
                return ""  # A VERB of any kind.
            below = command.get_command(ctx, word)
            if below is None:
                return f"{' '.join(words)}: no verb {word}"
            ctx = click.Context(below, parent=ctx, info_name=word)
            command, options = below, {**options, **_options(ctx)}
    return ""


def _options(ctx: click.Context) -> dict[str, bool]:
    """Each flag, and whether it takes a value."""
    return {
        name: not param.is_flag and not param.count
        for param in ctx.command.get_params(ctx)
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in _GENERATED],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_command_of_a_page_has_a_verb_and_flags_that_there_are(page: Path) -> None:
    found = list(commands(page.read_text("utf-8")))
    assert [reason for words in found if (reason := wrong(words))] == []


def test_the_pages_show_many() -> None:
    assert sum(len(list(commands(page.read_text("utf-8")))) for page in PAGES) > 400


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("status", ""),
        ("-n shop link set link1 --cost 8", ""),
        ("link st link1", "link st link1: no verb st"),
        ("link set link1 --price 8", "link set link1 --price 8: no flag --price"),
    ],
)
def test_what_is_wrong_is_named(line: str, reason: str) -> None:
    assert wrong(line.split()) == reason
