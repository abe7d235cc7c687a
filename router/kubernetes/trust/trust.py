"""The secrets of a site whose truth is in Secrets: the site directory is a copy of them.

`prepare` (in `identity`) comes first. Then `look` takes each new state of the namespace, at once
and in the caller's turn; `run` does everything that needs the API, again and again until it is
done, and calls ``links_changed`` when links can be dialed that could not be before. No failure
here stops serving: while the API is away, the directory counts.
"""

import asyncio
import errno
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.certificates import begins_at
from certs.identity import SiteIdentity
from certs.joining.claims import ClaimRequest, Grant
from certs.links.credentials import LinkStore
from certs.links.register import DIRECTORY, Register
from certs.links.revocation import Revocation, Revocations
from router.documents import Wanted
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs.identity import CODE
from router.kubernetes.codecs.secrets import GRANT, SecretError, is_type
from router.kubernetes.objects.addresses import EXPOSED_BY, Addresses, addresses
from router.kubernetes.objects.names import IDENTITY_SECRET, ROUTER, SITE_CONFIGMAP, TYPE_LABEL
from router.kubernetes.objects.objects import Object, Snapshot, is_going, labels, uid_of, version_of
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.store.error_source import ErrorSource
from router.kubernetes.store.own_site import OwnSite
from router.kubernetes.store.supervise import woken
from router.kubernetes.trust import identity
from router.kubernetes.trust.admitted import AdmittedSecrets
from router.kubernetes.trust.console import DIRECTORY as CONSOLE_DIRECTORY
from router.kubernetes.trust.console import ConsoleUsers
from router.kubernetes.trust.grants import Done, GrantSecrets
from router.kubernetes.trust.links import LinkSecrets, TokenObstacle
from router.kubernetes.trust.proxies import ProxySecrets
from router.kubernetes.trust.requests import TokenIssuer, TokenRequests
from router.kubernetes.trust.revoked import RevokedSecret
from router.kubernetes.trust.tls import Named, TlsSecrets, named
from router.kubernetes.trust.trust_calls import SECRET, refusal
from router.model import limits
from router.model.errors import ConfigError

log = logging.getLogger("router.kubernetes")


class NamespaceState(NamedTuple):
    """A state of the namespace. ``wanted`` None: it makes no usable site."""

    snapshot: Snapshot
    picture: NamespacePicture
    wanted: Wanted | None


class SecretTrust(ErrorSource):
    """Owns the copy. Implements `trust.ports.PrimarySecrets`. Belongs to one event loop."""

    def __init__(
        self,
        api: Api,
        site_dir: Path,
        rng: random.Random,
        clock: Callable[[], float] = time.time,
        *,
        pod: str,
    ) -> None:
        """``pod``: the name of the Pod that this router runs in; empty: none.

        Raises CertError for a damaged directory.
        """
        super().__init__()
        secrets = site_dir / "secrets"
        site, self._authority = SiteIdentity.load(secrets), Authority.load(secrets)
        self._api, self._clock, self._rng = api, clock, rng
        self._site_dir, self._secrets_dir, self._pod = site_dir, secrets, pod
        self._identity_error: ConfigError | None = None
        self._site_uid = ""
        self._ca_proposed: tuple[CaState, CaState] | None = None
        self._links_changed: Callable[[], None] = _nobody
        self._revocations_changed: Callable[[], None] = _nobody
        self.site_id = site.site_id
        self._own_site = OwnSite(site.site_id)
        links = LinkStore(secrets / "links")
        self._links = LinkSecrets(api, links, site.site_id, clock)
        self._proxies = ProxySecrets(links)
        self._revoked = RevokedSecret(
            api, Revocations(secrets), lambda: self._revocations_changed()
        )
        self._admitted = AdmittedSecrets(api, Register(secrets / DIRECTORY))
        issuer = TokenIssuer(self._authority, site.site_id, api.namespace)
        self._requests = TokenRequests(api, issuer, clock)
        self._grants: GrantSecrets | None = None  # Set while `run` runs.
        self._tls: TlsSecrets | None = None
        self._console: ConsoleUsers | None = None
        self._seen: NamespaceState | None = None
        self._exposed: Object | None = None
        self._exposed_kind, self._exposed_at = "", 0.0
        self._exposed_error: ConfigError | None = None
        self._poked = asyncio.Event()
        self._tls_news = asyncio.Event()
        self.addresses = Addresses(waiting="the objects of the namespace were not read yet")
        """Addresses where other sites reach this one, for the tokens that it makes."""

    def follow_secrets(
        self, links_changed: Callable[[], None], revocations_changed: Callable[[], None]
    ) -> None:
        """Set the callbacks.

        ``links_changed``: links can be dialed that could not be before, or links were replaced.
        ``revocations_changed``: ``revoked.json`` may have changed.
        """
        self._links_changed, self._revocations_changed = links_changed, revocations_changed

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """All problems of the namespace's Secrets, including failures to save."""
        console = None if self._console is None else self._console.error
        hindered = (self._identity_hindrance, self._exposed_error, console)
        own = tuple(e for e in hindered if e is not None)
        tls = () if self._tls is None else self._tls.errors
        return (
            *self._links.errors,
            *self._proxies.errors,
            *self._revoked.errors,
            *self._admitted.errors,
            *self._requests.errors,
            *tls,
            *own,
        )

    @property
    def _identity_hindrance(self) -> ConfigError | None:
        """None also while our Pod is terminating: the next one has the identity that the namespace
        has by then, maybe that of a site that was made again, and nothing can be done here."""
        error = self._identity_error
        if error is None or error.code != CODE or self._seen is None:
            return error
        own = self._seen.snapshot.get("Pod", self._pod)
        return None if own is not None and is_going(own) else error

    # Calls of the router --------------------------------------------------------------------

    def redeem(self, name: str, request: ClaimRequest, now: float, done: Done) -> None:
        """Judge a claim; ``done`` follows after the decision is saved, never in this call."""
        if self._grants is None:
            fault = OSError(errno.EAGAIN, "this router starts or stops")
            asyncio.get_running_loop().call_soon(done, fault)
            return
        self._grants.redeem(name, request, now, done)

    def revoked(self, change: Revocation) -> None:
        """Save a change of the router to the list of revoked sites."""
        self._revoked.revoked(change)
        self.poke()

    def admitted(self, site: str) -> None:
        """Save the register's entry of ``site``."""
        self._admitted.changed(site)
        self.poke()

    def forget_admitted(self) -> None:
        """Drop unsaved entries of the register; its Secrets are deleted already."""
        self._admitted.forget_all()

    def keep_ca(self, before: CaState, after: CaState) -> None:
        """Make ``after`` the CA in the Secret, unless another replica is faster."""
        self._ca_proposed = (before, after)
        self.poke()

    def granted(self) -> list[Grant]:
        """All claims in the namespace. Raises CertError for a damaged one."""
        if self._seen is None:
            return []
        found = self._seen.snapshot.of(SECRET).values()
        return [grants.decode(one) for one in found if is_type(one, GRANT)]

    def last_chain(self, site: str) -> str | None:
        """The newest certificate chain of ``site``, by the grants that were seen last."""
        if self._seen is None:
            return None
        chains: list[str] = []
        for found in self._seen.snapshot.of(SECRET).values():
            if not is_type(found, GRANT):
                continue
            try:
                grant = grants.decode(found)
            except SecretError:
                continue
            if not grant.revoked:
                chains += [use.chain for use in grant.redeemed if use.site_id == site]
        return max(chains, key=begins_at, default=None)

    def hindrance(self, link: str) -> TokenObstacle | None:
        """Why a wanted link has no token yet; None: it has one."""
        return self._links.hindrance(link)

    # Following the namespace ----------------------------------------------------------------

    def look(self, snapshot: Snapshot, picture: NamespacePicture, wanted: Wanted | None) -> None:
        """Take a new state, before ``wanted`` (None: no usable site) is applied.

        Unreadable Secrets leave everything as it is.
        """
        self._own_site.look(snapshot, picture)
        before, self._seen = self._seen, NamespaceState(snapshot, picture, wanted)
        if before is not None and _is_same(before, self._seen):
            return
        self._take_up(snapshot, picture, wanted)

    def _take_up(
        self, snapshot: Snapshot, picture: NamespacePicture, wanted: Wanted | None
    ) -> None:
        if SECRET not in snapshot.missing:
            secrets = snapshot.of(SECRET)
            ours = {name: found for name, found in secrets.items() if TYPE_LABEL in labels(found)}
            if wanted is not None:  # Before its link is dialed.
                self._proxies.look(picture.tokens, ours, wanted)
            # A deleted site reports its end over its links, whose Secrets go before its router
            # does.
            linked = None if wanted is None else wanted.links.keys()
            if not self._own_site.is_gone and self._links.look(picture.tokens, ours, linked):
                self._links_changed()
            self._revoked.look(ours)
            self._admitted.look(ours)
            self._follow_ca(secrets.get(IDENTITY_SECRET))
            if self._tls is not None and wanted is not None:
                self._tls.look(named(wanted), ours)
            if self._console is not None:
                self._console.look(picture.options)
        self._look_at_requests()
        self.poke()

    def _follow_ca(self, seen: Object | None) -> None:
        """Take a new CA in the caller's turn: it then holds at every replica at once."""
        if not identity.follow(self._site_dir, seen):
            return
        self._authority = Authority.load(self._secrets_dir)
        if self._grants is not None:
            self._grants.use(self._authority)
        self._requests.use(self._authority)
        self._revocations_changed()

    def _look_at_requests(self) -> None:
        if self._seen is None:
            return
        snapshot, picture, _ = self._seen
        if picture.options is None:
            self.addresses = Addresses(waiting="there is no usable ConfigMap/skupper-site")
        else:
            service = snapshot.get("Service", ROUTER)
            self.addresses = addresses(picture.options, snapshot.namespace, service, self._exposed)
        if SECRET not in snapshot.missing and picture.options is not None:
            name, secrets = picture.options.name, snapshot.of(SECRET)
            self._requests.look(picture.requests, secrets, name, self.addresses)

    def note_rights(self) -> None:
        """Rights in the namespace came back: ask for Secrets that could not be read."""
        for watching in (self._tls, self._console):
            if watching is not None:
                watching.note_rights()

    # With the API ---------------------------------------------------------------------------

    def poke(self) -> None:
        """Something must be saved: a claim was redeemed or a site revoked."""
        self._poked.set()

    async def run(self) -> None:
        """Keep Secrets up to date until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._grants = GrantSecrets(self._api, self._authority, tasks)
            self._tls = TlsSecrets(
                self._api, self._secrets_dir / "tls", tasks, self._rng, self._heard_of_tls
            )
            self._console = ConsoleUsers(
                self._api, self._secrets_dir / CONSOLE_DIRECTORY, tasks, self._rng, self.poke
            )
            if self._seen is not None:
                self._take_up(*self._seen)
            self._tls_news.set()
            try:
                while True:
                    self._poked.clear()
                    try:
                        await self.step()
                    except Exception:  # The owner of the task; saved secrets stay saved.
                        log.exception("the secrets of the site could not be kept")
                    most_s = limits.TRUST_OPEN_S if self.errors else limits.TRUST_SETTLED_S
                    await woken(self._poked, most_s * self._rng.uniform(0.8, 1.2))
            finally:
                self._grants = None

    def _heard_of_tls(self) -> None:
        self._tls_news.set()
        self.poke()

    async def ready(self) -> None:
        """Wait until the named TLS credentials that exist are here, so that no listener fails for
        want of one.

        Waits only while `run` does, and not for long.
        """
        try:
            async with asyncio.timeout(limits.TRUST_READY_S):
                while self._tls is None or not self._tls.is_settled:
                    self._tls_news.clear()
                    await self._tls_news.wait()
        except TimeoutError:
            log.warning("goes on without all TLS credentials: the API server is slow")
            if self._tls is not None:
                self._tls.await_no_longer()

    async def last(self) -> None:
        """Before the end: save, within a short time, what would be lost with the directory."""
        if self._own_site.is_gone:
            return
        try:
            async with asyncio.timeout(limits.TRUST_LAST_S):
                await self._revoked.step()
                await self._admitted.step()
                await self._links.step(_nobody)
        except TimeoutError:
            log.warning("the end came before all secrets of the site could be kept")

    async def step(self) -> None:
        """Do all open work once. Failures are in `errors` and are tried again."""
        if not self._own_site.is_gone:
            await self._revoked.step()  # First: a revoked site must not come in again.
        async with asyncio.TaskGroup() as tasks:  # A hanging call must not hold up the others.
            tasks.create_task(self._keep_identity())
            if not self._own_site.is_gone:  # Else the namespace may have another site by now.
                # Looked up at the call: the router may set the callback during this step.
                tasks.create_task(self._links.step(lambda: self._links_changed()))
                tasks.create_task(self._admitted.step())
                tasks.create_task(self._fill_requests())
                tasks.create_task(self._sweep())
                if self._console is not None:
                    tasks.create_task(self._console.step())
        self._tell(self.errors)

    async def _fill_requests(self) -> None:
        await self._find_exposed()
        self._look_at_requests()
        await self._requests.step()

    async def _keep_identity(self) -> None:
        if self._seen is None:
            return
        snapshot, picture, _ = self._seen
        if picture.options is not None and SECRET not in snapshot.missing:
            seen = snapshot.get(SECRET, IDENTITY_SECRET)
            if self._ca_proposed is not None:
                (before, after), self._ca_proposed = self._ca_proposed, None
                refused = await identity.propose_ca(self._api, before, after)
                if refused is not None:
                    self._identity_error = refused
                    return
            self._site_uid = self._site_uid or uid_of(snapshot.get("ConfigMap", SITE_CONFIGMAP))
            self._identity_error = await identity.keep(
                self._api, self._site_dir, seen, self._site_uid
            )

    async def _find_exposed(self) -> None:
        """Find the Route or Ingress in front of the link port, which is not worth a watch."""
        options = None if self._seen is None else self._seen.picture.options
        kind = "" if options is None else EXPOSED_BY.get(options.ingress, "")
        if kind != self._exposed_kind or not kind:
            self._exposed_kind, self._exposed, self._exposed_error = kind, None, None
        elif self._clock() < self._exposed_at + (
            limits.TRUST_OPEN_S if self._exposed is None else limits.TRUST_SETTLED_S
        ):
            return
        if not kind:
            return
        self._exposed_at = self._clock()
        try:
            self._exposed = await self._api.find(kind, ROUTER)
            self._exposed_error = None
        except ApiError as error:  # The address found before still counts.
            doing = "read the address of this site's links"
            self._exposed_error = refusal(error, f"{kind}/{ROUTER}", doing)

    async def _sweep(self) -> None:
        """Delete expired grants that were never used: no certificate refers to them."""
        if self._seen is None:
            return
        for name, found in self._seen.snapshot.of(SECRET).items():
            if is_type(found, GRANT) and self._is_over(found):
                try:
                    await self._api.delete(SECRET, name, version=version_of(found))
                except ApiError:  # Changed, gone or refused: the next state shows which.
                    continue

    def _is_over(self, found: Object) -> bool:
        try:
            grant = grants.decode(found)
        except SecretError:
            return False
        over_at = grant.expires_at + limits.GRANT_KEPT_S
        return not grant.redeemed and self._clock() >= over_at


def _nobody() -> None:
    """Placeholder until a follower subscribes."""


def _is_same(before: NamespaceState, now: NamespaceState) -> bool:
    """Whether nothing relevant to secrets changed. Most news is about pods."""
    kinds = (SECRET, "Service")
    return (
        all(before.snapshot.of(kind) is now.snapshot.of(kind) for kind in kinds)
        and before.snapshot.missing == now.snapshot.missing
        and before.picture is now.picture
        and _named(before.wanted) == _named(now.wanted)
    )


def _named(wanted: Wanted | None) -> dict[str, Named]:
    return {} if wanted is None else named(wanted)
