"""Secret `REVOKED_SECRET`: sites and certificates that are no longer let in."""

from typing import Any, Final

from certs.errors import CertError
from certs.links import revocation
from certs.links.revocation import Revoked
from router.kubernetes.codecs.secrets import (
    REVOKED_FILE,
    SecretError,
    data_of,
    revoked_secret,
    value_of,
    with_data,
)
from router.kubernetes.objects.names import REVOKED_SECRET
from router.kubernetes.objects.objects import Object

CODE: Final = "SW0445"
_HINT: Final = f"Restore it, or revoke again after: kubectl delete secret {REVOKED_SECRET}"


def decode(found: Object | None) -> Revoked:
    """The list; None: the Secret does not exist yet, since no site was revoked."""
    if found is None:
        return Revoked()
    data = value_of(found, REVOKED_FILE, _HINT, CODE)
    try:
        return revocation.decode(data, f"Secret/{REVOKED_SECRET}")
    except CertError as error:
        reason = "is damaged; who was revoked before stays so"
        raise SecretError(REVOKED_SECRET, REVOKED_FILE, reason, _HINT, CODE) from error


def secret(revoked: Revoked) -> dict[str, Any]:
    """The Secret of the first revocation."""
    return revoked_secret(revocation.encode(revoked))


def changed(found: Object, revoked: Revoked) -> dict[str, Any]:
    """``found``, with its version, and another list."""
    return with_data(found, {**data_of(found, CODE), REVOKED_FILE: revocation.encode(revoked)})
