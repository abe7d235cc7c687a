"""Sites with a certificate of this site: entries of the register and current links. Deleted sites
hold theirs no more."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from certs import certificates
from certs.ca.rotation import Dialer
from certs.errors import CertError
from certs.joining.claims import Grant
from certs.links.register import Admitted, Register
from router.model import limits
from router.model.rights.sharing import SHORT_ID_CHARS
from router.trust.ports import Dialers


class Holders:
    """The sites for which a rotation of the CA waits. Grants are reread only now and then."""

    __slots__ = ("_granted", "_is_revoked", "_known", "_read_at", "_register")

    def __init__(
        self,
        granted: Callable[[], Sequence[Grant]],
        register: Register,
        is_revoked: Callable[[str, str], bool],
    ) -> None:
        """``granted``: all claims of this site; ``is_revoked``: a serial, or a site's id."""
        self._granted, self._register, self._is_revoked = granted, register, is_revoked
        self._known: tuple[Dialer, ...] = ()
        self._read_at = -math.inf

    def of_now(
        self, linked: Dialers | None, now: float, is_current: Callable[[bytes], bool]
    ) -> tuple[Dialer, ...]:
        """Sorted by site ID, each once; sites of one name with their ID. ``now``: of any clock that
        only goes forward. ``is_current``: see `CaRotation.is_current`."""
        if now - self._read_at >= limits.CA_REGISTER_S:
            self._read_at, self._known = now, self._read()
        holders: dict[str, Dialer] = {}
        for one in self._known:
            known = holders.get(one.site)
            if known is None or one.ends_at > known.ends_at:
                holders[one.site] = one
        for link in linked.dialers() if linked is not None else ():
            site = link.neighbour.site
            known = holders.get(site)
            lags = link.renews and link.certificate != b"" and not is_current(link.certificate)
            holders[site] = Dialer(
                site=site,
                name=link.neighbour.name,
                ends_at=math.inf,
                connected=True,
                renews=link.renews or (known is not None and known.renews),
                lags=lags or (known is not None and known.lags),
            )
        bearers = Counter(one.name for one in holders.values())
        return tuple(
            one
            if bearers[one.name] == 1 or not one.name
            else replace(one, name=f"{one.name}@{site[:SHORT_ID_CHARS]}")
            for site, one in sorted(holders.items())
        )

    def _read(self) -> tuple[Dialer, ...]:
        try:
            entries = {site: self._register.get(site) for site in self._register.sites()}
            found = (*self._registered(entries), *self._redeemed())
        except (CertError, OSError):  # Reported elsewhere; the previous result counts.
            return self._known
        gone = {site for site, entry in entries.items() if entry is not None and entry.is_gone}
        return tuple(one for one in found if one.site not in gone)

    def _registered(self, entries: Mapping[str, Admitted | None]) -> Iterator[Dialer]:
        for site, entry in entries.items():
            if entry is not None and not self._is_revoked("", site):
                yield Dialer(site=site, name=entry.name, ends_at=entry.expires)

    def _redeemed(self) -> Iterator[Dialer]:
        """Sites that never linked since are in no register."""
        for grant in self._granted():
            for use in grant.redeemed if not grant.revoked else ():
                if not self._is_revoked(use.serial, use.site_id):
                    ends_at = certificates.expires_at(use.chain)
                    yield Dialer(site=use.site_id, name=use.site_name, ends_at=ends_at)
