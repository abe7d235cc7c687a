"""The tree of `sitectl`'s verbs, for generated pages."""

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click
import msgspec

from sitectl.base.failure import Exit
from sitectl.base.help import sections
from sitectl.main import VERBS, cli

HELP: Final = ("-h, --help", "--help")
EXITS: Final = {
    Exit.OK: "done, or there already",
    Exit.FAILED: "failed; the message says why and what to type next",
    Exit.USAGE: "a word is wrong: nothing was done",
    Exit.DEGRADED: "it works, but not all is well (`check`); `status` verbs: or no router runs",
    Exit.NOT_FOUND: "what was named is not there",
    Exit.CONFLICT: "something else is there already",
    Exit.TIMED_OUT: "not within the time; it may still happen",
    Exit.NOT_ALLOWED: "the system or the cluster does not let this user",
    Exit.UNREACHABLE: "the router does not answer",
    Exit.INTERRUPTED: "interrupted",
}


class ManualVerb(msgspec.Struct, frozen=True):
    """One command: its words, its usage, its help text, its own flags, its examples."""

    words: tuple[str, ...]
    usage: str
    text: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    examples: str
    verbs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The command as typed."""
        return " ".join(self.words)


def verbs() -> Iterator[ManualVerb]:
    """The root and all commands below it, groups before their verbs."""
    root = click.Context(cli, info_name="sitectl")
    yield _verb(cli, root, ("sitectl",))
    for _, listed in sections({name: text for name, (_, _, text) in VERBS.items() if text}):
        for name, _ in listed:
            yield from _below(root, name, ("sitectl",))


def _below(parent: click.Context, name: str, words: tuple[str, ...]) -> Iterator[ManualVerb]:
    assert isinstance(parent.command, click.Group)
    command = parent.command.get_command(parent, name)
    assert command is not None
    if command.hidden:
        return
    words = (*words, name)
    ctx = click.Context(command, parent=parent, info_name=name)
    yield _verb(command, ctx, words)
    if isinstance(command, click.Group):
        for below in command.list_commands(ctx):
            yield from _below(ctx, below, words)


def _verb(command: click.Command, ctx: click.Context, words: tuple[str, ...]) -> ManualVerb:
    text, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    paragraphs = [re.sub(r"\s+", " ", part).strip() for part in text.split("\n\n")]
    usage = [part.strip() for part in command.collect_usage_pieces(ctx)]
    options = [
        (_once(record[0]), _once(record[1]))
        for param in command.get_params(ctx)
        if isinstance(param, click.Option) and (record := param.get_help_record(ctx))
    ]
    below = command.list_commands(ctx) if isinstance(command, click.Group) else []
    return ManualVerb(
        words,
        " ".join((*words, *usage)),
        tuple(part for part in paragraphs if part),
        tuple(options),
        re.sub(r"^\b\n", "", examples, flags=re.M).rstrip(),
        tuple(below),
    )


def _once(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
