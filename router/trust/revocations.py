"""The list of revoked sites and serials, as the rooms of the router read and change it."""

from collections.abc import Callable
from pathlib import Path

from certs.errors import CertError
from certs.links.revocation import Revocation, Revocations
from router.model.events import Problem, Tell
from router.trust.ports import KeptSecrets
from router.trust.unreadable import unreadable


class Revoking:
    """Owns the list in memory."""

    __slots__ = ("_changed", "_kept", "_tell", "_told", "revocations")

    def __init__(self, secrets: Path, kept: KeptSecrets | None, tell: Tell) -> None:
        self.revocations = Revocations(secrets)
        self._kept = kept
        self._tell = tell
        self._told = ""
        self._changed: Callable[[], None] = lambda: None

    def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` after each change that this process made or took up."""
        self._changed = changed

    def is_revoked(self, serial: str, site: str) -> bool:
        """A certificate by its serial, or a site. Raises CertError, OSError: nobody knows."""
        return self.revocations.is_revoked(serial, site)

    def apply(self, revocation: Revocation) -> None:
        """Here at once; elsewhere as soon as that can be. Raises CertError, OSError."""
        self.revocations.apply(revocation)
        self._changed()
        if self._kept is not None:
            self._kept.revoked(revocation)

    def readmit(self, claim: str, site: str) -> None:
        """It has redeemed another claim."""
        try:
            self.apply(Revocation(readmitted=frozenset({site})))
        except (CertError, OSError) as error:  # The claim is spent: its certificate goes out.
            self._tell(
                "error", "not-readmitted", claim, f"Was {site} revoked, it stays so: {error}"
            )

    def problems(self) -> tuple[Problem, ...]:
        """The list cannot be read, so nobody new is let in."""
        if not self._told:
            return ()
        return (unreadable(_message(self._told)),)

    def refresh(self) -> bool | None:
        """Take up what another process wrote: whether it did. None: it cannot be read."""
        try:
            changed = self.revocations.refresh()
        except (CertError, OSError) as error:  # Nobody new is let in until it is mended.
            why = _why(error)
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


def _why(error: CertError | OSError) -> str:
    """Of a file or folder without the right to read it: which one, as the system says it."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _message(why: str) -> str:
    return f"No site may link here: the list of revoked sites cannot be used: {why}."
