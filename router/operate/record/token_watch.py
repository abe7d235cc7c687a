"""Claim tokens of this site: open, used, expired, revoked; and events about them."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from certs import certificates, clocks
from certs.errors import CertError
from certs.joining.claims import Grant, is_of_old_ca
from certs.limits import BACKDATE_S
from router.admin.client_identity import NOBODY_KNOWN, user
from router.admin.views.live import ClaimedView, TokenView
from router.model import limits
from router.model.ticks import pause_s
from router.operate.record.journal import Journal

log = logging.getLogger("router.operate")

OPEN, USED, EXPIRED, REVOKED, OLD_CA = "open", "used", "expired", "revoked", "old-ca"


class TokenWatch:
    """Reads the grants every `TOKENS_LOOK_S`, in another thread, and stores the result.

    ``directory``: of the grants of a site on this host, which is read only when something in it
    changed; None: they are already in memory. ``grant``: reads one by its name. ``ca_pem``: the CA
    that issues now.
    """

    def __init__(
        self,
        granted: Callable[[], Sequence[Grant]],
        grant: Callable[[str], Grant | None],
        directory: Path | None,
        journal: Journal,
        wall: Callable[[], float] = time.time,
        ca_pem: Callable[[], str] = str,
    ) -> None:
        self._granted, self._grant, self._directory = granted, grant, directory
        self._journal, self._wall, self._ca_pem = journal, wall, ca_pem
        self._grants: dict[str, Grant] | None = None
        self._states: dict[str, str] = {}
        self._early: dict[str, tuple[str, int]] = {}
        """Changes of tokens reported before a look found them (`OPEN`: made), with their expiry."""
        self._stamp = -1

    async def run(self) -> None:
        """Look at the tokens until canceled."""
        while True:
            await self.look()
            now = time.monotonic()
            await asyncio.sleep(pause_s(now, limits.TOKENS_LOOK_S))

    async def look(self) -> None:
        """Read the grants and report changes. A damaged file changes nothing."""
        try:
            if self._directory is None:
                self._take(self._granted())
            elif (stamp := _stamp_of(self._directory)) != self._stamp:
                self._take(await asyncio.to_thread(self._granted))
                self._stamp = stamp
            else:
                self._take(list((self._grants or {}).values()))
        except (CertError, OSError) as error:
            log.debug("tokens could not be read: %s", error)

    def judged(self, name: str) -> None:
        """A claim of token ``name`` was accepted or refused and is about to be reported: first
        report changes that no look has found yet, that it was made or revoked."""
        if self._grants is None:
            return
        try:
            grant = self._grant(name)
        except (CertError, OSError) as error:
            log.debug("a token could not be read: %s", error)
            return
        if grant is None:
            return
        told = self._early[name][0] if name in self._early else self._states.get(name)
        if told is None:
            self._made(grant)
        if grant.revoked and told != REVOKED:
            self._became(grant, REVOKED)
            self._early[name] = (REVOKED, grant.expires_at)
        elif told is None:
            self._early[name] = (OPEN, grant.expires_at)

    def views(self) -> tuple[TokenView, ...]:
        """The known claims, newest first, without secrets."""
        now, ca_pem = self._wall(), self._ca_pem()
        grants = sorted((self._grants or {}).values(), key=lambda one: (-one.made_at, one.name))
        return tuple(_view(grant, now, ca_pem) for grant in grants[: limits.TOKENS_SHOWN_MAX])

    def _take(self, grants: Sequence[Grant]) -> None:
        now = self._wall()
        known = {grant.name: grant for grant in grants}
        before, self._grants = self._grants, known
        states = {name: state_of(grant, now) for name, grant in known.items()}
        last, self._states = self._states, states
        if before is None:
            return  # They were made before this router started.
        for name, state in states.items():
            early = self._early[name][0] if name in self._early else None
            if name not in last and early is None:
                self._made(known[name])
            if state not in (last.get(name, OPEN), early):
                self._became(known[name], state)
        for name in last.keys() - states.keys():
            if last[name] == OPEN:
                self._gone(before[name], now)
        self._early = {
            name: (told, end)
            for name, (told, end) in self._early.items()
            if now < end and (name not in known or (told == REVOKED and states[name] != told))
        }

    def _made(self, grant: Grant) -> None:
        uses = grant.uses_left + len(grant.redeemed)
        life = f"{uses} use{'s' if uses > 1 else ''}, until {clocks.utc(grant.expires_at)}"
        text = f"Token {grant.name} was made: {life}."
        self._journal.audit("token-made", grant.name, text, self._owner(grant.name))

    def _became(self, grant: Grant, state: str) -> None:
        name = grant.name
        if state == REVOKED:
            text = f"Token {name} was revoked: it cannot be used any more."
            self._journal.audit("token-revoked", name, text, self._owner(name))
        elif state == USED:
            self._journal.tell("info", "token-used", name, f"Token {name} has no uses left.")
        elif state == EXPIRED:
            self._expired(grant)

    def _gone(self, grant: Grant, now: float) -> None:
        if now >= grant.expires_at:
            self._expired(grant)
            return
        text = f"Token {grant.name} was deleted: it cannot be used any more."
        self._journal.audit("token-revoked", grant.name, text, NOBODY_KNOWN)

    def _expired(self, grant: Grant) -> None:
        left = grant.uses_left
        uses = f"{left} use{'s' if left > 1 else ''}"
        text = f"Token {grant.name} expired with {uses} left."
        hint = "Make another if it is still wanted: sitectl token create FILE"
        self._journal.tell("info", "token-expired", grant.name, text, hint)

    def _owner(self, name: str) -> str:
        """The owner of its file, named as such: root gives what it makes to the site's owner."""
        if self._directory is None:
            return NOBODY_KNOWN
        file = self._directory / f"{name}.json"
        try:
            return f"{user(os.stat(file).st_uid)}, owner of {self._directory.name}/{file.name}"
        except OSError:
            return NOBODY_KNOWN


def state_of(grant: Grant, now: float, ca_pem: str = "") -> str:
    """The state of a token at ``now`` (Unix seconds) if ``ca_pem`` issues (empty: the CA that
    issued when it was made)."""
    if grant.revoked:
        return REVOKED
    if grant.uses_left < 1:
        return USED
    if now >= grant.expires_at:
        return EXPIRED
    return OLD_CA if ca_pem and is_of_old_ca(grant, ca_pem) else OPEN


def _stamp_of(directory: Path) -> int:
    """A value that changes with each write of a grant, which replaces its file."""
    try:
        return os.stat(directory).st_mtime_ns
    except FileNotFoundError:
        return 0


def _view(grant: Grant, now: float, ca_pem: str) -> TokenView:
    claimed = grant.redeemed[-limits.TOKEN_CLAIMS_SHOWN_MAX :]
    return TokenView(
        name=grant.name,
        state=state_of(grant, now, ca_pem),
        made=clocks.utc(grant.made_at) if grant.made_at else "",
        expires=clocks.utc(grant.expires_at),
        uses_left=max(0, grant.uses_left),
        uses=grant.uses_left + len(grant.redeemed),
        claimed=tuple(
            ClaimedView(site=use.site_name, id=use.site_id, at=_claimed_at(use.chain))
            for use in claimed
        ),
    )


def _claimed_at(chain: str) -> str:
    """When its certificate was issued."""
    try:
        return clocks.utc(certificates.begins_at(chain) + BACKDATE_S)
    except (CertError, ValueError):
        return ""
