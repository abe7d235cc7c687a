"""Secrets that carry a token of another site, or one of this site for another."""

from collections.abc import Iterable
from typing import Any, Final

from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.objects.names import MANAGED_BY, MANAGED_BY_LABEL, SKUPPER_TYPE
from router.kubernetes.objects.objects import Object, labels, name_of
from router.kubernetes.translation.tokens import text_of
from router.model import limits

ANY_COST: Final = (None, *range(1, 1_001), limits.COST_MAX)
"""Costs that a token may have been made with: the user may change the annotation later."""


def decode(found: Object, costs: Iterable[int | None] = ANY_COST, kind: str = "") -> Token:
    """The token, with its issuer's cost. CertError: it is no token, and why.

    ``kind``: instead of its label, which some tools put back.
    """
    kind = kind or labels(found).get(SKUPPER_TYPE, "")
    return tokens.load(text_of(found, kind), f"Secret/{name_of(found)}", costs=costs)


def secret(token: Token, name: str) -> dict[str, Any]:
    """The token under the name of its link. The Secret is ours and is deleted with the site."""
    made = tokens.as_secret(token)
    made["metadata"]["name"] = name
    if token.cost is not None:
        made["metadata"]["annotations"][tokens.ISSUED_COST] = str(token.cost)
    made["metadata"]["labels"][MANAGED_BY_LABEL] = MANAGED_BY
    return made
