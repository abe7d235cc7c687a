"""Secrets `LINK_PREFIX`NAME: the key that redeems a link's claim, and the resulting credential."""

from typing import Any, Final

import msgspec

from certs import keys
from certs.ca.authority import Leaf
from certs.errors import CertError
from certs.links.credentials import Credential
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.codecs.secrets import (
    LINK_CA,
    LINK_CERTIFICATE,
    LINK_KEY,
    LINK_TOKEN,
    SecretError,
    data_of,
    link_secret,
    value_of,
)
from router.kubernetes.objects.objects import Object, name_of

_HINT: Final = "Delete it: its router makes it again"


class LinkKey(msgspec.Struct, frozen=True):
    """The link's token, the key that redeems its claim, and the credential, if any."""

    token: Token
    key_pem: str
    credential: Credential | None = None

    def __repr__(self) -> str:
        return f"LinkKey({self.token!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("token", self.token)]


def decode(found: Object) -> LinkKey:
    """The content of the Secret; a certificate without its CA counts as none."""
    token_text, key_text = _text(found, LINK_TOKEN), _text(found, LINK_KEY)
    try:
        token = tokens.load(token_text, LINK_TOKEN)
        key_pem = keys.to_pem(keys.from_pem(key_text, LINK_KEY))
    except CertError as error:
        key = LINK_KEY if error.subject == LINK_KEY else LINK_TOKEN
        raise SecretError(name_of(found), key, error.reason, _HINT) from error
    held = data_of(found)
    credential = None
    if held.get(LINK_CERTIFICATE) and held.get(LINK_CA):
        chain_pem, ca_pem = _text(found, LINK_CERTIFICATE), _text(found, LINK_CA)
        credential = Credential(Leaf(key_pem=key_pem, chain_pem=chain_pem), ca_pem)
    return LinkKey(token, key_pem, credential)


def secret(link: str, held: LinkKey, owner_uid: str) -> dict[str, Any]:
    """The Secret of ``link``, which is deleted with the token's Secret of that UID."""
    files = {LINK_TOKEN: tokens.dump(held.token).encode(), LINK_KEY: held.key_pem.encode()}
    if held.credential is not None:
        files[LINK_CERTIFICATE] = held.credential.leaf.chain_pem.encode()
        files[LINK_CA] = held.credential.ca_pem.encode()
    return link_secret(link, files, owner_uid)


def _text(found: Object, key: str) -> str:
    try:
        return value_of(found, key, _HINT).decode()
    except UnicodeDecodeError as error:
        raise SecretError(name_of(found), key, "is not UTF-8", _HINT) from error
