"""Answers claims of other sites, judged here or by the primary store of this site's secrets."""

import time
from collections.abc import Callable
from http import HTTPStatus

from certs.ca.authority import Authority
from certs.joining.claims import Grant
from certs.joining.redeem import ClaimAnswer, ClaimDesk
from router.link.sessions.claims import Answered
from router.model.events import Tell
from router.trust.ca_rotation import CaRotation
from router.trust.ports import ClaimResult, PrimarySecrets
from router.trust.revocations import RevocationList


class ClaimAnswers:
    """A site that redeems a claim gets a certificate, and is readmitted if it was revoked."""

    __slots__ = ("_ca", "_desk", "_judged", "_primary", "_revoking", "_tell")

    def __init__(
        self,
        desk: ClaimDesk,
        ca: CaRotation,
        revoking: RevocationList,
        primary: PrimarySecrets | None,
        tell: Tell,
    ) -> None:
        """``primary`` None: ``desk`` has the grants, and judges."""
        self._desk, self._ca, self._revoking = desk, ca, revoking
        self._primary, self._tell = primary, tell
        self._judged: Callable[[str], None] = lambda name: None

    def follow(self, judged: Callable[[str], None]) -> None:
        """``judged`` is called with a redeemed or refused claim's name, before the event about
        it."""
        self._judged = judged

    def grant(self, name: str) -> Grant | None:
        """The present claim ``name``. Raises CertError if it is damaged."""
        if self._primary is None:
            return self._desk.grant(name)
        return next((one for one in self._primary.granted() if one.name == name), None)

    def use(self, authority: Authority) -> None:
        """Issue by ``authority`` from now on."""
        if self._primary is None:
            self._desk.use(authority)

    def answer(self, name: str, body: bytes, source: str, done: Answered) -> None:
        """See `link.sessions.claims.ClaimJudge`."""
        now = time.time()
        if self._primary is None:
            answer = self._desk.answer(name, body, source, now)
            self._answered(name, source, answer, done)
            return
        request = self._desk.open(body, source, now)
        if isinstance(request, ClaimAnswer):
            self._answered(name, source, request, done)
            return

        def judged(result: ClaimResult) -> None:
            answer = self._desk.close(request, result, source, now)
            self._answered(name, source, answer, done)

        self._primary.redeem(name, request, now, judged)

    def _answered(self, name: str, source: str, answer: ClaimAnswer, done: Answered) -> None:
        is_looked_at = answer.status != HTTPStatus.TOO_MANY_REQUESTS  # These may come in masses.
        if is_looked_at and answer.outcome != "repeated":
            self._judged(name)
        if answer.outcome == "redeemed":
            told = f"Claim {name} was redeemed from {source}, by site {answer.site_id[:8]}."
            self._tell("info", "claim-redeemed", name, told)
            self._ca.given(answer.serial)
            self._revoking.readmit(name, answer.site_id)
        elif answer.outcome != "repeated":
            told, hint = _refused(source, answer)
            self._tell("warning", "claim-refused", name, told, hint)
        done(answer.status, answer.body)


def _refused(source: str, answer: ClaimAnswer) -> tuple[str, str]:
    """The sentence and the next step. A claim that could not be answered stays usable."""
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return (
            f"A claim from {source} could not be answered: {answer.outcome}.",
            "The claim is still good, and the other site asks again: remove the cause",
        )
    told = f"A claim from {source} was refused: {answer.outcome}."
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return told, "The claim is not used up by that, and the other site asks again"
    return told, "Make a new one with: sitectl token create FILE"
