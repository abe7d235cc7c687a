"""Human-readable times: ISO 8601 in UTC."""

from datetime import UTC, datetime, timedelta


def iso(moment: datetime, timespec: str = "seconds") -> str:
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def ago(seconds: float) -> str:
    """The time that many seconds before now."""
    return iso(datetime.now(UTC) - timedelta(seconds=seconds))


def utc_of(seconds: float | None) -> str | None:
    return None if seconds is None else iso(datetime.fromtimestamp(seconds, UTC))


def time_of_day(utc: str) -> str:
    """The time of day of an ISO 8601 time: ``19:44:55 UTC``."""
    return f"{utc[11:19]} UTC"


def ejected_since(reason: str, utc: str) -> str:
    """``ejected for 32 s since 19:44:55 UTC: a request was reset``: the whole duration alone does
    not say how much is left. Any other ``reason`` is returned unchanged."""
    what, colon, why = reason.partition(": ")
    if not utc or not what.startswith("ejected for "):
        return reason
    return f"{what} since {time_of_day(utc)}{colon}{why}"
