"""Follows a rotation of the CA: checks it repeatedly, and carries it on."""

from collections.abc import Callable, Collection

from certs.errors import CertError
from router.model import limits
from router.model.events import Problem, Tell
from router.model.ids import SiteId
from router.model.wording.system_errors import text_of
from router.net.ports import Network
from router.trust.ca_rotation import CaRotation, Change
from router.trust.holders import Holders
from router.trust.ports import Dialers
from router.trust.unreadable import unreadable


class CaFollower:
    """Wakes `CaRotation`, and applies changes of the CA."""

    __slots__ = (
        "_ca",
        "_changed",
        "_dialers",
        "_holders",
        "_is_armed",
        "_network",
        "_put_out",
        "_tell",
        "_told",
    )

    def __init__(
        self,
        ca: CaRotation,
        holders: Holders,
        tell: Tell,
        changed: Callable[[Change], None],
        put_out: Callable[[Collection[SiteId]], None],
    ) -> None:
        """``changed``: all certificates of the previous CA must be renewed, or end. ``put_out``
        receives the sites that lose access by this."""
        self._ca, self._holders, self._tell, self._changed = ca, holders, tell, changed
        self._put_out = put_out
        self._network: Network | None = None
        self._dialers: Dialers | None = None
        self._is_armed = False
        self._told = ""

    def start(self, network: Network, dialers: Dialers | None) -> None:
        """``dialers``: the incoming links that a rotation affects."""
        self._network, self._dialers = network, dialers

    def look(self) -> None:
        """Take up changes of another process."""
        try:
            change = self._ca.look()
        except BlockingIOError:  # It is writing: its change still counts within a second.
            if self._network is not None:
                self._network.call_at(self._network.now() + limits.CA_LOOK_S, self.look)
            return
        except (CertError, OSError) as error:
            if text_of(error) != self._told:
                self._told = text_of(error)
                self._tell("error", "ca-damaged", "ca", self._told)
            return
        if self._told:
            self._told = ""
            self._tell("info", "ca-readable", "ca", "The files of the site's CA are read again.")
        self._follow(change)

    def problems(self) -> tuple[Problem, ...]:
        """A problem if the CA files on disk cannot be used."""
        if not self._told:
            return ()
        message = (
            f"The files of the site's CA cannot be used: {self._told}. The router goes on with "
            "what it has read before."
        )
        return (unreadable(message),)

    def carry_on(self) -> None:
        """Carry on a rotation, if there is one; while it lasts, this repeats soon."""
        assert self._network is not None
        ca, now = self._ca, self._network.now()
        holders = self._holders.of_now(self._dialers, now, ca.is_current) if ca.is_under_way else ()
        change, asked = ca.step(holders)
        self._follow(change)
        if asked and self._dialers is not None:
            self._dialers.tell_renewal_due(lambda one: one.site in asked)
        if self._ca.is_under_way and not self._is_armed:
            self._is_armed = True
            self._network.call_at(self._network.now() + limits.CA_LOOK_S, self._again)

    def _again(self) -> None:
        self._is_armed = False
        self.carry_on()

    def _follow(self, change: Change) -> None:
        if not change:
            return
        self._changed(change)
        if change == "replaced" and self._dialers is not None:
            self._put_out(self._dialers.drop_incoming("the access of all was revoked"))
