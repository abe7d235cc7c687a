"""Every `sitectl` command that a page shows has verbs, flags and arguments that there are."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sitectl.base.failure import Failure
from sitectl.main import cli
from tests.unit.test_docs import PAGES, ROOT

_FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
_CODE = re.compile(r"`([^`\n]+)`")
_BEFORE = re.compile(r"(?:\$ |sudo |time |[A-Z_]+=\S+ )*")
_AFTER = re.compile(r"\s+#\s|\s{3,}|\s\d?[<>]| &$")
_LEFT_OUT = re.compile(r"[…|\[]|\bVERB\b")
"""Abbreviations and patterns, which are not typed as they are."""


def commands(text: str) -> Iterator[str]:
    """The commands in blocks, and those that the text names, without remarks beside them."""
    lines = _CODE.findall(_FENCED.sub("", text))
    for block in _FENCED.findall(text):
        lines += block.replace("\\\n", " ").splitlines()
    for line in lines:
        for part in re.split(r"\s*(?:;|&&|\|\||\|)\s+", line.strip()):
            typed = _AFTER.split(_BEFORE.sub("", part, count=1))[0].rstrip(",.")
            if typed.startswith("sitectl ") and not _LEFT_OUT.search(typed):
                yield typed


def fault(typed: str) -> str:
    """Why `sitectl` would not take it; empty: it would, perhaps with further words."""
    command: click.Command = cli
    parent, left = None, shlex.split(typed)[1:]
    try:
        while isinstance(command, click.Group):
            context = click.Context(command, parent=parent, **command.context_settings)
            left = click.Command.parse_args(command, context, left) if left else []
            if not left:
                return ""  # The group is named.
            name, chosen, left = command.resolve_command(context, left)
            assert name is not None and chosen is not None
            parent, command = context, chosen
        command.make_context(command.name, left, parent=parent)
    except click.MissingParameter:
        return ""  # The text names the verb; the rest is in its head.
    except click.BadOptionUsage as error:
        return "" if "requires an argument" in error.message else error.message
    except click.BadParameter as error:
        return "" if "does not exist" in error.message else error.message
    except click.UsageError as error:
        return error.message
    except Failure as failure:
        return "" if failure.message.startswith("no file ") else failure.message
    except click.exceptions.Exit:
        return ""
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_taken(page: Path) -> None:
    wrong = {typed: why for typed in commands(page.read_text("utf-8")) if (why := fault(typed))}
    assert wrong == {}


def leads_back(typed: str) -> bool:
    """Whether it gives a service the port of its own target on loopback, where listeners of sites
    are by default: `sitectl` refuses that."""
    words = shlex.split(typed)
    if words[1:4] != ["expose", "host", "127.0.0.1"]:
        return False
    given = dict(itertools.pairwise(words))
    return given.get("--target-port", given.get("--port")) == given.get("--port")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_exposes_a_target_at_the_place_of_the_listener(page: Path) -> None:
    assert [typed for typed in commands(page.read_text("utf-8")) if leads_back(typed)] == []


@pytest.mark.parametrize(
    "typed",
    [
        "sitectl revoke-access partner",
        "sitectl service stauts",
        "sitectl status --bogus",
        "sitectl service set shop --policy fulll",
    ],
)
def test_a_command_with_a_mistake_is_found(typed: str) -> None:
    assert list(commands(f"Type `{typed}`.")) == [typed]
    assert fault(typed)
