"""Issues renewed certificates to sites that already link here, and owns the register.

A neighbor on a live link has proved its identity; on the claim port it proves it by its identity
key, and the register says whether it was ever admitted.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

from certs import certificates, clocks, keys
from certs import limits as certs_limits
from certs.ca import signing_requests
from certs.ca.authority import Authority
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.joining.claims import GrantStore
from certs.joining.redeem import ClaimDesk
from certs.links import renewal
from certs.links.register import DIRECTORY, Register
from certs.links.revocation import Revocation, Revocations
from certs.names import is_name
from router.link import control
from router.link.neighbour import Neighbour
from router.link.sessions.claims import Answered
from router.link.sessions.renewals import Answer
from router.model.events import Tell
from router.model.wording.system_errors import text_of
from router.trust.ports import PrimarySecrets

_REFUSED = b'{"code":"renewal-refused"}'
_SLOW_DOWN = b'{"code":"slow-down"}'
_UNAVAILABLE = b'{"code":"unavailable"}'


class Issuer:
    """Issues to admitted sites; owns the register."""

    def __init__(
        self,
        secrets: Path,
        identity: SiteIdentity,
        authority: Callable[[], Authority],
        cas_for: Callable[[str], str],
        revocations: Revocations,
        desk: ClaimDesk,
        revoke: Callable[[Revocation], None],
        tell: Tell,
        primary: PrimarySecrets | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``authority`` issues now; ``cas_for``: all CAs by which to know this site, to be sent
        with that chain; ``wall``: Unix seconds."""
        self._wall = wall
        self._primary = primary
        self.register = Register(secrets / DIRECTORY)
        self._grants = secrets / "grants"
        self._identity = identity
        self._authority = authority
        self._cas_for = cas_for
        self._revocations = revocations
        self._desk = desk
        self._revoke = revoke
        self._tell = tell
        self._trouble = ""
        self._shown: dict[str, float] = {}  # By site: end of its last certificate.

    def seen(self, certificate: bytes, neighbour: Neighbour) -> None:
        """Record that the site linked here. If the write fails, its next link writes it."""
        self._shown.pop(neighbour.site, None)
        while len(self._shown) >= certs_limits.ADMITTED_MAX:
            del self._shown[next(iter(self._shown))]
        try:
            self._shown[neighbour.site] = certificates.expires_at(certificate)
            if self.register.seen(neighbour.site, neighbour.name, certificate, self._wall()):
                self._keep(neighbour.site)
        except (CertError, OSError) as error:
            self._tell_trouble(neighbour.name, text_of(error))
        else:
            self._trouble = ""

    def deleted(self, site: str) -> None:
        """Record that the site was deleted, by its own report."""
        try:
            if self.register.deleted(site, self._wall()):
                self._keep(site)
        except (CertError, OSError) as error:
            self._tell_trouble(site[:8], text_of(error))

    def shown_until(self, site: str) -> float | None:
        """Unix seconds at which the certificate ends with which ``site`` linked; None: it has
        not."""
        return self._shown.get(site)

    def serials(self, site: str) -> frozenset[str]:
        """Serials of all certificates of ``site`` that may still count."""
        try:
            entry = self.register.get(site)
        except (CertError, OSError):
            return frozenset()  # Its id is barred anyway.
        return frozenset(entry.serials if entry is not None else ())

    def has_current(self, site: str) -> bool:
        """Whether ``site`` has a certificate of the CA that issues now, by the register."""
        try:
            entry = self.register.get(site)
        except (CertError, OSError):
            return False
        chains = (one.chain for one in entry.issued if one.chain) if entry is not None else ()
        return any(self._authority().issued(certificates.read(chain)) for chain in chains)

    def forget_all(self) -> None:
        """Forget all admitted sites, so that none rejoins by itself: another CA is in use, and no
        earlier claim counts."""
        if self._primary is not None:
            self._primary.forget_admitted()
        try:
            self.register.forget_all()
        except OSError as error:
            self._tell_trouble("register", text_of(error))

    def asked(self, neighbour: Neighbour, certificate: bytes, request: str, answer: Answer) -> None:
        """Answer a renewal request over a live link. See `LinkRenewals.renew_by`."""
        try:
            serial = certificates.serial_of(certificate)
            if self._revocations.is_revoked(serial, neighbour.site):
                answer(control.Renewed("", "", "its access was revoked"))
                return
            chain, _ = self._issue(neighbour.site, neighbour.name, certificate, request)
        except (CertError, OSError) as error:
            self._tell_trouble(neighbour.name, text_of(error))
            answer(control.Renewed("", "", text_of(error)[:512]))
            return
        answer(control.Renewed(chain, self._cas_for(chain)))

    def judge(self, name: str, body: bytes, source: str, done: Answered) -> None:
        """Answer a renewal request on the claim port. All refusals are the same, whatever the
        reason.
        """
        now = self._wall()
        if not self._desk.admits(source, now):
            done(HTTPStatus.TOO_MANY_REQUESTS, _SLOW_DOWN)
            return
        found = renewal.read_request(body, self._identity.site_id) if is_name(name) else None
        if found is None:
            done(HTTPStatus.FORBIDDEN, _REFUSED)
            return
        asked, site = found
        try:
            old = self._last_certificate(site)
            if old is None or self._revocations.is_revoked(certificates.serial_of(old), site):
                done(HTTPStatus.FORBIDDEN, _REFUSED)
                return
            entry = self.register.get(site)
            name = entry.name if entry is not None else site[:8]
            chain, is_new = self._issue(site, name, old, asked.csr)
            answer = renewal.make_answer(self._identity, asked, chain, self._cas_for(chain))
        except CertError as error:
            self._tell_trouble(site[:8], str(error))
            done(HTTPStatus.FORBIDDEN, _REFUSED)
            return
        except OSError as error:
            self._tell_trouble(site[:8], text_of(error))
            done(HTTPStatus.SERVICE_UNAVAILABLE, _UNAVAILABLE)
            return
        if is_new:  # Not for a replayed request.
            self._desk.forgive(source, now)
            who = f"{name} ({site[:8]})" if name != site[:8] else name
            told = f"Site {who} was given a new certificate. It asked for it from {source}."
            self._tell("info", "link-rejoined", site[:8], told)
        done(HTTPStatus.OK, answer)

    def _issue(self, site: str, name: str, old: bytes | str, request: str) -> tuple[str, bool]:
        """A certificate that is entered in the register, and whether it is new. The same key gets
        its previous certificate again while that is young."""
        now = self._wall()
        authority = self._authority()
        key = hashlib.sha256(keys.public_der(signing_requests.key_of_csr(request))).hexdigest()
        entry = self.register.get(site)
        living = [one for one in entry.issued if now < one.expires] if entry is not None else []
        with_chain = [one for one in living if one.chain]
        ours = [one for one in with_chain if authority.issued(certificates.read(one.chain))]
        for one in ours:
            is_young = now < one.expires - certs_limits.LINK_LEAF_LIFE_S / 2
            if one.key == key and is_young and _names(one.chain, site):
                return one.chain, False
        if len(ours) >= certs_limits.ISSUED_PER_SITE_MAX:
            raise CertError(
                name,
                f"has {len(ours)} certificates that have not ended",
                f"The next one is to be had from {clocks.utc(min(o.expires for o in ours))}",
            )
        chain = renewal.issue(authority, old, request, site, now)
        dropped = self.register.keep(site, name, chain, now)  # Those of another CA.
        self._keep(site)
        own = frozenset(certificates.serial_of(one) for one in dropped if _names(one, site))
        if own:  # The others are not bound to this site alone.
            self._revoke(Revocation(serials=own))
        return chain, True

    def _keep(self, site: str) -> None:
        if self._primary is not None:
            self._primary.admitted(site)

    def _last_certificate(self, site: str) -> str | None:
        """The newest certificate of ``site``; None: it was never admitted."""
        entry = self.register.get(site)
        if entry is not None and entry.issued:
            return entry.issued[-1].chain
        if self._primary is not None:
            return self._primary.last_chain(site)
        return max(self._of_grants(site), key=certificates.begins_at, default=None)

    def _of_grants(self, site: str) -> Iterator[str]:
        """Certificates of claims, of sites that never linked since this site has a register."""
        grants = GrantStore(self._grants, self._authority(), waits=False)
        for name in grants.names():
            try:
                grant = grants.get(name)
            except CertError:
                continue
            for use in grant.redeemed if grant is not None and not grant.revoked else ():
                is_barred = self._revocations.is_revoked(use.serial, site)
                if use.site_id == site and not is_barred:
                    yield use.chain

    def _tell_trouble(self, subject: str, error: str) -> None:
        if error != self._trouble:
            self._trouble = error
            self._tell("warning", "not-registered", subject, error)


def _names(chain: str, site: str) -> bool:
    """Whether only ``site`` can use it."""
    return certificates.site_in_certificate(chain) == site
