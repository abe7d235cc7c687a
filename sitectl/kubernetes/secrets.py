"""Identity, grants, revocations, the register and link tokens of a namespace, in its Secrets.

Keys are read into memory and written from there: none ever lies in a file of the machine that
sitectl runs on. Every change is a compare-and-swap by the Secret's version, repeated when somebody
else (a router that redeems a claim) was faster.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from certs import certificates, claims, register, revocation, rotation, tokens
from certs.authority import Authority
from certs.claims import Grant
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.proxies import ProxyLogin
from certs.register import Admitted, Issued
from certs.revocation import Revocation, Revoked
from certs.rotation import CaState
from certs.terms import FREE, TokenTerms
from certs.tokens import Token
from router.kubernetes import names
from router.kubernetes import secrets as kept
from router.kubernetes.objects import Object, labels, name_of
from router.kubernetes.tokens import text_of
from router.model import limits
from sitectl.base.failure import conflict
from sitectl.kubernetes.cluster import ApiFailure, Body, Cluster

_TRIES: Final = 5
_IDENTITY: Final = f"Secret/{names.IDENTITY_SECRET}"
_TOKEN_TYPES: Final = (names.TOKEN_CLAIM, names.CONNECTION_TOKEN)


class NamespaceTrust:
    """Implements `sitectl.site.site.Trust` and `certs.issue.Grants`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._identity: Mapping[str, bytes] | None = None

    @property
    def site_id(self) -> str:
        """The id of the identity in its Secret; made here if no router has made it yet."""
        return SiteIdentity.from_pem(self._file(kept.IDENTITY_KEY), _IDENTITY).site_id

    def authority(self) -> Authority:
        """Its CA."""
        return Authority.of_state(self.ca(), _IDENTITY)

    def ca(self) -> CaState:
        """Its CA with the rotation it is in."""
        key_pem, ca_pem = self._file(kept.CA_KEY), self._file(kept.CA_CERTIFICATE)
        certificates.read(ca_pem, _IDENTITY)
        assert self._identity is not None
        data = self._identity.get(kept.CA_ROTATION)
        under_way = rotation.decode(data, f"{_IDENTITY}: {kept.CA_ROTATION}") if data else None
        return rotation.whole(CaState(key_pem, ca_pem, under_way))

    def rotate(self, now: float, *, hurried: bool) -> CaState:
        """Begin to replace the CA, or hurry what is under way; what is kept then."""
        made, key_pem = Authority.generate(self.site_id, now)
        new = CaState(key_pem, made.ca_pem)

        def announced(found: Object) -> Mapping[str, bytes] | None:
            data = self._identity = kept.data_of(found)
            before = self.ca()
            after = rotation.announced(before, new, now, hurried=hurried)
            if after == before or after.rotation is None:
                return None
            return {**data, kept.CA_ROTATION: rotation.encode(after.rotation)}

        self._swap(names.IDENTITY_SECRET, announced)
        self._identity = None
        return self.ca()

    def grants(self) -> "NamespaceTrust":
        """Grants are Secrets of their own."""
        return self

    def create(
        self,
        draft: Token,
        *,
        uses: int = 1,
        terms: TokenTerms = FREE,
        first: claims.First = claims.nothing,
    ) -> Token:
        """Grant what ``draft`` says; the token with its secret, after ``first`` has it."""
        grant, token = claims.new_grant(draft, uses=uses, terms=terms)
        first(token)
        self.keep(grant)
        return token

    def keep(self, grant: Grant) -> None:
        """Keep a new grant. `CertError`: its name is taken."""
        try:
            self._cluster.create(kept.grant_secret(grant.name, claims.encode(grant)))
        except ApiFailure as failure:
            if failure.status != 409:
                raise
            raise CertError(
                grant.name, "a token of this name exists already", "Choose another --name"
            ) from failure

    def granted(self) -> list[Grant]:
        """Every claim, as it is now."""
        return [_grant_of(found) for found in self._grants()]

    def sweep(self, now: float) -> None:
        """Forget grants that expired without ever being used."""
        for found in self._grants():
            grant = _grant_of(found)
            if not grant.redeemed and now >= grant.expires_at:
                self._cluster.delete("Secret", name_of(found))

    def revoke(self, grants: Iterable[str], serials: Iterable[str], sites: Iterable[str]) -> None:
        """Refuse these claims, certificates and sites; routers see it by their watch."""
        for name in grants:
            self._swap(kept.grant_name(name), _revoked_grant)
        barred = frozenset(sites)
        held = {s for one in self._registered() if one.site_id in barred for s in one.serials}
        change = Revocation(serials=frozenset(serials) | held, sites=barred)
        if self._cluster.find("Secret", names.REVOKED_SECRET) is None:
            first = revocation.encode(change.applied_to(Revoked()))
            try:
                self._cluster.create(kept.revoked_secret(first))
                return
            except ApiFailure as failure:
                if failure.status != 409:
                    raise  # At 409 a router made it in the same moment.
        self._swap(names.REVOKED_SECRET, lambda found: _more_revoked(found, change))

    def admitted(self) -> list[Admitted]:
        """By the register, and of those that never linked since by their grants."""
        found: dict[str, Admitted] = {}
        for grant in self.granted():
            for use in grant.redeemed:
                issued = Issued(
                    key=use.key,
                    serial=use.serial,
                    expires=_end_of(use.chain),
                    chain=use.chain,
                )
                found[use.site_id] = Admitted(
                    site_id=use.site_id,
                    name=use.site_name,
                    by=grant.name,
                    since=0.0,
                    issued=(issued,),
                )
        return list((found | {one.site_id: one for one in self._registered()}).values())

    def _registered(self) -> list[Admitted]:
        """Without what is damaged: others can be barred."""
        found: list[Admitted] = []
        for secret in self._cluster.list("Secret", f"{names.TYPE_LABEL}=admitted"):
            for data in kept.data_of(secret).values():
                with suppress(CertError):
                    found.append(register.decode(data, f"Secret/{name_of(secret)}"))
        return found

    def _forget_admitted(self) -> None:
        for found in self._cluster.list("Secret", f"{names.TYPE_LABEL}=admitted"):
            self._cluster.delete("Secret", name_of(found))

    def is_revoked(self, site_id: str) -> bool:
        """By the Secret that lists them."""
        found = self._cluster.find("Secret", names.REVOKED_SECRET)
        if found is None:
            return False
        data = kept.data_of(found).get(kept.REVOKED_FILE, b"")
        return site_id in revocation.decode(data, names.REVOKED_SECRET).sites

    def renew(self, now: float) -> None:
        """Make another CA and forget all claims."""
        authority, key_pem = Authority.generate(self.site_id, now)
        identity = self._file(kept.IDENTITY_KEY).encode()
        data = {
            kept.IDENTITY_KEY: identity,
            kept.CA_KEY: key_pem.encode(),
            kept.CA_CERTIFICATE: authority.ca_pem.encode(),
        }
        if kept.RESTORED in (self._identity or {}):
            data[kept.RESTORED] = self._file(kept.RESTORED).encode()
        for found in self._grants():  # First: by a grant its holder would rejoin.
            self._cluster.delete("Secret", name_of(found))
        self._forget_admitted()
        self._swap(names.IDENTITY_SECRET, lambda found: data)
        self._forget_admitted()  # Again: a router may have entered somebody in between.
        self._identity = None

    def _file(self, key: str) -> str:
        if self._identity is None:
            self._identity = self._read_identity()
        if not self._identity.get(key):
            raise CertError(
                f"{_IDENTITY}: data[{key}]",
                "is missing",
                "Restore the Secret from a backup; deleting it makes another site here",
            )
        return self._identity[key].decode("ascii", "replace")

    def _read_identity(self) -> Mapping[str, bytes]:
        found = self._cluster.find("Secret", names.IDENTITY_SECRET)
        if found is None:
            try:
                found = self._cluster.create(kept.identity_secret(_new_identity()))
            except ApiFailure as failure:
                if failure.status != 409:
                    raise
                found = self._cluster.get("Secret", names.IDENTITY_SECRET)  # A router was first.
        return kept.data_of(found)

    def _grants(self) -> list[Body]:
        return self._cluster.list("Secret", f"{names.TYPE_LABEL}=grant")

    def _swap(self, name: str, change: Callable[[Object], Mapping[str, bytes] | None]) -> None:
        """Replace a Secret's data by what ``change`` makes of it; None: it stays."""
        for attempt in range(_TRIES):
            found = self._cluster.get("Secret", name)
            data = change(found)
            if data is None:
                return
            try:
                self._cluster.replace(kept.with_data(found, data))
                return
            except ApiFailure as failure:
                if failure.status != 409 or attempt == _TRIES - 1:
                    raise


class SecretLinks:
    """Implements `sitectl.site.site.LinkTokens`: a link is a token Secret of its name."""

    def __init__(self, cluster: Cluster, secrets: Mapping[str, Object]) -> None:
        self._cluster = cluster
        self._secrets = secrets

    def names(self) -> list[str]:
        """Names of all token Secrets."""
        return sorted(
            name
            for name, found in self._secrets.items()
            if labels(found).get(names.SKUPPER_TYPE) in _TOKEN_TYPES
        )

    def exists(self, name: str) -> bool:
        """Whether a token Secret has the name."""
        return name in self.names()

    def token(self, name: str) -> Token:
        """The token, with the cost its issuer gave it."""
        found = self._secrets[name]
        kind = labels(found).get(names.SKUPPER_TYPE, "")
        return tokens.load(text_of(found, kind), f"Secret/{name}", costs=ANY_COST)

    def holds(self, name: str, token: Token) -> bool:
        """By all that makes a token: its Secret may be called otherwise, its cost is the user's."""
        try:
            found = self.token(name) if self.exists(name) else None
        except CertError:
            return False  # Skupper's, or a damaged one.
        if found is None:
            return False
        return msgspec.structs.replace(found, name=token.name, cost=token.cost) == token

    def add(self, name: str, token: Token, proxy: str = "") -> bool:
        """Make the token's Secret, which the router dials by at once."""
        if self.holds(name, token):
            return False
        made = token_secret(token, name)
        if proxy:
            made["metadata"]["annotations"][names.LINK_PROXY] = proxy
        try:
            self._cluster.create(made)
        except ApiFailure as failure:
            if failure.status != 409:
                raise
            raise conflict(
                f"Secret {name!r} exists in this namespace and is another one",
                "Choose another --name",
            ) from failure
        self._secrets = {**self._secrets, name: made}
        return True

    def keep_proxy_login(self, name: str, login: ProxyLogin | None) -> bool:
        """Make, replace or delete the Secret with the login of the link's proxy."""
        secret = kept.proxy_name(name)
        found = self._cluster.find("Secret", secret)
        if login is None:
            return found is not None and self._cluster.delete("Secret", secret)
        data = proxy_data(login)
        if found is None:
            self._cluster.create(kept.proxy_secret(name, data))
        elif kept.data_of(found) == data:
            return False
        elif not kept.is_type(found, "proxy"):
            raise conflict(f"Secret {secret!r} exists and is not ours", "Give it another name")
        else:
            self._cluster.replace(kept.with_data(found, data))
        return True

    def remove(self, name: str) -> bool:
        """Delete the token's Secret; what it was redeemed for goes with it."""
        self.keep_proxy_login(name, None)
        if not self.exists(name):
            return False
        return self._cluster.delete("Secret", name)


ANY_COST: Final = (None, *range(1, 1_001), limits.COST_MAX)
"""Costs that a token may have been made with: the annotation is the user's since."""


def proxy_data(login: ProxyLogin) -> dict[str, bytes]:
    """Of the Secret with the login of a link's proxy."""
    return {
        kept.PROXY_URL: login.proxy.encode(),
        kept.PROXY_USER: login.user.encode(),
        kept.PROXY_PASSWORD: login.password.encode(),
        kept.PROXY_CA: login.ca_pem.encode(),
    }


def token_secret(token: Token, name: str) -> dict[str, Any]:
    """The token file as an object, under the name of its link."""
    import yaml

    made: dict[str, Any] = yaml.safe_load(tokens.dump(token))
    made["metadata"]["name"] = name
    if token.cost is not None:
        made["metadata"]["annotations"][tokens.ISSUED_COST] = str(token.cost)
    made["metadata"]["labels"][names.MANAGED_BY_LABEL] = names.MANAGED_BY  # Goes with the site.
    return made


def _new_identity() -> dict[str, bytes]:
    identity, key_pem = SiteIdentity.generate()
    authority, ca_key_pem = Authority.generate(identity.site_id, time.time())
    return {
        kept.IDENTITY_KEY: key_pem.encode(),
        kept.CA_KEY: ca_key_pem.encode(),
        kept.CA_CERTIFICATE: authority.ca_pem.encode(),
    }


def _grant_of(found: Object) -> Grant:
    source = f"Secret/{name_of(found)}"
    return claims.decode(kept.data_of(found).get(kept.GRANT_FILE, b""), source)


def _revoked_grant(found: Object) -> Mapping[str, bytes] | None:
    grant = _grant_of(found)
    if grant.revoked:
        return None
    return {kept.GRANT_FILE: claims.encode(msgspec.structs.replace(grant, revoked=True))}


def _more_revoked(found: Object, change: Revocation) -> Mapping[str, bytes] | None:
    source = f"Secret/{names.REVOKED_SECRET}"
    before = revocation.decode(kept.data_of(found).get(kept.REVOKED_FILE, b""), source)
    after = change.applied_to(before)
    return None if after == before else {kept.REVOKED_FILE: revocation.encode(after)}


def _end_of(chain_pem: str) -> float:
    """Unix seconds; 0 if it cannot be read: whoever is barred is barred by serial and id."""
    try:
        return certificates.expires_at(chain_pem)
    except CertError:
        return 0.0
