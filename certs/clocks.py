"""Clocks that differ, detected by certificates: the difference, and the next step.

Two clocks alone do not show which of them is wrong, and the text does not guess.

Clocks may differ by `limits.BACKDATE_S`: certificates begin that much before they are made.
"""

import ctypes
import datetime
from collections.abc import Sequence

from cryptography import x509

from certs import certificates, limits
from certs.errors import CertError

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronized.
_TIMEX_BYTES = 512  # struct timex is shorter on every machine.
_ADVICE = "Compare `date -u` on both hosts and set the wrong clock right (timedatectl, chronyc)"

_KERNEL = {
    True: "; this host's kernel says that something sets its clock",
    False: "; this host's kernel says that nothing sets its clock",
    None: "",
}


def is_synchronised() -> bool | None:
    """Whether this host's clock is synchronized, according to the kernel; None: unknown.

    Only reads, which needs no privilege (adjtimex(2), mode 0).
    """
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(
            ctypes.create_string_buffer(_TIMEX_BYTES)
        )
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def utc(at: float) -> str:
    """Unix seconds in human-readable form, as in files; ``never`` outside of any calendar."""
    try:
        moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return "never"
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A long duration in its two largest units: ``1 day 2 h``, ``23 h 55 min``, ``40 s``."""
    left = max(0, round(seconds))
    found: list[str] = []
    for size, word in ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, size)
        if number:
            found.append(f"{number} days" if word == "day" and number > 1 else f"{number} {word}")
        elif found:
            break
    return " ".join(found[:2]) or "0 s"


def about(seconds: float) -> str:
    """A duration in one unit, so coarse that a text repeated each minute stays the same."""
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} days"
    if seconds >= 5_400:
        return f"{seconds / 3_600:.0f} h"
    return f"{max(1, round(seconds / 600)) * 10} min"


def _ago(seconds: float) -> str:
    """How long ago, as coarse as `about`."""
    return "less than 10 min ago" if seconds < 600 else f"about {about(seconds)} ago"


def clock_skew_report(chain: Sequence[bytes], now: float, synchronised: bool | None) -> str:
    """The report on a peer's certificates (DER, its leaf first) that are not valid at ``now``.

    Sentences with the next step. ``synchronised`` is `is_synchronised` of this host.
    """
    known = [found for found in map(_read, chain) if found is not None]
    begins = max((one.not_valid_before_utc.timestamp() for one in known), default=now)
    ends = min((one.not_valid_after_utc.timestamp() for one in known), default=now)
    if begins > now:
        return _too_early(begins, now, synchronised)
    if ends < now:
        return _too_late(known[0], ends, now, synchronised)
    return f"the clocks differ. {_ADVICE}"


def old_certificate_report(leaf: bytes | str, now: float, synchronised: bool | None) -> str:
    """The report on a certificate made just now by the peer's clock, but long ago by ours.

    Includes the next step. ``synchronised`` is `is_synchronised` of this host.
    """
    begins = certificates.read(leaf).not_valid_before_utc.timestamp()
    began = _ago(now - begins - limits.BACKDATE_S)
    return (
        f"what it makes begins at {utc(begins)}, {began} by this host's clock, so the "
        f"clocks differ. Either this host's clock is fast or the other's is slow"
        f"{_KERNEL[synchronised]}. {_ADVICE}"
    )


def _too_early(begins: float, now: float, synchronised: bool | None) -> str:
    """The report if the peer's clock was ahead of ours when it made its certificate."""
    differ_s = begins - now + limits.BACKDATE_S
    whose = "Either this host's clock is slow or the other's is, or was, fast"
    return (
        f"the clocks differ by about {about(differ_s)}, or more: the other end's certificate "
        f"begins at {utc(begins)}, and here that is yet to come. {whose}{_KERNEL[synchronised]}. "
        f"{_ADVICE}"
    )


def _too_late(leaf: x509.Certificate, ends: float, now: float, synchronised: bool | None) -> str:
    """The report if our clock is ahead, the peer's is behind, or it never renewed."""
    whose = "Either this host's clock is fast or the other's is slow"
    if certificates.is_for_clients(leaf):  # A link's certificate: its dialer may have been away.
        why = "if that is right, type there: sitectl link renew; if not, the clocks differ"
    else:
        why = "a router renews its own in time, so the clocks differ"
    return (
        f"the other end's certificate ended at {utc(ends)}, {_ago(now - ends)} by this "
        f"host's clock: {why}. {whose}{_KERNEL[synchronised]}. {_ADVICE}"
    )


def _read(certificate: bytes) -> x509.Certificate | None:
    try:
        return certificates.read(certificate)
    except CertError:
        return None
