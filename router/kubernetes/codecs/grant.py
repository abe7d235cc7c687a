"""Secrets `GRANT_PREFIX`NAME: claims that the site granted, and how often each was used."""

from typing import Any, Final

from certs.joining import claims
from certs.joining.claims import Grant
from router.kubernetes.codecs.secrets import GRANT_FILE, data_of, decoded, grant_secret, with_data
from router.kubernetes.objects.objects import Object

_HINT: Final = "Delete it and make a new token"


def decode(found: Object) -> Grant:
    """The grant in its current state."""
    return decoded(found, GRANT_FILE, claims.decode, _HINT)


def secret(grant: Grant) -> dict[str, Any]:
    """The Secret of a new grant."""
    return grant_secret(grant.name, claims.encode(grant))


def changed(found: Object, grant: Grant) -> dict[str, Any]:
    """``found``, with its version, and the new state of the grant."""
    return with_data(found, {**data_of(found), GRANT_FILE: claims.encode(grant)})
