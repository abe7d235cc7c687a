"""How a site's CA is replaced without a link lost: what is kept of it, and when it goes on. Pure.

Phases: *announced* (the next CA is made, all who dial here are told to trust both; the old one
still issues), *switched* (the new one issues and certifies our listener; certificates of the old
one still admit), then nothing is left of it. `CaState` is the whole of what is kept: the pair that
issues, in ``ca.key`` and ``ca.crt`` as ever, and the rotation beside it, if one is under way.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from certs import certificates, files, limits
from certs.errors import CertError

Phase = Literal["announced", "switched"]
Step = Literal["wait", "switch", "retire"]


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """From the CA ``old`` to ``new`` (both PEM). Times are Unix seconds.

    ``key`` is that of ``new`` until it is in ``ca.key``. ``taken``: sites that are known to have
    what this phase waits for. ``hurried``: it waits for no site that is away; since ``hurried_at``.
    """

    phase: Phase
    begun: float
    since: float
    old: str
    new: str
    key: str = ""
    taken: frozenset[str] = frozenset()
    hurried: bool = False
    hurried_at: float = 0.0
    version: int = files.STATE_VERSION

    def __repr__(self) -> str:
        return f"Rotation({self.phase!r}, since={self.since})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("phase", self.phase), ("since", self.since)]


class CaState(msgspec.Struct, frozen=True):
    """The pair that issues, and the rotation that it is in."""

    key_pem: str
    ca_pem: str
    rotation: Rotation | None = None

    def __repr__(self) -> str:
        return f"CaState({self.rotation!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("rotation", self.rotation)]

    @property
    def trusted_pem(self) -> str:
        """All CAs that this site is to be known by, and knows others by; the issuing one first."""
        return self.ca_pem + self.other_pem

    @property
    def other_pem(self) -> str:
        """The CA that comes, or the one that goes; empty: there is but one."""
        if self.rotation is None:
            return ""
        is_announced = self.rotation.phase == "announced"
        return self.rotation.new if is_announced else self.rotation.old


class Dialler(msgspec.Struct, frozen=True, kw_only=True):
    """A site with a certificate of ours. ``renews``: it is linked now and takes another over it."""

    site: str
    name: str
    ends_at: float
    connected: bool = False
    renews: bool = False


class RotationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done now. ``until``: when it goes on whoever still waits, Unix seconds."""

    step: Step
    waiting: tuple[Dialler, ...]
    until: float


def whole(state: CaState) -> CaState:
    """``state`` as it is meant, whatever a crash left of it.

    A rotation of another pair than the one that issues is of no use: the CA was replaced
    (`sitectl revoke-access`, a restored backup). One that was about to be switched is switched.
    """
    rotation = state.rotation
    if rotation is None:
        return state
    here = _print(state.ca_pem)
    if rotation.phase == "announced":
        return state if here == _print(rotation.old) else CaState(state.key_pem, state.ca_pem)
    if here not in (_print(rotation.old), _print(rotation.new)):
        return CaState(state.key_pem, state.ca_pem)
    if rotation.key:
        done = msgspec.structs.replace(rotation, key="")
        return CaState(rotation.key, rotation.new, done)
    return state if here == _print(rotation.new) else CaState(state.key_pem, state.ca_pem)


def announced(state: CaState, new: CaState, now: float, *, hurried: bool = False) -> CaState:
    """A rotation to the pair ``new`` begins; one that is under way is only hurried, if at all."""
    if state.rotation is not None:
        if not hurried or state.rotation.hurried:
            return state
        after = msgspec.structs.replace(state.rotation, hurried=True, hurried_at=now)
        return CaState(state.key_pem, state.ca_pem, after)
    rotation = Rotation(
        phase="announced",
        begun=now,
        since=now,
        old=state.ca_pem,
        new=new.ca_pem,
        key=new.key_pem,
        hurried=hurried,
        hurried_at=now if hurried else 0.0,
    )
    return CaState(state.key_pem, state.ca_pem, rotation)


def with_taken(state: CaState, sites: Iterable[str]) -> CaState:
    """These sites have what the phase waits for."""
    rotation = state.rotation
    assert rotation is not None, "no site waits for anything"
    more = rotation.taken | frozenset(sites)
    if more == rotation.taken:
        return state
    return CaState(state.key_pem, state.ca_pem, msgspec.structs.replace(rotation, taken=more))


def switched(state: CaState, now: float) -> CaState:
    """The new CA issues from ``now`` on."""
    rotation = state.rotation
    assert rotation is not None and rotation.phase == "announced", "there is nothing to switch to"
    after = msgspec.structs.replace(
        rotation, phase="switched", since=now, key="", taken=frozenset()
    )
    return CaState(rotation.key, rotation.new, after)


def retired(state: CaState) -> CaState:
    """The old CA is trusted no more."""
    assert state.rotation is not None and state.rotation.phase == "switched", "it still issues"
    return CaState(state.key_pem, state.ca_pem)


def plan(rotation: Rotation, diallers: Iterable[Dialler], now: float) -> RotationPlan:
    """What to do at ``now``, when ``diallers`` are all who hold a certificate of ours.

    Waits for each until it is known to have taken the phase, or its certificate has ended; while
    hurried only for those that are linked and can, and for them not long: from when it was hurried,
    however long the phase has waited before. A clock that was set
    back makes nobody wait for longer than the phase may take.
    """
    waiting = tuple(one for one in diallers if one.site not in rotation.taken and now < one.ends_at)
    hindering = waiting
    until = rotation.since + limits.CA_OVERLAP_S
    if rotation.hurried:
        hindering = tuple(one for one in waiting if one.renews)
        hurried_at = rotation.hurried_at if rotation.hurried_at <= now else 0.0
        until = max(rotation.since, hurried_at) + limits.CA_HURRIED_S
    is_over = not hindering or now >= until or now < rotation.since - limits.CA_OVERLAP_S
    step: Step = "wait"
    if is_over:
        step = "switch" if rotation.phase == "announced" else "retire"
    return RotationPlan(step=step, waiting=waiting, until=until)


def roles(state: CaState) -> tuple[tuple[str, str], ...]:
    """The CAs in ``state`` (PEM), each with what it is: ``issuing``, ``next``, ``previous``."""
    issuing = ("issuing", state.ca_pem)
    if state.rotation is None:
        return (issuing,)
    other = "next" if state.rotation.phase == "announced" else "previous"
    return (issuing, (other, state.other_pem))


def next_of(rotation: Rotation | None) -> str:
    """What happens when the phase is over, for people."""
    if rotation is None:
        return "it is replaced by itself when two thirds of its life are over"
    if rotation.phase == "announced":
        return "the next CA issues, and certifies what others see here"
    return "the previous CA is trusted no more"


def knows(state: CaState, known_pem: str) -> bool:
    """Whether a token that has the CAs ``known_pem`` takes this site for what it is now."""
    return certificates.read(state.ca_pem) in certificates.read_all(known_pem)


def admits(state: CaState, chain_pem: str) -> bool:
    """Whether a CA that counts issued the certificate. Its time and who is revoked: see others."""
    trusted = certificates.read_all(state.trusted_pem)
    return certificates.is_issued_by(certificates.read(chain_pem), trusted)


def made_at(ca_pem: str) -> float:
    """When the CA was made; a token from before does not have it."""
    return certificates.begins_at(ca_pem) + limits.BACKDATE_S


def is_due(ca_pem: str, now: float) -> bool:
    """Whether a rotation begins by itself: two thirds of the CA's life are over."""
    return certificates.needs_renewal(ca_pem, now)


def encode(rotation: Rotation) -> bytes:
    """As it is stored: the same rotation gives the same bytes."""
    return msgspec.json.encode(rotation, order="deterministic")


def decode(data: bytes, source: str) -> Rotation:
    """What `encode` made; `CertError` naming ``source`` if it is damaged or of a newer version."""
    hint = "Restore a backup; without it the rotation of the CA is given up: delete it"
    found = files.decode_state(data, Rotation, source, hint)
    try:
        certificates.read(found.old, source)
        certificates.read(found.new, source)
    except CertError as error:
        raise CertError(source, "is damaged", hint) from error
    return found


def _print(pem: str) -> str:
    return certificates.fingerprint(pem)
