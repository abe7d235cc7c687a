"""Rotation of a site's CA without losing a link: its stored state and the next steps. Pure.

Phases: *announced* (the next CA is made and all dialers learn to trust both; the old CA still
issues), *switched* (the new CA issues and certifies our listener; certificates of the old one still
admit), then the old CA is removed. `CaState` is the whole stored state: the pair that issues, in
``ca.key`` and ``ca.crt`` as always, and the rotation beside it, if one is under way.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from certs import certificates, files, limits
from certs.errors import CertError

Phase = Literal["announced", "switched"]
Step = Literal["wait", "switch", "retire"]


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """The rotation from the CA ``old`` to ``new`` (both PEM). Times are Unix seconds.

    ``key`` is that of ``new`` until it is in ``ca.key``.
    ``taken``: sites known to have completed this phase.
    ``hurried``: the rotation waits for no site that is away; since ``hurried_at``.
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
    """The pair that issues, and its rotation."""

    key_pem: str
    ca_pem: str
    rotation: Rotation | None = None

    def __repr__(self) -> str:
        return f"CaState({self.rotation!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("rotation", self.rotation)]

    @property
    def trusted_pem(self) -> str:
        """All CAs by which this site is known and knows others; the issuing one first."""
        return self.ca_pem + self.other_pem

    @property
    def other_pem(self) -> str:
        """The next or previous CA; empty: there is only one."""
        if self.rotation is None:
            return ""
        is_announced = self.rotation.phase == "announced"
        return self.rotation.new if is_announced else self.rotation.old


class Dialer(msgspec.Struct, frozen=True, kw_only=True):
    """A site with a certificate of ours. ``renews``: it is linked and can renew over the link.

    ``lags``: one of its links, dialed by another of its routers or workers, still shows a
    certificate of before this phase.
    """

    site: str
    name: str
    ends_at: float
    connected: bool = False
    renews: bool = False
    lags: bool = False


class RotationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The next step. ``until``: Unix seconds when the rotation continues without waiting longer."""

    step: Step
    waiting: tuple[Dialer, ...]
    until: float


def whole(state: CaState) -> CaState:
    """``state``, completed after a crash.

    A rotation of another pair than the one that issues is void: the CA was replaced, by
    `sitectl revoke-access` or a restored backup. A rotation that was about to be switched is
    switched.
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
    """Begin a rotation to the pair ``new``; a rotation under way is at most hurried."""
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
    """Record that ``sites`` completed the phase."""
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
    """The old CA is no longer trusted."""
    assert state.rotation is not None and state.rotation.phase == "switched", "it still issues"
    return CaState(state.key_pem, state.ca_pem)


def plan(rotation: Rotation, dialers: Iterable[Dialer], now: float) -> RotationPlan:
    """The next step at ``now``, if ``dialers`` are all holders of a certificate of ours.

    Waits for each until it is known to have completed the phase on all its links, or its
    certificate has ended. A hurried rotation waits only for linked sites that can renew, and only
    briefly: counted from when it was hurried, however long the phase had waited before. After a
    clock was set back, the rotation does not wait longer than the phase may take.
    """
    waiting = tuple(
        one for one in dialers if (one.lags or one.site not in rotation.taken) and now < one.ends_at
    )
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
    """The CAs in ``state`` (PEM), each with its role: ``issuing``, ``next``, ``previous``."""
    issuing = ("issuing", state.ca_pem)
    if state.rotation is None:
        return (issuing,)
    other = "next" if state.rotation.phase == "announced" else "previous"
    return (issuing, (other, state.other_pem))


def next_of(rotation: Rotation | None) -> str:
    """The next step after the phase, human-readable."""
    if rotation is None:
        return "it is replaced by itself when two thirds of its life are over"
    if rotation.phase == "announced":
        return "the next CA issues, and certifies what others see here"
    return "the previous CA is trusted no more"


def knows(state: CaState, known_pem: str) -> bool:
    """Whether a token with the CAs ``known_pem`` trusts this site's current CA."""
    return certificates.read(state.ca_pem) in certificates.read_all(known_pem)


def admits(state: CaState, chain_pem: str) -> bool:
    """Whether a trusted CA issued the certificate. Expiry and revocation are checked elsewhere."""
    trusted = certificates.read_all(state.trusted_pem)
    return certificates.is_issued_by(certificates.read(chain_pem), trusted)


def made_at(ca_pem: str) -> float:
    """When the CA was made; older tokens do not have it."""
    return certificates.begins_at(ca_pem) + limits.BACKDATE_S


def is_due(ca_pem: str, now: float) -> bool:
    """Whether a rotation is due: two thirds of the CA's life are over."""
    return certificates.needs_renewal(ca_pem, now)


def encode(rotation: Rotation) -> bytes:
    """The stored form: equal rotations give equal bytes."""
    return msgspec.json.encode(rotation, order="deterministic")


def decode(data: bytes, source: str) -> Rotation:
    """Decode `encode`'s result; `CertError` naming ``source``: damaged or of a newer version."""
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
