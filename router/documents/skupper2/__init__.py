"""Translates Skupper v2's objects (`skupper.io/v2alpha1`) into documents of ours. Pure.

In: YAML or JSON text, or objects from an API server. Out: a `V2Translation`: documents, the
requests of a Site object, tokens, and an error or note for each object and field that cannot be
used as written.

`objects` reads, `fields` is the table of all kinds and fields with their effect, `keys` names the
service of a routing key, `sites`, `links` and `strategies` read kinds, `translate` the rest.
Invariants: nothing raises, whatever the text contains; every field is used, or named in a note; a
wrong object stops no other.
"""

from router.documents.skupper2.links import GrantRequest, TokenRequest
from router.documents.skupper2.objects import GROUP, V2Object, parse_object, read_objects
from router.documents.skupper2.sites import SiteRequest
from router.documents.skupper2.translate import V2Translation, translate

__all__ = [
    "GROUP",
    "GrantRequest",
    "SiteRequest",
    "TokenRequest",
    "V2Object",
    "V2Translation",
    "parse_object",
    "read_objects",
    "translate",
]
