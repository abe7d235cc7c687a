"""Identity, grants, revocations, the register and link tokens of a namespace, in its Secrets.

Keys are in memory only, never in a file of the machine that sitectl runs on. Every change is a
compare-and-swap by the Secret's version, repeated when another client (a router that redeems a
claim) was faster.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import msgspec

from certs import certificates
from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.ca.terms import FREE, TokenTerms
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.joining import claims
from certs.joining.claims import Grant
from certs.links.proxies import ProxyLogin
from certs.links.register import Admitted, Issued
from certs.links.revocation import Revocation, Revoked
from certs.token_files.tokens import Token
from router.kubernetes.client.verbs import Body
from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs import identity, proxy, register, revoked
from router.kubernetes.codecs import secrets as kept
from router.kubernetes.codecs import token as token_secrets
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, annotations, labels, name_of
from sitectl.base.failure import conflict
from sitectl.kubernetes.cluster import ApiFailure, Cluster

_TRIES: Final = 5
_TOKEN_TYPES: Final = (names.TOKEN_CLAIM, names.CONNECTION_TOKEN)


class NamespaceTrust:
    """Implements `sitectl.site.ports.Trust` and `certs.joining.issue.Grants`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._identity: Object | None = None

    @property
    def site_id(self) -> str:
        """The id of the identity in its Secret; made here if no router has made it yet."""
        return identity.site_id(self._secret())

    def authority(self) -> Authority:
        """Its CA."""
        return Authority.of_state(self.ca(), identity.SOURCE)

    def ca(self) -> CaState:
        """Its CA with the rotation it is in."""
        return identity.ca(self._secret())

    def rotate(self, now: float, *, hurried: bool) -> CaState:
        """Start to replace the CA, or hurry a running replacement; the stored state after it."""
        made, key_pem = Authority.generate(self.site_id, now)
        new = CaState(key_pem, made.ca_pem)

        def announced(found: Object) -> Object | None:
            before = identity.ca(found)
            after = rotation.announced(before, new, now, hurried=hurried)
            return None if after == before else identity.with_ca(found, after)

        self._swap(names.IDENTITY_SECRET, announced)
        self._identity = None
        return self.ca()

    def grants(self) -> "NamespaceTrust":
        """Each grant is a separate Secret."""
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
            self._cluster.create(grants.secret(grant))
        except ApiFailure as failure:
            if not failure.is_taken:
                raise
            raise CertError(
                grant.name, "a token of this name exists already", "Choose another --name"
            ) from failure

    def granted(self) -> list[Grant]:
        """Every claim, as it is now."""
        return [grants.decode(found) for found in self._grants()]

    def sweep(self, now: float) -> None:
        """Forget grants that expired without ever being used."""
        for found in self._grants():
            grant = grants.decode(found)
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
            try:
                self._cluster.create(revoked.secret(change.applied_to(Revoked())))
                return
            except ApiFailure as failure:
                if not failure.is_taken:
                    raise  # Else a router made it in the same moment.
        self._swap(names.REVOKED_SECRET, lambda found: _more_revoked(found, change))

    def admitted(self) -> list[Admitted]:
        """Admitted sites by the register; those that never linked since, by their grants."""
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
        """Registered sites without damaged entries, so that the others can be revoked."""
        listed = self._cluster.list("Secret", f"{names.TYPE_LABEL}=admitted")
        return [entry for secret in listed for entry in register.usable(secret)]

    def _forget_admitted(self) -> None:
        for found in self._cluster.list("Secret", f"{names.TYPE_LABEL}=admitted"):
            self._cluster.delete("Secret", name_of(found))

    def is_revoked(self, site_id: str = "", *, serial: str = "") -> bool:
        """By the Secret that lists them."""
        known = revoked.decode(self._cluster.find("Secret", names.REVOKED_SECRET))
        return site_id in known.sites or serial in known.serials

    def renew(self, now: float) -> None:
        """Make another CA and forget all claims."""
        authority, key_pem = Authority.generate(self.site_id, now)
        new = CaState(key_pem, authority.ca_pem)
        for found in self._grants():  # First: by a grant its holder would rejoin.
            self._cluster.delete("Secret", name_of(found))
        self._forget_admitted()
        self._swap(names.IDENTITY_SECRET, lambda found: identity.with_ca(found, new))
        self._forget_admitted()  # Again: a router may have registered a site in between.
        self._identity = None

    def _secret(self) -> Object:
        if self._identity is None:
            self._identity = self._find_identity()
        return self._identity

    def _find_identity(self) -> Object:
        found = self._cluster.find("Secret", names.IDENTITY_SECRET)
        if found is not None:
            return found
        try:
            return self._cluster.create(identity.secret(_new_identity()))
        except ApiFailure as failure:
            if not failure.is_taken:
                raise
            return self._cluster.get("Secret", names.IDENTITY_SECRET)  # A router was first.

    def _grants(self) -> list[Body]:
        return self._cluster.list("Secret", f"{names.TYPE_LABEL}=grant")

    def _swap(self, name: str, change: Callable[[Object], Object | None]) -> None:
        """Replace a Secret by what ``change`` makes of it; None: it stays."""
        for attempt in range(_TRIES):
            found = self._cluster.get("Secret", name)
            changed = change(found)
            if changed is None:
                return
            try:
                self._cluster.replace(changed)
                return
            except ApiFailure as failure:
                if failure.status != 409 or attempt == _TRIES - 1:
                    raise


class SecretLinks:
    """Implements `sitectl.site.ports.LinkTokens`: a link is a token Secret of its name.

    ``linked``: those that routers make a link of, whatever their label says. ``site_id``: of this
    site, whose own tokens are no links here; empty: unknown.
    """

    def __init__(
        self,
        cluster: Cluster,
        secrets: Mapping[str, Object],
        linked: Collection[str] = (),
        site_id: str = "",
    ) -> None:
        self._cluster = cluster
        self._secrets = secrets
        self._linked, self._site_id = linked, site_id

    def names(self) -> list[str]:
        """Names of all token Secrets of other sites."""
        return sorted(
            name
            for name, found in self._secrets.items()
            if name in self._linked or self._is_token(found)
        )

    def _is_token(self, found: Object) -> bool:
        issuer = annotations(found).get(names.GENERATED_BY, "")
        is_own = bool(self._site_id) and issuer == self._site_id
        return labels(found).get(names.SKUPPER_TYPE) in _TOKEN_TYPES and not is_own

    def exists(self, name: str) -> bool:
        """Whether a token Secret has the name."""
        return name in self.names()

    def token(self, name: str) -> Token:
        """The token, with the cost its issuer gave it."""
        found = self._secrets[name]
        is_copy = labels(found).get(names.SKUPPER_TYPE) == names.CONNECTION_TOKEN_REQUEST
        return token_secrets.decode(found, kind=names.CONNECTION_TOKEN if is_copy else "")

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
        made = token_secrets.secret(token, name)
        if proxy:
            made["metadata"]["annotations"][names.LINK_PROXY] = proxy
        try:
            self._cluster.create(made)
        except ApiFailure as failure:
            if not failure.is_taken:
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
        data = proxy.encode(login)
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
        """Delete the token's Secret, with the credential from its redemption."""
        self.keep_proxy_login(name, None)
        if not self.exists(name):
            return False
        return self._cluster.delete("Secret", name)


def _new_identity() -> identity.Identity:
    site, key_pem = SiteIdentity.generate()
    authority, ca_key_pem = Authority.generate(site.site_id, time.time())
    return identity.made_of(key_pem, CaState(ca_key_pem, authority.ca_pem))


def _revoked_grant(found: Object) -> Object | None:
    grant = grants.decode(found)
    if grant.revoked:
        return None
    return grants.changed(found, msgspec.structs.replace(grant, revoked=True))


def _more_revoked(found: Object, change: Revocation) -> Object | None:
    before = revoked.decode(found)
    after = change.applied_to(before)
    return None if after == before else revoked.changed(found, after)


def _end_of(chain_pem: str) -> float:
    """Unix seconds; 0 if it cannot be read: revocation is by serial and ID."""
    try:
        return certificates.expires_at(chain_pem)
    except CertError:
        return 0.0
