"""Human-readable times: ISO 8601 in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def iso(moment: datetime, timespec: str = "seconds") -> str:
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def ago(seconds: float) -> str:
    """The time that many seconds before now."""
    return iso(datetime.now(UTC) - timedelta(seconds=seconds))


def utc_of(seconds: float | None) -> str | None:
    return None if seconds is None else iso(datetime.fromtimestamp(seconds, UTC))


def short_time(utc: str, now: str) -> str:
    """An ISO 8601 time: ``19:44:55 UTC``, and with its date where the day of ``now`` is another."""
    day = "" if utc[:10] == now[:10] else f"{utc[:10]} "
    return f"{day}{utc[11:19]} UTC"


def short_times(utc: Callable[[float], str], now: str) -> Callable[[float], str]:
    """`short_time` of moments; ``utc``: ISO 8601 of them."""
    return lambda moment: short_time(utc(moment), now)


def ejected_since(reason: str, utc: str) -> str:
    """``ejected for 32 s since 19:44:55 UTC: a request was reset``: the whole duration alone does
    not say how much is left. It is never long ago, so there is no date. Any other ``reason`` is
    returned unchanged."""
    what, colon, why = reason.partition(": ")
    if not utc or not what.startswith("ejected for "):
        return reason
    return f"{what} since {short_time(utc, utc)}{colon}{why}"
