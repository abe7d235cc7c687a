"""The rotation of the site's CA: which sites have taken the next one, and when it proceeds.

The secrets directory is authoritative (in a namespace it mirrors the Secret). `sitectl` begins and
hurries a rotation there; this router carries it out.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import msgspec

from certs import certificates, clocks
from certs.ca import rotation
from certs.ca.authority import Authority
from certs.ca.ca_files import CaFiles
from certs.ca.rotation import CaState, Dialer, RotationPlan
from certs.errors import CertError
from router.admin.views.links import SiteName
from router.admin.views.status import CaCertificateView, CaView, CaWaitView
from router.model import limits
from router.model.events import Problem, Tell
from router.model.ids import SiteId
from router.model.wording.system_errors import text_of
from router.trust.ports import PrimarySecrets

Change = Literal["", "rotated", "replaced"]
"""The change of the CA: none, a phase of a rotation, or an immediate replacement."""
_NOT_TAKEN = "The new CA was not taken by"
_STILL_OLD = "A certificate of the old CA is still held by"


class CaRotation:
    """Owns the CA in memory. Raises CertError, naming the file, if there is none to use."""

    def __init__(
        self,
        secrets: Path,
        site_id: str,
        tell: Tell,
        primary: PrimarySecrets | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``clock``: Unix seconds."""
        self._files = CaFiles(secrets)
        self._site_id = site_id
        self._tell = tell
        self._primary = primary
        self._clock = clock
        self._stamp = self._files.stamp()
        self.state = self._files.load()
        """The state on disk."""
        self.authority = Authority.of_state(self.state, str(secrets))
        """The CA that issues now, and all that are trusted."""
        self._given: dict[str, str] = {}  # Serials of certificates, and the CAs sent with them.
        self._taken: set[str] = set()  # Seen here, not stored yet.
        self._current: dict[bytes, None] = {}  # Certificates (DER) shown here: of this phase.
        self._lag_since: dict[str, float] = {}  # Sites that have taken it, when one was first seen.
        self._asked: dict[str, float] = {}  # Sites, and when they were last asked to renew.
        self._proposed_at = 0.0
        self._plan: RotationPlan | None = None
        self._trouble = ""

    # Changes by other processes -------------------------------------------------------------

    def look(self) -> Change:
        """Take up changes of another process. `BlockingIOError`: it is writing, look again soon.

        Raises CertError, OSError: the files cannot be used, so the previous state stays.
        """
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return ""
        state = self._files.load(waits=False)
        self._stamp = stamp
        return self._take_up(state)

    def _take_up(self, state: CaState) -> Change:
        before, self.state = self.state, state
        if state == before:
            return ""
        rotated = before.rotation, state.rotation
        self._taken -= state.rotation.taken if state.rotation else self._taken
        if state.trusted_pem == before.trusted_pem:
            return ""
        self.authority = Authority.of_state(state, self._site_id)
        self._asked.clear()
        self._plan = None
        self._taken.clear()
        self._current.clear()
        self._lag_since.clear()
        known = {before.ca_pem, before.other_pem}
        if state.ca_pem not in known and before.ca_pem not in (state.ca_pem, state.other_pem):
            self._tell(
                "warning",
                "ca-replaced",
                "ca",
                "This site has another CA: every link that others dialed here ends.",
                "New tokens for them: sitectl token create FILE",
            )
            return "replaced"
        self._tell_phase(*rotated)
        return "rotated"

    def _tell_phase(
        self, before: rotation.Rotation | None, after: rotation.Rotation | None
    ) -> None:
        if after is None:
            self._tell("info", "ca-retired", "ca", "The old CA is trusted no more.")
        elif after.phase == "switched":
            self._tell("info", "ca-switched", "ca", "The new CA issues now; both are trusted.")
        elif before is None:
            text = "The CA is being replaced: all who link here receive the new one."
            self._tell("info", "ca-announced", "ca", text)

    # Sites that have taken it ---------------------------------------------------------------

    def cas_for(self, chain_pem: str) -> str:
        """All CAs that are trusted now, to be sent with the certificate ``chain_pem``."""
        self.given(certificates.serial_of(chain_pem))
        return self.authority.trusted_pem

    def given(self, serial: str) -> None:
        """Record that the certificate with that serial is sent with all CAs trusted now."""
        self._given.pop(serial, None)
        self._given[serial] = self.authority.trusted_pem
        if len(self._given) > limits.CA_GIVEN_MAX:
            del self._given[next(iter(self._given))]

    def shown(self, site: SiteId, certificate: bytes) -> None:
        """``site`` proved that it uses ``certificate`` (DER), which shows which CAs it has
        received.
        """
        if self.state.rotation is None:
            return
        if self.state.rotation.phase == "announced":
            told = self._given.get(certificates.serial_of(certificate))
            has_taken = told == self.authority.trusted_pem
        else:
            has_taken = self.authority.issued(certificates.read(certificate))
        if not has_taken:
            return
        self._current.pop(certificate, None)  # The newest is last.
        self._current[certificate] = None
        if len(self._current) > limits.CA_GIVEN_MAX:
            del self._current[next(iter(self._current))]  # Its dialer is asked to renew again.
        if site not in self.state.rotation.taken:
            self._taken.add(site)

    def is_current(self, certificate: bytes) -> bool:
        """Whether ``certificate`` (DER), shown here, was sent in this phase of the rotation."""
        return certificate in self._current

    @property
    def is_under_way(self) -> bool:
        """Whether there are two CAs."""
        return self.state.rotation is not None

    # Proceeding -----------------------------------------------------------------------------

    def step(self, dialers: Iterable[Dialer]) -> tuple[Change, frozenset[SiteId]]:
        """Proceed if it is time. Returns the change, and the sites that must renew their
        certificates now.

        ``dialers``: all holders of our certificates. Never raises: a failed write is a problem,
        and is repeated.
        """
        now = self._clock()
        found = self.state.rotation
        if found is None:
            return self._begin(now), frozenset()
        state = rotation.with_taken(self.state, self._taken)
        assert state.rotation is not None
        taken = state.rotation.taken
        dialers = [self._in_time(one, now) if one.site in taken else one for one in dialers]
        self._plan = plan = rotation.plan(state.rotation, dialers, now)
        if plan.step == "switch":
            self._tell_of_left(plan, _NOT_TAKEN)
            return self._keep(rotation.switched(state, now)), frozenset()
        if plan.step == "retire":
            self._tell_of_left(plan, _STILL_OLD)
            return self._keep(rotation.retired(state)), frozenset()
        if state != self.state:
            self._keep(state)
        return "", self._to_ask(plan, now)

    def _in_time(self, one: Dialer, now: float) -> Dialer:
        """``one``, which has taken the new CA, without its lag once that has lasted for long.

        A worker reads within a second what another one received. A link that lags for longer may
        never renew, or show what another router of this site gave it.
        """
        if not one.lags or abs(now - self._lag_since.setdefault(one.site, now)) < limits.CA_LAG_S:
            return one
        return msgspec.structs.replace(one, lags=False)

    def _begin(self, now: float) -> Change:
        if self.authority.trouble(now) or not rotation.is_due(self.state.ca_pem, now):
            return ""
        made, key_pem = Authority.generate(self._site_id, now)
        new = CaState(key_pem, made.ca_pem)
        return self._keep(rotation.announced(self.state, new, now))

    def _to_ask(self, plan: RotationPlan, now: float) -> frozenset[SiteId]:
        due = [
            SiteId(one.site)
            for one in plan.waiting
            if one.renews and abs(now - self._asked.get(one.site, 0.0)) >= limits.CA_ASK_AGAIN_S
        ]
        asked = frozenset(due[: limits.CA_ASK_MAX])
        self._asked.update(dict.fromkeys(asked, now))
        return asked

    def _keep(self, after: CaState) -> Change:
        """Store ``after``, unless another process was first."""
        try:
            if self._primary is not None:
                now = self._clock()
                if abs(now - self._proposed_at) >= limits.CA_PROPOSE_AGAIN_S:
                    self._proposed_at = now
                    self._primary.keep_ca(self.state, after)  # Comes back through `look`.
                return ""
            if not self._files.change(self.state, after):
                return self.look()
            self._stamp = self._files.stamp()
        except (CertError, OSError) as error:
            if text_of(error) != self._trouble:
                self._tell("error", "ca-not-kept", "ca", f"The new CA waits: {text_of(error)}")
            self._trouble = text_of(error)
            return ""
        self._trouble = ""
        return self._take_up(after)

    def _tell_of_left(self, plan: RotationPlan, what: str) -> None:
        if plan.waiting and self._primary is None:
            self._tell(
                "warning",
                "ca-goes-on",
                "ca",
                f"{what} {_names(plan.waiting)}: the replacement goes on without.",
                "They rejoin by themselves if they can renew, else by a new token: "
                "sitectl token create FILE",
            )

    # Views ----------------------------------------------------------------------------------

    @property
    def plan(self) -> RotationPlan | None:
        """The result of the last `step`; None: there is no rotation, or no step has run yet."""
        return self._plan if self.state.rotation is not None else None

    def view(self) -> CaView:
        """For `sitectl ca status`."""
        found, plan = self.state.rotation, self.plan
        return CaView(
            phase=found.phase if found is not None else "one",
            since=clocks.utc(found.since) if found is not None else None,
            until=clocks.utc(plan.until) if plan is not None else None,
            next=rotation.next_of(found),
            hurried=found is not None and found.hurried,
            certificates=tuple(
                CaCertificateView(
                    role, certificates.fingerprint(pem), clocks.utc(certificates.expires_at(pem))
                )
                for role, pem in rotation.roles(self.state)
            ),
            waiting=tuple(
                CaWaitView(
                    site=SiteName(one.name, one.site), connected=one.connected, renews=one.renews
                )
                for one in (plan.waiting if plan is not None else ())
            ),
        )

    def problems(self) -> tuple[Problem, ...]:
        """A rotation that other sites, or this host, delay for long."""
        found, plan = self.state.rotation, self.plan
        problems = []
        if found is not None and plan is not None and plan.waiting:
            waited_s = self._clock() - found.since
            if waited_s >= limits.CA_STUCK_S:
                doing = _NOT_TAKEN
                if found.phase == "switched":
                    doing = _STILL_OLD
                text = (
                    f"The CA's replacement waits since {clocks.utc(found.since)}: "
                    f"{doing} {_names(plan.waiting)}. It goes on at {clocks.utc(plan.until)}."
                )
                hint = "Start and update those sites, or do not wait: sitectl ca rotate --now"
                problems.append(Problem(code="SW0680", message=text, hint=hint))
        if self._trouble:
            text = f"The site's CA cannot be replaced: {self._trouble}."
            hint = "Free space on that disk and look at its permissions"
            problems.append(Problem(code="SW0681", message=text, hint=hint))
        return tuple(problems)


def _names(waiting: tuple[Dialer, ...]) -> str:
    names = [one.name or one.site for one in waiting]
    shown = ", ".join(names[: limits.CA_NAMES_SHOWN])
    more = len(names) - limits.CA_NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
