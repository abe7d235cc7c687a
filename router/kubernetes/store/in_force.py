"""Documents in force of wrong objects, over restarts and at every router.

Each router follows Secret `IN_FORCE_SECRET`; the one that holds the Lease writes it.
"""

import logging
from collections.abc import Mapping

from router.control.acceptance import Acceptance
from router.documents.in_force import InForce
from router.kubernetes.codecs import in_force as codec
from router.kubernetes.codecs.secrets import SecretError
from router.kubernetes.objects.findings import STILL_IN_FORCE
from router.kubernetes.objects.names import IN_FORCE_SECRET
from router.kubernetes.objects.objects import Object, Snapshot
from router.model.errors import ConfigError

log = logging.getLogger("router.kubernetes")


class InForceSecret:
    """The Secret as last seen, and what it should have."""

    def __init__(self) -> None:
        self._seen: Object | None = None
        self._stored: Mapping[str, InForce] = {}
        self.wanted: Mapping[str, InForce] = {}
        """By source, the entries that the Secret should have."""

    def restore(self, acceptance: Acceptance, snapshot: Snapshot) -> None:
        """Restore the documents of objects that are unknown here and the same as in the Secret."""
        found = snapshot.get("Secret", IN_FORCE_SECRET)
        if found is not self._seen:
            self._seen = found
            try:
                self._stored = codec.stored(found)
            except SecretError as error:  # The router that holds the Lease replaces it.
                log.warning("the documents in force of wrong objects are not known: %s", error)
                self._stored = {}
        for source, one in self._stored.items():
            if source not in acceptance.sources and one.digest == codec.digest(snapshot, source):
                acceptance.restore(source, one.documents)

    def keep(self, acceptance: Acceptance, snapshot: Snapshot) -> None:
        """Take the documents in force now; objects that could not be listed keep their entries."""
        kept = {
            source: one
            for source, one in self._stored.items()
            if source.partition("/")[0] in snapshot.missing
        }
        kept |= {
            source: InForce(digest, documents)
            for source, documents in acceptance.in_force().items()
            if (digest := codec.digest(snapshot, source))
        }
        self.wanted = codec.fitting(kept)

    def finding(self, source: str) -> ConfigError:
        """SW0418: a faulty source stays in force; the source's own error has the fault."""
        until, hint = ", also after a restart of the router", "Correct it, as its error says"
        if source not in self.wanted:
            until = f" until the router restarts, since Secret {IN_FORCE_SECRET} has no room for it"
            hint += ", before a router restarts"
        elif self._stored.get(source) != self.wanted[source]:
            until = f" until the router restarts, since Secret {IN_FORCE_SECRET} does not have it"
            hint += ", before a router restarts"
        reason = f"what it said before it was wrong stays in force{until}"
        return ConfigError(source, "", reason, hint=hint, code=STILL_IN_FORCE, severity="warning")
