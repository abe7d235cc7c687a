"""The protocol of a target that does not speak the one of its service, and the flag that fits."""

from typing import Final, Literal

Spoken = Literal["", "HTTP/1", "HTTP/2", "TLS"]
"""Empty: not known."""

NO_TLS: Final = "the other end does not speak TLS"
"""The reason of a handshake that got an answer without TLS."""
LOOKED_AT_BYTES: Final = 16
"""Of an answer; more say no more."""
_FRAME_BYTES: Final = 9
_SETTINGS, _GOAWAY = 4, 7
_ALERT, _HANDSHAKE = 0x15, 0x16
_TLS_MAJOR: Final = 3


def spoken(first: bytes) -> Spoken:
    """The protocol of a server whose ``first`` bytes are these (RFC 9113, 4.1; RFC 8446, 5.1)."""
    if first.startswith(b"HTTP/1"):
        return "HTTP/1"
    if len(first) > 1 and first[0] in (_ALERT, _HANDSHAKE) and first[1] == _TLS_MAJOR:
        return "TLS"
    is_frame = len(first) >= _FRAME_BYTES and not any(first[5:_FRAME_BYTES])
    return "HTTP/2" if is_frame and first[3] in (_SETTINGS, _GOAWAY) else ""


def no_http2(found: Spoken) -> str:
    """Why a connection to a target does not serve that speaks ``found`` instead of HTTP/2."""
    flag = {
        "HTTP/1": ". A service whose targets speak HTTP/1 has --protocol http",
        "TLS": ". A target that speaks TLS is bound with --tls-trust FOLDER",
    }
    return f"does not speak HTTP/2{flag.get(found, '')}"


def of_target(reason: str) -> str:
    """Why a dial to a target failed; if it speaks no TLS, with the flag that it needs."""
    if not reason.endswith(NO_TLS):
        return reason
    return f'{reason}. A target without TLS is bound with --tls-trust ""'


def step(found: Spoken, service: str, protocol: str, declared_at: str, *, by_tls: bool) -> str:
    """The next step for a target that breaks off all requests of ``protocol``; empty: it speaks
    that protocol.

    ``found``: what it was seen to speak. ``declared_at``: the site that alone may change the
    protocol; empty: this one. ``by_tls``: it is reached by TLS already.
    """
    own, other = ("HTTP/2", "HTTP/1") if protocol == "http2" else ("HTTP/1", "HTTP/2")
    if found == own:
        return ""
    where = f"at {declared_at}: " if declared_at else ""
    flag = f"{where}sitectl service set {service} --protocol"
    change = f"{flag} {'http' if other == 'HTTP/1' else 'http2'}"
    trust = (
        f"sitectl service bind {service} TARGETTYPE TARGETNAME --target-port PORT "
        "--tls-trust FOLDER"
    )
    if found == "TLS":
        return f"It speaks TLS: {trust}"
    if found == other:
        return f"It speaks {other}: {change}"
    if by_tls:
        return f"If it speaks {other}: {change}"
    return f"If it speaks TLS: {trust}; if {other}: {change}"
