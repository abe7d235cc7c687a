"""``--workers``: how many processes the router of a site on a host has."""

from collections.abc import Callable
from typing import Any, Final

import click

from sitectl.base.failure import usage

AUTO: Final = "auto"
MOST: Final = 64


class WorkersParam(click.ParamType[int | str]):
    """A number, or ``auto``."""

    name = "N|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """As a document has it."""
        text = str(value)
        if text == AUTO:
            return AUTO
        if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST):
            self.fail(f"{text!r} is neither 1 to {MOST} nor {AUTO}", param, ctx)
        return int(text)


def workers_flag(text: str) -> Callable[[Any], Any]:
    """The flag as argument ``workers``; None: it was not given."""
    return click.option("--workers", type=WorkersParam(), metavar="N|auto", help=text)


def refuse_several(workers: int | str | None, *, is_edge: bool, has_peers: bool) -> None:
    """Raise Failure where the router of a site on a host is one process, and several are wanted."""
    if workers in (None, 1):
        return
    if is_edge:
        raise usage("--workers: an edge router is one process", "Leave --workers out")
    if has_peers:
        text = "--workers: each router of a site with peers is one process"
        raise usage(text, "Leave --workers out, or have this router alone: --peer none")


def refuse_workers(workers: int | str | None) -> None:
    """Raise Failure: in a namespace a site has several routers instead."""
    if workers is not None:
        raise usage(
            "--workers is for sites on hosts; a namespace has several routers", "--routers 2"
        )
