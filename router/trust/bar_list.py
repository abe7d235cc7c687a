"""Sites that this one bars, on disk: until when their bars are sent to others."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from certs.errors import CertError
from certs.files import read_whole, write_secret
from router.model.events import Tell
from router.model.ids import SiteId
from router.model.limits import BAR_S, BARS_MAX, STATE_FILE_BYTES_MAX
from router.model.unreadable import UNREADABLE_JSON
from router.model.wording.system_errors import text_of
from router.routing.adverts.lsa import Bar
from router.trust.ports import Bars

BARS_FILE = "bars.json"


class _Kept(msgspec.Struct):
    """Unix seconds until which bars are sent, by site: of revoked sites, and of sites whose
    certificates ended."""

    revoked: dict[str, int] = {}
    ended: dict[str, int] = {}


class BarList:
    """The current `Bars`.

    A site is revoked until another token admits it. The list of revoked sites is stored elsewhere;
    this class adds the dates, and starts new ones if its file is lost.
    """

    __slots__ = (
        "_changed",
        "_kept",
        "_path",
        "_revoked",
        "_tell",
        "_unwritten",
        "_wall",
        "_writes",
        "bars",
    )

    def __init__(
        self,
        secrets: Path,
        revoked: Callable[[], frozenset[str]],
        tell: Tell,
        *,
        writes: bool = True,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``revoked``: returns the revoked sites. ``writes``: this process writes the file."""
        self._path = secrets / BARS_FILE
        self._revoked, self._tell = revoked, tell
        self._writes, self._wall = writes, wall
        self._unwritten = ""
        """Why the file is outdated; empty: it is not."""
        self._kept = self._read()
        self.bars = Bars()
        self._changed: Callable[[], None] = lambda: None
        self.look()

    def follow(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when the bars change."""
        self._changed = changed

    def look(self) -> None:
        """Update the bars from the list of revoked sites, and the time."""
        now = int(self._wall())
        revoked, kept = self._revoked(), self._kept
        self._keep(
            _Kept(
                {site: kept.revoked.get(site, now + int(BAR_S)) for site in sorted(revoked)},
                {
                    site: until
                    for site, until in sorted(kept.ended.items())
                    if now < until and site not in revoked
                },
            )
        )
        until = {**self._kept.ended, **self._kept.revoked}
        newest = sorted(until, key=lambda site: (-until[site], site))[:BARS_MAX]
        bars = Bars(
            tuple(Bar(SiteId(site), until[site]) for site in sorted(newest) if now < until[site]),
            frozenset(map(SiteId, revoked)),
        )
        if bars != self.bars:
            self.bars = bars
            self._changed()

    def put_out(self, sites: Collection[SiteId]) -> None:
        """Bar ``sites``: their certificates have ended, or the CA that issued them."""
        if sites:
            until = int(self._wall()) + int(BAR_S)
            self._kept.ended |= dict.fromkeys(sites, until)
            self._save()
            self.look()

    def let_in(self, site: SiteId) -> None:
        """Unbar ``site``: it showed a valid certificate."""
        if self._kept.ended.pop(site, None) is not None:
            self._save()
            self.look()

    def _keep(self, kept: _Kept) -> None:
        if kept != self._kept or self._unwritten:
            self._kept = kept
            self._save()

    def _read(self) -> _Kept:
        try:
            data = read_whole(self._path, STATE_FILE_BYTES_MAX)
            return msgspec.json.decode(data, type=_Kept)
        except FileNotFoundError:
            return _Kept()
        except (OSError, CertError, *UNREADABLE_JSON) as error:
            self._tell_unsaved(f"{self._path} cannot be read: {text_of(error)}")
            return _Kept()

    def _save(self) -> None:
        if not self._writes:
            return
        before = self._unwritten
        try:
            write_secret(self._path, msgspec.json.encode(self._kept))
        except OSError as error:  # The bar counts anyway; after a restart it is sent for longer.
            self._unwritten = f"{self._path}: {error.strerror}"
            if self._unwritten != before:
                self._tell_unsaved(self._unwritten)
        else:
            self._unwritten = ""
            if before:
                text = "Since when sites are barred is kept again."
                self._tell("info", "state-saved", "bars", text)

    def _tell_unsaved(self, reason: str) -> None:
        self._tell(
            "warning",
            "state-unsaved",
            "bars",
            f"Since when sites are barred could not be kept: {reason}. They stay barred.",
            "Free space on that disk and check its permissions; serving goes on",
        )
