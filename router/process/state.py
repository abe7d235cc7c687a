"""Small facts of a router that survive a restart: its id and epoch, who declared what and when."""

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import NamedTuple, TypeVar

import msgspec

from certs.errors import CertError
from certs.files import lacking, read_whole, write_secret
from router.documents import in_force as stored_documents
from router.documents.in_force import InForce
from router.model import limits
from router.model.errors import ConfigError
from router.model.ids import RouterId, SiteId
from router.model.persisted import HeldListener, KeptOffer, KeptOffers
from router.model.rights.owners import Owner
from router.model.unreadable import UNREADABLE_JSON
from router.node.services.ports import KnownDeclaration, OfferingSite, SharedOwners

ROUTER_ID_BYTES = 8
OWNERS_FILE = "owners.json"
PINS_FILE = "rule-pins.json"
OFFERS_FILE = "known-offers.json"
LISTENERS_FILE = "listeners.json"
LINKS_DOWN_FILE = "links-down.json"
LIFE_FILE = "life.json"
_LIFE = "life"

_Kept = TypeVar("_Kept")


class _State(msgspec.Struct, forbid_unknown_fields=True):
    router_id: str
    epoch: int = 0
    declared: dict[str, float] = {}
    learnt: tuple[KnownDeclaration, ...] = ()
    learnt_at: float = 0.0


class _Room(NamedTuple):
    """The free space of a full disk after a write, and the file that was written."""

    blocks: int
    inodes: int
    file: tuple[int, int]


class FileKeeper:
    """JSON files, each replaced as a whole at each change. Implements `Keeper`.

    Owners of names, sites meant by names in rules, known offers, listeners, links that are down,
    the last life and documents in force of wrong files have their own files, because the previous
    release reads the state file too.
    """

    def __init__(
        self,
        path: Path,
        troubled: Callable[[str], None] = lambda reason: None,
        shared: Path | None = None,
    ) -> None:
        """Read ``path``, or start with a new state if there is none. Raises ConfigError.

        ``shared``: the directory where another process stores files for this one; None: this
        process stores them, next to ``path``.

        ``troubled`` is called with the reason when the file cannot be written, and with an empty
        text when it can be again. Until then changes stay in memory: a full or read-only disk must
        neither end requests in flight, nor keep a host that starts from it from serving.
        """
        self._path, self._owners_path = path, path.with_name(OWNERS_FILE)
        self._troubled = troubled
        self.leads = shared is None
        self._pins_path = (shared or path.parent) / PINS_FILE
        self._offers_path = path.with_name(OFFERS_FILE)
        self._listeners_path = (shared or path.parent) / LISTENERS_FILE
        self._links_down_path = path.with_name(LINKS_DOWN_FILE)
        self._in_force_path = path.with_name(stored_documents.FILE)
        self._life_path = path.with_name(LIFE_FILE)
        self.trouble = ""
        """Why the last change stays in memory; empty: it is written."""
        self._unwritten: set[Path] = set()
        self._tried: _Room | None = None
        state = _read(path, _State)
        self._state = state or _State(router_id=secrets.token_hex(ROUTER_ID_BYTES))
        self.shared_owners: SharedOwners | None = None
        """The owners on which all routers of the site agree; None: each has its own."""
        self._owners: Mapping[str, Owner] = _read(self._owners_path, dict[str, Owner]) or {}
        self._offers: Mapping[str, Sequence[KeptOffer]] | None = _read(
            self._offers_path, KeptOffers
        )
        self._pins: Mapping[str, SiteId] = _read(self._pins_path, dict[str, SiteId]) or {}
        self._listeners: Sequence[HeldListener] = (
            _read(self._listeners_path, tuple[HeldListener, ...]) or ()
        )
        self._links_down: Mapping[str, float] = _read(self._links_down_path, dict[str, float]) or {}
        self._life: Mapping[str, int] = _read(self._life_path, dict[str, int]) or {}
        # None: unknown. The store of wanted state has read the file, and may have found it damaged.
        self._in_force: Mapping[str, InForce] | None = None if self._in_force_path.exists() else {}
        if state is None:
            self._save()

    @property
    def router_id(self) -> RouterId:
        """Random, generated once."""
        return RouterId(self._state.router_id)

    def next_epoch(self) -> int:
        """Greater than any before, and at least the wall clock's seconds; written before use.

        If it cannot be written, the clock makes the next one greater; if the clock was set back,
        the network reports which epoch of ours it knows (`keep_epoch`).
        """
        self._state.epoch = max(self._state.epoch + 1, int(time.time()))
        self._save()
        return self._state.epoch

    def next_life(self) -> int:
        """See `RouterStart.life`; written before use."""
        self._life = {_LIFE: max(self._life.get(_LIFE, 0) + 1, int(time.time()))}
        self._save(self._life_path)
        return self._life[_LIFE]

    def keep_epoch(self, epoch: int) -> None:
        """Store ``epoch`` if it is newer."""
        if epoch > self._state.epoch:
            self._state.epoch = epoch
            self._save()

    def declared_at(self, name: str) -> float:
        """Unix seconds at which ``name`` was first declared here."""
        if name not in self._state.declared:
            self._state.declared[name] = time.time()
            self._save()
        return self._state.declared[name]

    def keep_declared(self, names: frozenset[str]) -> None:
        """These names are declared here now: forget others, add new ones; one write for all."""
        declared = self._state.declared
        new = names - declared.keys()
        if not new and len(declared) == len(names):
            return
        now = time.time()
        kept = {name: at for name, at in declared.items() if name in names}
        self._state.declared = kept | dict.fromkeys(sorted(new), now)
        self._save()

    def keep_learnt(self, learnt: tuple[KnownDeclaration, ...]) -> None:
        """Store the present declarations of other sites."""
        self._state.learnt, self._state.learnt_at = learnt, time.time()
        self._save()

    def learnt(self) -> tuple[KnownDeclaration, ...]:
        """The stored declarations, older by now; none if the clock was set back since."""
        age_s = time.time() - self._state.learnt_at
        if age_s < 0:
            return ()
        return tuple(
            KnownDeclaration(one.declaration, one.lost_for_s + age_s) for one in self._state.learnt
        )

    def keep_owners(self, owners: Mapping[str, Owner]) -> None:
        """Store the present owners of names."""
        self._owners = owners
        self._save(self._owners_path)
        if self.shared_owners is not None:
            self.shared_owners.changed()

    def owners(self) -> Mapping[str, Owner]:
        """The stored owners; with shared ones, those that all agreed on, and changes that this
        router still has to send."""
        shared = self.shared_owners
        return self._owners if shared is None else shared.begin(self._owners)

    def keep_known_offers(self, known: Mapping[str, Sequence[OfferingSite]]) -> None:
        """Store the sites that are known to have targets, by service."""
        now = time.time()
        self._offers = {
            service: tuple(
                one.site if one.new_for_s is None else (one.site, round(now - one.new_for_s, 3))
                for one in offers
            )
            for service, offers in known.items()
        }
        self._save(self._offers_path)

    def known_offers(self) -> Mapping[str, Sequence[OfferingSite]] | None:
        """The stored offers, older by now; None: none were ever stored."""
        if self._offers is None:
            return None
        now = time.time()
        return {
            service: tuple(
                OfferingSite(one)
                if isinstance(one, str)
                else OfferingSite(one[0], max(0, now - one[1]))
                for one in offers
            )
            for service, offers in self._offers.items()
        }

    def keep_listeners(self, held: Sequence[HeldListener]) -> None:
        """Store which ports belong to which services of other sites, if this process leads."""
        if self.leads:
            self._listeners = held
            self._save(self._listeners_path)

    def listeners(self) -> Sequence[HeldListener]:
        """The stored listeners."""
        return self._listeners

    def keep_links_down(self, down_for_s: Mapping[str, float]) -> None:
        """Store how long each dialed link has been down."""
        now = time.time()
        self._links_down = {name: round(now - age, 3) for name, age in down_for_s.items()}
        self._save(self._links_down_path)

    def links_down(self) -> Mapping[str, float]:
        """The stored links, down for longer by now."""
        now = time.time()
        return {name: max(0.0, now - since) for name, since in self._links_down.items()}

    def keep_in_force(self, in_force: Mapping[str, InForce]) -> None:
        """Store the documents in force of wrong files if they changed and this process leads."""
        if self.leads and in_force != self._in_force:
            self._in_force = in_force
            self._save(self._in_force_path)

    def rule_pins(self) -> Mapping[str, SiteId]:
        """The sites that names in rules mean."""
        if not self.leads:
            self._pins = _read(self._pins_path, dict[str, SiteId]) or {}
        return self._pins

    def keep_rule_pins(self, pins: Mapping[str, SiteId]) -> None:
        """Store the pins if they changed and this process leads."""
        if self.leads and pins != self._pins:
            self._pins = dict(pins)
            self._save(self._pins_path)

    def _save(self, path: Path | None = None) -> None:
        self._unwritten.add(path or self._path)
        before, self.trouble = self.trouble, ""
        for one in sorted(self._unwritten):
            try:
                if (kept := self._kept(one)) is None:
                    one.unlink(missing_ok=True)
                else:
                    write_secret(one, msgspec.json.format(msgspec.json.encode(kept)))
                self._unwritten.discard(one)
            except OSError as error:  # The others may be writable.
                self.trouble = self.trouble or f"{one}: {error.strerror}"
        if bool(before) != bool(self.trouble):
            self._troubled(self.trouble)

    def retry(self) -> None:
        """Write the changes that could not be written.

        On a full disk, also write without changes when it has become fuller since the last such
        write: users learn of the fault before it matters.
        """
        if self.trouble:
            self._save()
        elif self._has_less_room():
            self._save()
            self._tried = None if self.trouble else self._room()

    def _has_less_room(self) -> bool:
        """Whether the disk is full, and no write was tried with as little free space as now."""
        try:
            if not lacking(self._path.parent):
                self._tried = None
                return False
        except OSError:
            return True  # A write will report why.
        now, before = self._room(), self._tried
        return (
            before is None
            or now is None
            or now.file != before.file
            or now.blocks < before.blocks
            or now.inodes < before.inodes
        )

    def _room(self) -> _Room | None:
        """None: unreadable."""
        try:
            disk, file = os.statvfs(self._path.parent), os.stat(self._path)
        except OSError:
            return None
        return _Room(disk.f_bfree, disk.f_favail, (file.st_ino, file.st_mtime_ns))

    def _kept(self, path: Path) -> object:
        """The content for that file; None: there should be none."""
        if path == self._owners_path:
            return self._owners
        if path == self._offers_path:
            return self._offers
        if path == self._listeners_path:
            return self._listeners
        if path == self._links_down_path:
            return self._links_down
        if path == self._in_force_path:
            return self._in_force or None
        if path == self._life_path:
            return self._life
        return self._pins if path == self._pins_path else self._state


def _read(path: Path, kind: type[_Kept]) -> _Kept | None:
    try:
        return msgspec.json.decode(read_whole(path, limits.STATE_FILE_BYTES_MAX), type=kind)
    except FileNotFoundError:
        return None
    except CertError as error:  # A pipe would block, a device never ends.
        raise ConfigError(str(path), "$", error.reason, hint=error.hint) from error
    except UNREADABLE_JSON as error:
        raise ConfigError(
            str(path),
            "$",
            f"is not a state file of ours: {error}",
            hint=f"The router can do without it: rm {quote(str(path))}",
        ) from error
