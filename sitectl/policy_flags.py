"""Flags for which requests of a service go where, how they wait, and by what id they are known."""

import re
from typing import Any, get_args

import click

from router.model import limits
from router.model.settings import RESERVED_FIELDS, TOKEN_PATTERN
from router.model.specs import PolicyName, PolicySpec
from sitectl.failure import Exit, Failure, usage
from sitectl.options import Decorated, Duration
from sitectl.sessions import AFFINITY_HELP

_POLICIES = get_args(PolicyName)

QUEUE_DEFAULT = -1
"""What ``--queue default`` is read as: none of its own."""


class _QueueLength(click.IntRange):
    name = "integer range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return QUEUE_DEFAULT if value == "default" else super().convert(value, param, ctx)


def policy_flags(function: Decorated) -> Decorated:
    """As ``policy``, ``weights``, ``affinity``, ``queue`` and ``queue_wait``."""
    for option in (
        click.option("--queue-wait", type=Duration(), help="Longest wait when all are full."),
        click.option(
            "--queue",
            type=_QueueLength(0, limits.QUEUE_MAX),
            metavar="N|default",
            help="Waiting at most. [default: twice the capacity, 10 to 100]",
        ),
        click.option(
            "--weight",
            "weights",
            metavar="SITE=N",
            multiple=True,
            help="For split, not in this version.",
        ),
        click.option("--affinity", metavar="KIND[:NAME]", help=AFFINITY_HELP),
        click.option(
            "--policy",
            type=click.Choice(_POLICIES),
            help="In this version fill or balanced. [default: fill]",
        ),
    ):
        function = option(function)
    return function


REQUEST_ID_FIELD = "X-Request-Id"


def request_id_of(name: str | None) -> str | None:
    """The field that a flag names. Failure: not a field's name, or one with another meaning."""
    if name and (not re.fullmatch(TOKEN_PATTERN, name) or name.lower() in RESERVED_FIELDS):
        raise usage(
            f"--request-id {name!r}: expected the name of a header field that means nothing else",
            f"Use --request-id={REQUEST_ID_FIELD}",
        )
    return name


def request_id_flag(function: Decorated) -> Decorated:
    """``--request-id`` alone names the usual field; given empty it is off."""
    option = click.option(
        "--request-id",
        metavar="[NAME]",
        is_flag=False,
        flag_value=REQUEST_ID_FIELD,
        help=f"Give each http request an id in this field [{REQUEST_ID_FIELD}]; empty: no more.",
    )
    return option(function)


def policy_of(name: str | None, weights: tuple[str, ...]) -> PolicySpec:
    """The policy that flags mean. Failure: one that this version does not run."""
    table: dict[str, int] = {}
    for weight in weights:
        match = re.fullmatch(r"([a-z0-9-]+)=([0-9]{1,7})", weight)
        if match is None:
            raise usage(f"--weight {weight!r}: expected SITE=N")
        table[match.group(1)] = int(match.group(2))
    chosen = name or "fill"
    if chosen not in ("fill", "balanced"):
        raise Failure(
            Exit.USAGE,
            "SW0105",
            f"policy {chosen!r} is known but not in this version, which runs fill and balanced",
            "Use --policy fill or --policy balanced",
        )
    if table:
        raise usage(f"--weight belongs to policy 'split', this one is {chosen!r}")
    return PolicySpec(name="balanced" if chosen == "balanced" else "fill")
