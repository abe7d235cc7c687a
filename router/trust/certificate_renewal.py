"""Renews certificates of our links in time, over the link or, if that is down, at the claim port.

Each link is checked once a minute, soon after it is refused, and when it is up again after a failed
renewal. If a renewal is due, the link asks over itself; if it is not up and its certificate ended,
or is no longer accepted, it asks on the claim port by our identity key. If a new certificate is
already due for renewal, the clocks differ: the next one is requested rarely until this host's clock
is set.
"""

import random
import time
from collections.abc import Callable
from typing import Protocol

from certs import certificates, clocks, keys
from certs.ca import signing_requests
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.links import renewal
from certs.links.credentials import Credential, LinkStore
from certs.tls.contexts import CLAIM_ALPN, unauthenticated_client_context
from certs.token_files.tokens import Token
from router.link import control
from router.link.sessions.claims import ClaimCall, ClaimClient
from router.link.sessions.link_status import LinkStatus
from router.link.sessions.lost_races import LinkState
from router.link.sessions.renewals import Answer
from router.model import limits
from router.model.events import Problem, Tell
from router.model.ticks import doubled_s
from router.model.token_bucket import TokenBucket
from router.net.ports import FarNetwork, Proxy, Timer, Tls


class RenewalCarrier(Protocol):
    """The part of `LinkRenewals` used here."""

    def ask_renewal(self, name: str, request: str, answered: Answer) -> bool: ...


class _Renewal:
    """The state of one link: its certificate, and the renewal in progress."""

    __slots__ = (
        "attempts",
        "call",
        "credential",
        "due_at",
        "due_up_at",
        "error",
        "is_asking",
        "is_up",
        "is_wanted",
        "key_pem",
        "retry_at",
        "step",
        "timer",
        "token",
        "via",
    )

    def __init__(
        self, token: Token, credential: Credential | None, via: Proxy | None, chance: float
    ) -> None:
        self.token = token
        self.via = via
        self.credential = credential
        self.due_at = self.due_up_at = 0.0  # Unix seconds; the second one while the link is up.
        if credential is not None:
            self.due_at = renewal.due_at(credential.leaf.chain_pem, chance)
            self.due_up_at = renewal.due_at(credential.leaf.chain_pem, chance, token)
        self.is_wanted = False  # Now, even if not due.
        self.is_asking = False
        self.is_up = False  # The link, as last reported.
        self.attempts = 0
        self.retry_at = 0.0
        self.key_pem = ""  # The next one's, the same at each try: lost answers cost nothing.
        self.error = ""
        self.step = ""  # The operator's, after an error.
        self.timer: Timer | None = None
        self.call: ClaimCall | None = None

    def cancel(self) -> None:
        """Stop asking. Idempotent."""
        if self.timer is not None:
            self.timer.cancel()
        if self.call is not None:
            self.call.cancel()


class Renewer:
    """Owns the renewals of a site's links, by link name."""

    def __init__(
        self,
        network: FarNetwork,
        store: LinkStore,
        identity: SiteIdentity,
        rng: random.Random,
        tell: Tell,
        changed: Callable[[], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``changed`` is called when a link has a new certificate; ``wall``: Unix seconds."""
        self._wall = wall
        self._network = network
        self._store = store
        self._identity = identity
        self._rng = rng
        self._tell = tell
        self._changed = changed
        self._carrier: RenewalCarrier | None = None
        self._status_of: Callable[[str], LinkStatus | None] = lambda name: None
        self._rejoined_at: dict[str, float] = {}  # By link, on the network's clock.
        self._renewals: dict[str, _Renewal] = {}
        self._paces: dict[str, TokenBucket] = {}  # By link: of accepted certificates.
        self._old_when_new: dict[str, tuple[Credential, str]] = {}  # By link; the error.

    def use(self, carrier: RenewalCarrier, status_of: Callable[[str], LinkStatus | None]) -> None:
        """Ask over these links; ``status_of`` returns one by its name."""
        self._carrier, self._status_of = carrier, status_of

    def follow(
        self, name: str, token: Token, credential: Credential | None, via: Proxy | None = None
    ) -> None:
        """The link ``name`` is dialed with ``credential``, ``via`` a proxy or directly.

        None: its credential is damaged, so this site rejoins.
        """
        known = self._renewals.get(name)
        if known is not None and (known.token, known.credential) == (token, credential):
            known.via = via
            return
        self._stop(name)
        one = self._renewals[name] = _Renewal(token, credential, via, self._rng.random())
        made, error = self._old_when_new.get(name, (None, ""))
        if made == credential is not None:
            one.error, one.step = error, "When the clocks agree"
            pause_s = limits.RENEW_RETRY_MAX_S * self._rng.uniform(0.5, 1.0)
            one.retry_at = self._network.now() + pause_s
            self._look_later(name, one)
        elif self._wall() >= one.due_at:  # This host slept, or was off.
            self._look_in(name, one, self._rng.uniform(0.0, limits.RENEW_SOON_S))
        else:
            self._look_later(name, one)

    def look_again(self) -> None:
        """Check all links: the clock was set, or the host slept."""
        for name, one in self._renewals.items():
            one.retry_at = 0.0
            self._look_in(name, one, self._rng.uniform(0.0, limits.RENEW_SOON_S))

    def forget(self, keep: frozenset[str]) -> None:
        """Stop renewals of all links except ``keep``."""
        for name in self._renewals.keys() - keep:
            self._stop(name)
        self._rejoined_at = {n: at for n, at in self._rejoined_at.items() if n in keep}
        self._paces = {n: pace for n, pace in self._paces.items() if n in keep}
        self._old_when_new = {n: old for n, old in self._old_when_new.items() if n in keep}

    def due(self, name: str) -> None:
        """The neighbor reports that a renewal is due; it notifies many sites at once."""
        found = self._renewals.get(name)
        if found is not None and not found.is_wanted:
            found.is_wanted = True
            self._look_in(name, found, self._rng.uniform(0.0, limits.RENEW_DUE_SPREAD_S))

    def link_changed(self, name: str, state: LinkState) -> None:
        """The link has this state, perhaps unchanged."""
        found = self._renewals.get(name)
        if found is None:
            return
        was_up, found.is_up = found.is_up, state == "up"
        if state == "refused":  # Perhaps because of its certificate, together with many others.
            self._look_in(name, found, self._rng.uniform(0.0, limits.RENEW_SOON_S))
        elif found.is_up and not was_up and found.attempts:  # Perhaps the link just ended.
            found.retry_at = 0.0
            self._look_in(name, found, self._rng.uniform(0.0, limits.RENEW_DUE_SPREAD_S))
        elif found.is_up and not was_up and self._wall() >= found.due_up_at:
            self._look_in(name, found, self._rng.uniform(0.0, limits.RENEW_SOON_S))

    def is_due(self, name: str) -> bool:
        """Whether the refused link ``name`` will request another certificate soon, which may end
        the refusal."""
        found = self._renewals.get(name)
        if found is None or not found.token.site_id or not found.token.endpoints:
            return False
        return found.is_asking or (
            self._network.now() >= found.retry_at and self._has_reason(name, found)
        )

    def renew_now(self, name: str) -> bool:
        """Renew at the operator's command. False: no such link has a certificate.

        Raises `OSError` if the next one could not be written.
        """
        found = self._renewals.get(name)
        if found is None:
            return False
        if found.credential is not None:
            self._store.require_room(name, found.credential)
        found.is_wanted, found.retry_at = True, 0.0
        self._paces.pop(name, None)
        self._look_in(name, found, 0.0)
        return True

    def problems(self) -> tuple[Problem, ...]:
        """Certificates that are long due for renewal."""
        now = self._wall()
        found = []
        for name, one in self._renewals.items():
            if one.credential is None:
                continue  # Its refused link is a problem already.
            ends_at = certificates.expires_at(one.credential.leaf.chain_pem)
            if one.error and now >= (one.due_at + ends_at) / 2:
                told = "ended" if now >= ends_at else "ends"
                is_new = one.error == self._old_when_new.get(name, (None, ""))[1]
                again = "is due again" if is_new else "was not renewed"
                message = (
                    f"The certificate of link {name} {told} at {clocks.utc(ends_at)} and {again}: "
                    f"{one.error}."
                )
                hint = f"{one.step}: sitectl link renew {name}"
                found.append(Problem(code="SW0670", message=message, hint=hint))
        return tuple(found)

    # Checks -----------------------------------------------------------------------------------

    def _stop(self, name: str) -> None:
        found = self._renewals.pop(name, None)
        if found is not None:
            found.cancel()

    def _look_later(self, name: str, one: _Renewal) -> None:
        self._look_in(name, one, limits.RENEW_LOOK_S * self._rng.uniform(0.5, 1.0))

    def _look_in(self, name: str, one: _Renewal, pause_s: float) -> None:
        if one.timer is not None:
            one.timer.cancel()

        def due() -> None:
            if self._renewals.get(name) is one:
                self._look(name, one)

        one.timer = self._network.call_at(self._network.now() + pause_s, due)

    def _look(self, name: str, one: _Renewal) -> None:
        self._look_later(name, one)
        if one.is_asking or self._carrier is None or self._network.now() < one.retry_at:
            return
        if not self._has_reason(name, one):
            return
        line = self._status_of(name)
        key_pem = one.key_pem = one.key_pem or keys.to_pem(keys.generate())
        request = signing_requests.make_csr(keys.from_pem(key_pem, "key"))
        one.is_asking = True
        if self._carrier.ask_renewal(
            name, request, lambda answer: self._answered(name, one, answer)
        ):
            return
        if line is not None and line.state in ("up", "draining"):  # It cannot renew.
            one.is_asking = False
            self._pause(one)
        else:
            self._rejoin(name, one)

    def _has_reason(self, name: str, one: _Renewal) -> bool:
        """Whether to request another certificate."""
        pace = self._paces.get(name)
        if pace is not None and self._network.now() < pace.ready_at():
            return False  # Whatever the neighbor says: it gave many already.
        due_at = one.due_up_at if one.is_up else one.due_at
        return one.is_wanted or self._wall() >= due_at or self._is_refused_for_it(name)

    def _is_refused_for_it(self, name: str) -> bool:
        """Whether the refusal may be due to the certificate: no other cause is known, and the link
        has not just rejoined.
        """
        line, rejoined_at = self._status_of(name), self._rejoined_at.get(name, float("-inf"))
        if self._network.now() - rejoined_at < limits.RENEW_RETRY_MAX_S:
            return False
        return line is not None and line.state == "refused" and not line.error_code

    def _pause(self, one: _Renewal) -> None:
        longest_s = doubled_s(limits.RENEW_RETRY_MIN_S, one.attempts, limits.RENEW_RETRY_MAX_S)
        pause_s = longest_s * self._rng.uniform(0.5, 1.0)
        one.attempts += 1
        one.retry_at = self._network.now() + pause_s

    # Over the link ----------------------------------------------------------------------------

    def _answered(self, name: str, one: _Renewal, answer: control.Renewed | None) -> None:
        one.is_asking = False
        if self._renewals.get(name) is not one:
            return
        if answer is None:
            self._failed(name, one, f"{one.token.site_name} did not answer")
        elif not answer.chain:
            said = "".join(char if char.isprintable() else "?" for char in answer.reason)
            self._failed(name, one, f"{one.token.site_name} gave none: {said}")
        else:
            source = f"answer of {one.token.site_name}"
            self._take(
                name,
                one,
                lambda: renewal.read_renewed(
                    answer.chain, answer.cas, one.key_pem, self._identity.site_id, source
                ),
            )

    def _take(self, name: str, one: _Renewal, read: Callable[[], Credential]) -> None:
        try:
            credential = read()
            self._store.renewed(name, credential)
        except CertError as error:
            self._failed(name, one, str(error))
            return
        except OSError as error:
            step = "Free space there or make it writable, then"
            self._failed(name, one, f"{error.filename or name}: {error.strerror}", step)
            return
        if not self._is_old(name, one.token.site_name, credential):
            ends_at = clocks.utc(certificates.expires_at(credential.leaf.chain_pem))
            text = f"The certificate of link {name} ends at {ends_at}."
            self._tell("info", "certificate-renewed", name, text)
        self._stop(name)
        now = self._network.now()
        pace = TokenBucket(limits.RENEWALS_BURST_OF_LINK, 1 / limits.RENEWALS_EACH_S_OF_LINK, now)
        self._paces.setdefault(name, pace).overdraw(now)
        self._changed()  # It calls `follow` with the new one.

    def _is_old(self, name: str, site: str, made: Credential) -> bool:
        """Whether the certificate ``made`` just now is already due again, by this clock; noted."""
        _, told = self._old_when_new.pop(name, (None, ""))
        chain = made.leaf.chain_pem
        if self._wall() < renewal.due_at(chain, 0.0):
            return False
        text = clocks.old_certificate_report(chain, self._wall(), clocks.is_synchronised())
        error = f"{site} gives none that is new: {text}"
        self._old_when_new[name] = (made, error)
        if not told:
            self._tell_not_renewed(name, f"is due again at once: {error}")
        return True

    def _tell_not_renewed(self, name: str, what: str) -> None:
        text = f"The certificate of link {name} {what}"
        line = self._status_of(name)
        is_refused = line is not None and line.state == "refused"  # Nothing else will fix it.
        self._tell("error" if is_refused else "warning", "certificate-not-renewed", name, text)

    def _failed(self, name: str, one: _Renewal, error: str, step: str = "") -> None:
        if error != one.error:
            self._tell_not_renewed(name, f"was not renewed: {error}")
        one.error, one.step = error, step or f"Look at {one.token.site_name}, then"
        self._pause(one)

    # At the claim port ------------------------------------------------------------------------

    def _rejoin(self, name: str, one: _Renewal) -> None:
        token = one.token
        if not token.site_id or not token.endpoints:  # There is no key to trust.
            one.is_asking = False
            self._failed(name, one, "the link is down, and its token does not say whose it is")
            return
        nonce = self._rng.randbytes(renewal.NONCE_BYTES)
        request = renewal.make_request(self._identity, token.site_id, one.key_pem, nonce)

        def answered(status: int, body: bytes) -> None:
            one.is_asking = False
            if status == 200:
                self._rejoined_at[name] = self._network.now()
            site = self._identity.site_id
            self._take(
                name,
                one,
                lambda: renewal.read_answer(status, body, request, one.key_pem, site, token),
            )

        def failed(reason: str) -> None:
            one.is_asking = False
            self._failed(name, one, reason)

        first = one.attempts % len(token.endpoints)
        try:
            one.call = ClaimClient(self._network).post(
                (*token.endpoints[first:], *token.endpoints[:first]),
                Tls(context=unauthenticated_client_context(), certificate=b"", alpn=(CLAIM_ALPN,)),
                token.name,
                request,
                answered,
                lambda failure: failed(failure.reason),
                "renewals",
                via=one.via,
            )
        except ValueError as error:
            failed(str(error))
