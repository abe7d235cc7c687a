"""Secret `IDENTITY_SECRET`: the site's identity and its CA, in any state of a rotation."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from certs import certificates
from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.errors import CertError
from certs.identity import SiteIdentity
from router.kubernetes.codecs.secrets import (
    CA_CERTIFICATE,
    CA_KEY,
    CA_ROTATION,
    IDENTITY_KEY,
    RESTORED,
    SecretError,
    data_of,
    identity_secret,
    value_of,
    with_data,
)
from router.kubernetes.objects.names import IDENTITY_SECRET
from router.kubernetes.objects.objects import Object

SOURCE: Final = f"Secret/{IDENTITY_SECRET}"
CODE: Final = "SW0440"
_RESTORE: Final = (
    "Restore the Secret from a backup. Deleting it makes another site here, which none of its "
    "neighbors knows"
)


class Identity(msgspec.Struct, frozen=True):
    """The site's key and CA. ``restored``: when `sitectl restore` made it; empty: it did not."""

    site_id: str
    key_pem: str
    ca: CaState
    restored: bytes = b""

    def __repr__(self) -> str:
        return f"Identity({self.site_id!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("site_id", self.site_id)]


def made_of(key_pem: str, ca: CaState, restored: bytes = b"") -> Identity:
    """The identity of a key and a CA. SecretError: they are unusable, or do not match."""
    site_id = _site_id(key_pem)
    try:
        Authority.of_state(ca, SOURCE)
    except CertError as error:
        raise _damaged(error.subject.removeprefix(f"{SOURCE}: "), error.reason) from error
    return Identity(site_id, key_pem, ca, restored)


def decode(found: Object) -> Identity:
    """The whole identity. SecretError: a key is missing or damaged, or they do not match."""
    key_pem, data = _text(found, IDENTITY_KEY), data_of(found, CODE)
    return made_of(key_pem, ca(found), data.get(RESTORED, b""))


def site_id(found: Object) -> str:
    """The site id alone, which needs no CA."""
    return _site_id(_text(found, IDENTITY_KEY))


def ca(found: Object) -> CaState:
    """The CA alone, complete even if a crash interrupted its rotation."""
    key_pem, ca_pem = _text(found, CA_KEY), _text(found, CA_CERTIFICATE)
    under_way = data_of(found, CODE).get(CA_ROTATION)
    try:
        begun = rotation.decode(under_way, f"{SOURCE}: {CA_ROTATION}") if under_way else None
        certificates.read(ca_pem, f"{SOURCE}: {CA_CERTIFICATE}")
        return rotation.whole(CaState(key_pem, ca_pem, begun))
    except CertError as error:
        raise _damaged(error.subject.removeprefix(f"{SOURCE}: "), error.reason) from error


def secret(identity: Identity) -> dict[str, Any]:
    """The Secret of a new site."""
    data = {IDENTITY_KEY: identity.key_pem.encode()}
    if identity.restored:
        data[RESTORED] = identity.restored
    return identity_secret(_with_ca(data, identity.ca))


def with_ca(found: Object, state: CaState) -> dict[str, Any]:
    """``found``, with its version, and another CA."""
    return with_data(found, _with_ca(data_of(found, CODE), state))


def _with_ca(data: Mapping[str, bytes], state: CaState) -> dict[str, bytes]:
    made = {key: value for key, value in data.items() if key != CA_ROTATION}
    made |= {CA_KEY: state.key_pem.encode(), CA_CERTIFICATE: state.ca_pem.encode()}
    if state.rotation is not None:
        made[CA_ROTATION] = rotation.encode(state.rotation)
    return made


def _site_id(key_pem: str) -> str:
    try:
        return SiteIdentity.from_pem(key_pem, IDENTITY_KEY).site_id
    except CertError as error:
        raise _damaged(IDENTITY_KEY, error.reason) from error


def _text(found: Object, key: str) -> str:
    value = value_of(found, key, _RESTORE, CODE)
    if not value:
        raise _damaged(key, "is missing")
    return value.decode("ascii", "replace")


def _damaged(key: str, reason: str) -> SecretError:
    return SecretError(IDENTITY_SECRET, key, reason, _RESTORE, CODE)
