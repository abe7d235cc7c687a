"""Redeems claims of ours until there is a certificate, or a final refusal."""

import time
from collections.abc import Callable

from certs.errors import CertError
from certs.joining import redeem
from certs.links.credentials import LinkStore
from certs.tls.contexts import CLAIM_ALPN, client_context
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.link.sessions.claims import ClaimCall, ClaimClient
from router.link.sessions.lost_races import LinkErrorCode, code_of
from router.model import limits
from router.model.events import Tell
from router.model.ticks import doubled_s
from router.model.wording.system_errors import text_of
from router.net.ports import DialFailure, FarNetwork, Proxy, Timer, Tls
from router.trust.clock import out_of_time_now


class PendingRedemption:
    """A redemption in progress: one endpoint after the other, with growing pauses.

    ``since``: when it began or, once ``final`` (no further attempts), ended. ``error``: why the
    last attempt failed, empty before the first failure.
    """

    __slots__ = (
        "attempts",
        "call",
        "error",
        "error_code",
        "final",
        "since",
        "timer",
        "token",
        "via",
    )

    def __init__(self, token: Token, via: Proxy | None, now: float) -> None:
        self.token = token
        self.via = via
        self.since = now
        self.attempts = 0
        self.call: ClaimCall | None = None
        self.error = ""
        self.error_code: LinkErrorCode = ""
        self.final = False
        self.timer: Timer | None = None

    def cancel(self) -> None:
        """Stop asking. Idempotent."""
        if self.timer is not None:
            self.timer.cancel()
        if self.call is not None:
            self.call.cancel()


class Redeemer:
    """Owns the redemptions of a site's links, by link name."""

    __slots__ = (
        "_changed",
        "_links",
        "_network",
        "_redemptions",
        "_site_id",
        "_site_name",
        "_tell",
    )

    def __init__(
        self,
        network: FarNetwork,
        links: LinkStore,
        site_id: str,
        site_name: str,
        tell: Tell,
        changed: Callable[[], None],
    ) -> None:
        """``changed`` is called when a link got its certificate or another reason to wait."""
        self._network = network
        self._links = links
        self._site_id, self._site_name = site_id, site_name
        self._tell = tell
        self._changed = changed
        self._redemptions: dict[str, PendingRedemption] = {}

    def redeem(self, name: str, token: Token, via: Proxy | None) -> PendingRedemption:
        """The state of redeeming the claim ``token`` of the link ``name``; the first call begins
        it.

        A change of the proxy restarts it.
        """
        redemption = self._redemptions.get(name)
        if redemption is None or redemption.token != token or redemption.via is not via:
            self.stop(name)
            redemption = self._redemptions[name] = PendingRedemption(
                token, via, self._network.now()
            )
            self._again(name, redemption)
        return redemption

    def stop(self, name: str) -> None:
        """Stop the redemption for the link ``name``, if any."""
        redemption = self._redemptions.pop(name, None)
        if redemption is not None:
            redemption.cancel()

    def start_again(self) -> None:
        """Restart every redemption, also those given up: the clock was wrong."""
        names = list(self._redemptions)
        for name in names:
            self.stop(name)
        if names:
            self._changed()

    def stop_all_but(self, keep: frozenset[str]) -> None:
        """Stop the redemptions of all links except ``keep``."""
        for name in self._redemptions.keys() - keep:
            self.stop(name)

    def _again(self, name: str, redemption: PendingRedemption) -> None:
        """Ask at once the first time, then after growing pauses."""
        pause_s = 0.0
        if redemption.attempts:
            pause_s = doubled_s(limits.RECONNECT_MIN_S, redemption.attempts, limits.RECONNECT_MAX_S)

        def due() -> None:
            if self._redemptions.get(name) is redemption:
                self._ask(name, redemption)

        redemption.timer = self._network.call_at(self._network.now() + pause_s, due)

    def _ask(self, name: str, redemption: PendingRedemption) -> None:
        redemption.timer = None
        token = redemption.token
        try:
            # An earlier request may have been granted, and its answer lost.
            if not self._links.has_key(name):
                tokens.check_usable(token, self._site_id, time.time())
            key = self._links.redeeming_key(name)
            _, body = redeem.make_request(token, self._site_id, self._site_name, key)
            context = client_context(None, token.ca_pem, CLAIM_ALPN)
        except CertError as error:
            self._failed(name, redemption, str(error), final=True)
            return
        except OSError as error:  # A full disk will have space again some time.
            redemption.attempts += 1
            self._failed(name, redemption, text_of(error), final=False)
            self._again(name, redemption)
            return
        first = redemption.attempts % len(token.endpoints)
        redemption.attempts += 1
        redemption.call = ClaimClient(self._network).post(
            (*token.endpoints[first:], *token.endpoints[:first]),
            Tls(context=context, certificate=b"", alpn=(CLAIM_ALPN,), tells_time=out_of_time_now),
            token.name,
            body,
            lambda status, answer: self._answered(name, key, redemption, status, answer),
            lambda failure: self._unanswered(name, redemption, failure),
            via=redemption.via,
        )

    def _unanswered(self, name: str, redemption: PendingRedemption, failure: DialFailure) -> None:
        redemption.error_code = code_of(failure)
        reason = failure.reason + _hint(failure, redemption.token.site_name)
        self._failed(name, redemption, reason, final=False)
        self._again(name, redemption)

    def _answered(
        self, name: str, key: str, redemption: PendingRedemption, status: int, body: bytes
    ) -> None:
        token = redemption.token
        try:
            credential = redeem.read_answer(status, body, key, token)
            self._links.complete(name, credential)
        except (CertError, OSError) as error:
            final = isinstance(error, CertError) and not error.retryable
            self._failed(name, redemption, text_of(error), final=final)
            if not final:
                self._again(name, redemption)
            return
        del self._redemptions[name]
        self._tell("info", "claim-accepted", name, f"{token.site_name} accepted our claim.")
        self._changed()

    def _failed(self, name: str, redemption: PendingRedemption, error: str, *, final: bool) -> None:
        told = (redemption.error, redemption.final)
        if error != redemption.error:
            self._tell("error" if final else "warning", "claim-failed", name, error)
        if final:
            redemption.since = self._network.now()
        redemption.error, redemption.final = error, final
        if told != (error, final):
            self._changed()  # Callers of `redeem` now get the reason.


def _hint(failure: DialFailure, site: str) -> str:
    """The next step for the user who redeems a token of ``site``; empty: the reason says it."""
    if code_of(failure):  # They include the next step.
        return ""
    if failure.code == "tls":
        return (
            f". What answers there is not {site} as the token knows it: {site} replaced its CA or "
            f"was made again, or another site has its address. At {site}: sitectl token create FILE"
        )
    return f". Is the router of {site} running, and reachable there?"
