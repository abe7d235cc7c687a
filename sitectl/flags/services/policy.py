"""Flags for which requests of a service go where, how they wait, and what becomes of them."""

import re
from typing import Any, Final, get_args

import click

from router.documents.quantities import percent_of
from router.documents.weights import BadWeights, weights_of
from router.model import limits
from router.model.settings import RESERVED_FIELDS, TOKEN_PATTERN, Isolation
from router.model.specs import POLICIES, PolicySpec
from sitectl.base.failure import usage
from sitectl.base.options import Decorated, flag_group
from sitectl.flags.services.sessions import AFFINITY_HELP

ISOLATIONS: Final = get_args(Isolation)

QUEUE_DEFAULT = -1
"""The parsed value of ``--queue default``: the service has no queue setting."""


class _QueueLength(click.IntRange):
    name = "integer range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return QUEUE_DEFAULT if value == "default" else super().convert(value, param, ctx)


policy_flags = flag_group(
    click.option(
        "--policy",
        type=click.Choice(POLICIES),
        help="Policy that chooses the site of a request, see docs/policies.md. [default: fill]",
    ),
    click.option("--affinity", metavar="KIND[:NAME]", help=AFFINITY_HELP),
    click.option(
        "--isolation",
        type=click.Choice(ISOLATIONS),
        help="How far requests leave the site of their client. [default: none]",
    ),
    click.option(
        "--spill-at",
        metavar="PERCENT|none",
        help="Share of its slots from which a site is passed over while another is below it.",
    ),
    click.option(
        "--weight",
        "weights",
        metavar="SITE=N|SITE=N%",
        multiple=True,
        help="With split: share of SITE, relative to the others; 0: only as a fallback.",
    ),
    click.option(
        "--queue",
        type=_QueueLength(0, limits.QUEUE_MAX),
        metavar="N|default",
        help="Maximum number of waiting requests in each worker of the router. [default: 4 per "
        "slot in use, 10 to 1000]",
    ),
)
"""As ``policy``, ``weights``, ``spill_at``, ``isolation``, ``affinity`` and ``queue``."""


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


def _mark_of(text: str) -> float | None:
    """The share of ``--spill-at``; None: no mark."""
    if text == "none":
        return None
    share = percent_of(text)
    if share is None or not 0 < share < 1:
        raise usage(
            f"--spill-at {text!r}: expected a share of a site's slots, above 0% and below 100%",
            "Use --spill-at 80%, or --spill-at none",
        )
    return share


def policy_of(
    name: str | None,
    weights: tuple[str, ...],
    spill_at: str | None,
    isolation: Isolation | None,
    before: PolicySpec,
) -> PolicySpec:
    """The policy that flags mean where ``before`` is in force. Failure: they do not fit.

    Without ``name`` it stays, and so do weights and the mark when none are given; other policies
    have no weights.
    """
    stated = [(site, text) for site, _, text in (weight.partition("=") for weight in weights)]
    table = weights_of(stated)
    chosen = name or before.name
    if isinstance(table, BadWeights):
        raise usage(f"--weight: {table.reason}", table.hint)
    if chosen != "split" and table:
        raise usage(
            f"--weight belongs to policy split, this one is {chosen}",
            "Add --policy split, or leave --weight out",
        )
    if chosen == "split":
        table = table or before.weights
        if not table:
            raise usage(
                "--policy split needs --weight, one for each site",
                "Add --weight SITE=1 --weight SITE=1",
            )
    share = before.spill_at if spill_at is None else _mark_of(spill_at)
    if share is not None and chosen == "failover":
        raise usage(
            "--spill-at has no meaning with policy failover, which leaves no site for its load",
            "Add --spill-at none, or another --policy",
        )
    return PolicySpec(
        name=chosen, weights=table, spill_at=share, isolation=isolation or before.isolation
    )
