"""The issuer's side of claims: grants, and their exactly-once redemption.

One JSON file per claim, changed only under the directory's lock and by atomic replacement. The
chain is issued first and written together with the use it costs, then answered. A crash before the
write changes nothing; after the write the same request gets the same answer.
"""

import hashlib
import hmac
import math
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from certs import certificates, files, keys, limits, names
from certs.ca import rotation, signing_requests
from certs.ca.authority import Authority
from certs.ca.terms import FREE, TokenTerms, refuse_unfit
from certs.errors import CertError
from certs.token_files import tokens
from certs.token_files.tokens import Token

_SUFFIX, _LOCK_FILE = ".json", ".lock"


class Redemption(msgspec.Struct, frozen=True):
    """One use of a claim. ``key`` is the SHA-256 of the redeemer's public key (DER), hex.

    ``site_id`` and ``site_name`` come from the redeemer: information, not proof.
    """

    key: str
    site_id: str
    site_name: str
    serial: str
    chain: str


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a claim: never its secret, only ``digest`` over ``salt`` and secret (hex).

    ``tries`` counts wrong codes. ``allow``: the terms on which redeemers are let in. A version
    without terms finds such a grant damaged, so that it lets no site in without them.
    """

    name: str
    salt: str
    digest: str
    checksum: str
    expires_at: int
    uses_left: int
    allow: TokenTerms | tuple[()] = ()  # The form of versions without terms: free.
    cost: int | None = None
    tries: int = 0
    revoked: bool = False
    redeemed: tuple[Redemption, ...] = ()
    version: int = files.STATE_VERSION
    made_at: int = 0
    """Unix seconds; 0: from a version that did not record it."""
    cas: tuple[str, ...] = ()
    """Fingerprints of the CAs that its token trusts; empty: from a version that recorded none."""

    @property
    def terms(self) -> TokenTerms:
        """The terms on which redeemers are let in."""
        return self.allow if isinstance(self.allow, TokenTerms) else FREE

    def __repr__(self) -> str:
        return f"Grant({self.name!r}, uses_left={self.uses_left}, tries={self.tries})"


class ClaimRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A redeemer's request. ``checksum`` is `tokens.checksum` of the token it holds.

    Bounds apply when it is decoded. Unknown fields are left for later versions.
    """

    secret: Annotated[str, msgspec.Meta(max_length=256)]
    csr: Annotated[str, msgspec.Meta(max_length=8 * limits.KIB)]
    checksum: Annotated[str, msgspec.Meta(max_length=64)]
    site_id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    site_name: Annotated[str, msgspec.Meta(max_length=limits.SITE_NAME_CHARACTERS_MAX)]
    renews: bool = False
    """The redeemer renews its certificate over the link, so a short life is enough."""

    def __repr__(self) -> str:
        return f"ClaimRequest(of {self.site_id!r})"


class Redeemed(msgspec.Struct, frozen=True):
    """The redeemer's certificate and the CA to trust. ``repeated``: it had them already."""

    chain_pem: str
    ca_pem: str
    serial: str
    repeated: bool


class ClaimRefused(msgspec.Struct, frozen=True):
    """A refusal with its reason, for the issuer's own events; the redeemer never learns it.

    ``unknown``, ``wrong-code``, ``locked``, ``revoked``, ``edited``, ``bad-csr``, ``used``,
    ``expired``.
    """

    reason: str


First = Callable[[Token], None]
"""A callback that gets a token before it is granted."""


def nothing(token: Token) -> None:
    """The callback for a token that is not saved."""


def _taken(name: str) -> CertError:
    return CertError(name, "a token of this name exists already", "Choose another --name")


class GrantStore:
    """The grants of a site, in ``directory`` (``secrets/grants``). Safe between processes.

    ``waits`` False: for a thread that must not wait for the lock of another process; a call that
    would wait raises `BlockingIOError`.
    """

    __slots__ = ("_authority", "_directory", "_waits")

    def __init__(self, directory: Path, authority: Authority, *, waits: bool = True) -> None:
        files.make_private_directory(directory)
        self._directory, self._authority = directory, authority
        self._waits = waits

    def use(self, authority: Authority) -> None:
        """Issue by ``authority`` from now on: the site's CA is rotated."""
        self._authority = authority

    def create(
        self, draft: Token, *, uses: int = 1, terms: TokenTerms = FREE, first: First = nothing
    ) -> Token:
        """Grant the claim ``draft``, which has no secret yet; the token with its secret.

        ``first`` is called with the token right before it counts. Raises `CertError` if the name is
        taken or invalid, or there are too many grants.
        """
        grant, token = new_grant(draft, uses=uses, terms=terms)
        if grant.name in self.names():
            raise _taken(grant.name)
        first(token)
        self.keep(grant)
        return token

    def keep(self, grant: Grant) -> None:
        """Store a new grant. `CertError`: its name is taken, or there are too many."""
        with self._lock():
            if len(self.names()) >= limits.GRANTS_MAX:
                raise CertError(
                    grant.name, f"there are {limits.GRANTS_MAX} grants already", "Revoke some"
                )
            try:
                self._write(grant, replace=False)
            except FileExistsError as error:
                raise _taken(grant.name) from error

    def redeem(self, name: str, request: ClaimRequest, now: float) -> Redeemed | ClaimRefused:
        """Judge one request. Raises `CertError` for a damaged grant.

        `OSError`: nothing has happened, because the grant cannot be stored, or because another
        process holds the lock and this store does not wait.
        """
        with self._lock():
            result, kept = judge(self._read(name), request, now, self._authority)
            if kept is not None:
                self._write(kept)
            return result

    def names(self) -> list[str]:
        """Names of all grants, sorted."""
        found = (entry for entry in os.listdir(self._directory) if not entry.startswith("."))
        return sorted(e.removesuffix(_SUFFIX) for e in found if e.endswith(_SUFFIX))

    def get(self, name: str) -> Grant | None:
        """The current grant. `CertError` if its file is damaged."""
        return self._read(name)

    def revoke(self, name: str) -> tuple[str, ...]:
        """Refuse the claim from now on; the serials it has yielded, for `Revocations`.

        A name without grant yields none.
        """
        with self._lock():
            grant = self._read(name)
            if grant is None:
                return ()
            self._write(msgspec.structs.replace(grant, revoked=True))
        return tuple(use.serial for use in grant.redeemed)

    def sweep(self, now: float) -> None:
        """Delete expired grants that were never used: no certificate refers to them.

        Damaged ones stay, for `get` to report. Remains of crashed writes are deleted, too.
        """
        files.sweep_temporaries(self._directory, now)
        with self._lock():
            for name in self.names():
                try:
                    grant = self._read(name)
                except CertError:
                    continue
                if grant is not None and not grant.redeemed and now >= grant.expires_at:
                    os.unlink(self._path(name))

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"

    def _lock(self) -> files.Lock:
        return files.locked(self._directory / _LOCK_FILE, waits=self._waits)

    def _read(self, name: str) -> Grant | None:
        if not names.is_name(name):  # Also rejects paths out of the directory.
            return None
        path = self._path(name)
        try:
            data = files.read_secret(path, limits.GRANT_FILE_BYTES_MAX)
        except FileNotFoundError:
            return None
        return decode(data, str(path))

    def _write(self, grant: Grant, *, replace: bool = True) -> None:
        files.write_secret(self._path(grant.name), encode(grant), replace=replace)


def judge(
    grant: Grant | None, request: ClaimRequest, now: float, authority: Authority
) -> tuple[Redeemed | ClaimRefused, Grant | None]:
    """The answer to ``request``, and the new ``grant``; None: it stays as it is.

    The caller must store the new grant before it sends the answer. Changes nothing itself.
    """
    if grant is None:
        _digest("", request.secret)  # Takes as long as a known claim.
        return ClaimRefused("unknown"), None
    if grant.tries >= limits.CLAIM_TRIES_MAX:
        return ClaimRefused("locked"), None
    if not _same(_digest(grant.salt, request.secret), grant.digest):
        return ClaimRefused("wrong-code"), msgspec.structs.replace(grant, tries=grant.tries + 1)
    if grant.revoked:
        return ClaimRefused("revoked"), None
    if not _same(request.checksum, grant.checksum):
        return ClaimRefused("edited"), None
    return _judge_proven(grant, request, now, authority)


def _judge_proven(
    grant: Grant, request: ClaimRequest, now: float, authority: Authority
) -> tuple[Redeemed | ClaimRefused, Grant | None]:
    try:
        key = signing_requests.key_of_csr(request.csr)
    except CertError:
        return ClaimRefused("bad-csr"), None
    key_id = hashlib.sha256(keys.public_der(key)).hexdigest()
    for use in grant.redeemed:
        if use.key == key_id:
            return _again(grant, use, key, request, now, authority)
    if grant.uses_left < 1:
        return ClaimRefused("used"), None
    if now >= grant.expires_at:
        return ClaimRefused("expired"), None
    chain = _issue(grant, key, request, now, authority)
    use = Redemption(
        key=key_id,
        site_id=request.site_id,
        site_name=request.site_name,
        serial=certificates.serial_of(chain),
        chain=chain,
    )
    uses = (*grant.redeemed, use)
    kept = msgspec.structs.replace(grant, uses_left=grant.uses_left - 1, redeemed=uses)
    return _redeemed(use, authority, repeated=False), kept


def _again(
    grant: Grant,
    use: Redemption,
    key: keys.PublicKey,
    request: ClaimRequest,
    now: float,
    authority: Authority,
) -> tuple[Redeemed, Grant | None]:
    """Repeat the answer to an earlier redeemer; an expired certificate is issued again.

    It costs no use, and admits no site that was barred since.
    """
    if now < certificates.expires_at(use.chain):
        return _redeemed(use, authority, repeated=True), None
    mine = msgspec.structs.replace(request, site_id=use.site_id)
    chain = _issue(grant, key, mine, now, authority)
    newer = msgspec.structs.replace(use, chain=chain, serial=certificates.serial_of(chain))
    uses = tuple(newer if one is use else one for one in grant.redeemed)
    kept = msgspec.structs.replace(grant, redeemed=uses)
    return _redeemed(newer, authority, repeated=True), kept


def _issue(
    grant: Grant, key: keys.PublicKey, request: ClaimRequest, now: float, authority: Authority
) -> str:
    short, long = limits.LINK_LEAF_LIFE_S, limits.LINK_LEAF_LIFE_UNRENEWED_S
    life_s = short if request.renews else long
    return authority.issue_client_leaf(
        key,
        grant.name,
        now,
        site_id=request.site_id,
        expires_at=now + life_s,
        terms=grant.terms,
    )


def _redeemed(use: Redemption, authority: Authority, *, repeated: bool) -> Redeemed:
    return Redeemed(
        chain_pem=use.chain, ca_pem=authority.trusted_pem, serial=use.serial, repeated=repeated
    )


def new_grant(draft: Token, *, uses: int = 1, terms: TokenTerms = FREE) -> tuple[Grant, Token]:
    """The record of the claim ``draft``, which has no secret yet, and its token.

    Raises `CertError` for bad values.
    """
    if not names.is_name(draft.name):
        raise CertError(draft.name, "is no name for a token", "Use a-z, 0-9, '-' and '.'")
    if not 1 <= uses <= limits.CLAIM_USES_MAX:
        raise CertError(draft.name, f"cannot have {uses} uses", f"1 to {limits.CLAIM_USES_MAX}")
    refuse_unfit(terms, draft.name)
    token = msgspec.structs.replace(draft, secret=tokens.new_secret())
    salt = secrets.token_hex(16)
    grant = Grant(
        name=token.name,
        salt=salt,
        digest=_digest(salt, token.secret),
        checksum=tokens.checksum(token),
        expires_at=token.expires_at,
        uses_left=uses,
        allow=() if terms.are_unrestricted else terms,
        cost=token.cost,
        made_at=int(time.time()),
        cas=certificates.fingerprints(token.ca_pem),
    )
    return grant, token


def is_of_old_ca(grant: Grant, ca_pem: str) -> bool:
    """Whether the token of ``grant`` does not trust the CA that issues now, ``ca_pem``.

    Without fingerprints its time decides, to the second.
    """
    if grant.cas:
        return certificates.fingerprint(ca_pem) not in grant.cas
    return 0 < grant.made_at < int(rotation.made_at(ca_pem))


def encode(grant: Grant) -> bytes:
    """The stored form."""
    return msgspec.json.encode(grant)


def decode(data: bytes, source: str) -> Grant:
    """Decode `encode`'s result; `CertError` naming ``source``: damaged or of a newer version."""
    return files.decode_state(data, Grant, source, "Delete it and make a new token")


def claim_expires_at(now: float, life_s: float = limits.CLAIM_EXPIRY_S) -> int:
    """When a claim made now ends, in whole Unix seconds."""
    return math.floor(now + life_s)


def _digest(salt: str, secret: str) -> str:
    # The secret is 160 random bits: one fast hash is enough.
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
