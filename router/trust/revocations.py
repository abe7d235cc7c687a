"""The list of revoked sites and serials, for the rooms of the router."""

from collections.abc import Callable
from pathlib import Path

from certs.errors import CertError
from certs.links.revocation import Revocation, Revocations
from router.model.events import Problem, Tell
from router.model.wording.system_errors import text_of
from router.trust.ports import PrimarySecrets
from router.trust.unreadable import unreadable


class RevocationList:
    """Owns the list in memory."""

    __slots__ = ("_changed", "_primary", "_tell", "_told", "revocations")

    def __init__(self, secrets: Path, primary: PrimarySecrets | None, tell: Tell) -> None:
        self.revocations = Revocations(secrets)
        self._primary = primary
        self._tell = tell
        self._told = ""
        self._changed: Callable[[], None] = lambda: None

    def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` after each change that this process made or took up."""
        self._changed = changed

    def is_revoked(self, serial: str, site: str) -> bool:
        """Whether a certificate, by its serial, or a site is revoked. Raises CertError, OSError:
        unknown.
        """
        return self.revocations.is_revoked(serial, site)

    def apply(self, revocation: Revocation) -> None:
        """Apply a change here at once, and elsewhere as soon as possible. Raises CertError,
        OSError.
        """
        self.revocations.apply(revocation)
        self._changed()
        if self._primary is not None:
            self._primary.revoked(revocation)

    def readmit(self, claim: str, site: str) -> None:
        """Readmit ``site``, which redeemed another claim."""
        try:
            self.apply(Revocation(readmitted=frozenset({site})))
        except (CertError, OSError) as error:  # The claim is spent: its certificate is sent anyway.
            self._tell(
                "error",
                "not-readmitted",
                claim,
                f"Was {site} revoked, it stays so: {text_of(error)}",
            )

    def problems(self) -> tuple[Problem, ...]:
        """A problem if the list cannot be read, so that no further site is admitted."""
        if not self._told:
            return ()
        return (unreadable(_message(self._told)),)

    def refresh(self) -> bool | None:
        """Take up changes of another process: whether there were any. None: the list cannot be
        read.
        """
        try:
            changed = self.revocations.refresh()
        except (CertError, OSError) as error:  # No further site is admitted until that is fixed.
            why = text_of(error)
            if why != self._told:
                self._told = why
                self._tell("error", "revocations-damaged", "revoked.json", _message(why))
            return None
        if self._told:
            self._told = ""
            text = "The list of revoked sites is read again: sites may link here."
            self._tell("info", "revocations-readable", "revoked.json", text)
        if changed:
            self._changed()
        return changed


def _message(why: str) -> str:
    return f"No site may link here: the list of revoked sites cannot be used: {why}."
