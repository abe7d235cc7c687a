"""Permissions of a certificate's holder on this network, in the certificate itself.

So the terms hold wherever the certificate is shown: at every replica, after a restart, in a
certificate token that many sites use. A renewed certificate keeps its terms.
"""

from typing import Annotated

import msgspec
from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from certs import certificates, limits
from certs.errors import CertError
from certs.files import UNREADABLE_JSON

OID = ObjectIdentifier("2.25.272870803524355529819189679463414395717")
"""OID of the extension; UUIDs below 2.25 (ITU-T X.667) make it unique."""

Pattern = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9*?][a-z0-9.*?-]{0,62}\Z")]
"""A service's name with ``*`` for any characters and ``?`` for one."""
Patterns = Annotated[tuple[Pattern, ...], msgspec.Meta(max_length=limits.TERMS_PATTERNS_MAX)]


class TokenTerms(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Services that the holder may declare, attach targets to (``export``) and use (``import_``).

    None: all; empty: none. An unknown field is refused: it would limit the holder further.
    """

    declare: Patterns | None = None
    export: Patterns | None = None
    import_: Patterns | None = msgspec.field(default=None, name="import")

    @property
    def are_unrestricted(self) -> bool:
        """Whether the terms limit nothing."""
        return self == FREE


FREE = TokenTerms()


def refuse_unfit(terms: TokenTerms, name: str) -> None:
    """`CertError` for terms of the token ``name`` that no router could announce."""
    try:
        encoded = msgspec.json.encode(terms)
        msgspec.json.decode(encoded, type=TokenTerms)
    except msgspec.DecodeError as error:
        hint = f"Use names of services, with * and ?; at most {limits.TERMS_PATTERNS_MAX} each"
        raise CertError(name, f"has terms that cannot be: {error}", hint) from error
    if len(encoded) > limits.TERMS_BYTES_MAX:
        raise CertError(
            name,
            f"has terms of {len(encoded)} bytes, more than {limits.TERMS_BYTES_MAX}",
            "Use fewer patterns, with * in them",
        )


def extension(terms: TokenTerms) -> x509.UnrecognizedExtension:
    """The certificate extension with the terms; not critical, as TLS libraries do not know it."""
    return x509.UnrecognizedExtension(OID, msgspec.json.encode(terms))


def of_certificate(certificate: bytes | str, source: str = "certificate") -> TokenTerms:
    """The terms in ``certificate``; `FREE` if it has none.

    `CertError` if they are unreadable: a later version wrote them, and they must not count as none.
    """
    try:
        found = certificates.read(certificate, source).extensions.get_extension_for_oid(OID)
    except x509.ExtensionNotFound:
        return FREE
    except certificates.MALFORMED as error:
        raise CertError(source, "its extensions cannot be read", "Ask for a new one") from error
    value = found.value
    assert isinstance(value, x509.UnrecognizedExtension), "no other module defines this OID"
    try:
        return msgspec.json.decode(value.value, type=TokenTerms)
    except UNREADABLE_JSON as error:
        raise CertError(source, "states terms that this version cannot read", "Upgrade") from error
