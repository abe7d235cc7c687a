"""What `Links` knows of one neighbour, and how it shows a link."""

from typing import Literal

import msgspec

from router.link.outgoing import LinkErrorCode, LinkState, OutgoingLink
from router.link.ports import Neighbour, OpenRequest, Stream, StreamHandler
from router.link.session import LinkSession


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `link status`. ``since`` is monotonic seconds, ``lanes`` counts data lanes,
    ``streams`` those open now, either way.

    The neighbour's fields are empty until it was up once.
    """

    name: str
    neighbour_name: str
    neighbour_site: str
    neighbour_router: str
    direction: Literal["outgoing", "incoming"]
    cost: int
    state: LinkState
    since: float
    rtt_s: float | None
    lanes: int
    streams: int
    error: str
    error_code: LinkErrorCode
    bytes_in: int
    bytes_out: int


class Adjacency:
    """A router that links lead to, with those that are up, and the cost that was told.

    ``boot`` is its process's life. All sessions are of one life: another one knows nothing of what
    this one was told. ``is_told``: our owner routes by it; not so when all its links drain.
    """

    __slots__ = ("boot", "cost", "is_told", "neighbour", "sessions")

    def __init__(self, neighbour: Neighbour, boot: bytes) -> None:
        self.neighbour = neighbour
        self.boot = boot
        self.sessions: list[LinkSession] = []
        self.cost = 0
        self.is_told = False

    def least_cost(self) -> int | None:
        """Of the links that stay; None: all of them drain."""
        return min((one.cost for one in self.sessions if not one.is_leaving), default=None)

    def open_stream(self, request: OpenRequest, handler: StreamHandler) -> Stream | None:
        """On the least loaded lane of the cheapest link that has room."""
        sessions = self.sessions
        if len(sessions) > 1:
            sessions = sorted(sessions, key=preference)
        for session in sessions:
            lane = session.lane
            stream = lane.open_stream(request, handler) if lane is not None else None
            if stream is not None:
                return stream
        return None


def preference(session: LinkSession) -> tuple[bool, int, int]:
    """What a message or stream takes first: a link that stays, the cheapest, the least loaded."""
    lane = session.lane
    return session.is_leaving, session.cost, lane.stream_count if lane is not None else 0


def outgoing_status(link: OutgoingLink) -> LinkStatus:
    """The line of a link that we dial."""
    line = _status(link.name, link.neighbour, link.session)
    return msgspec.structs.replace(
        line,
        direction="outgoing",
        cost=link.spec.cost,
        state=line.state if line.state == "draining" else link.state,
        since=link.since,
        error=link.error,
        error_code=link.error_code,
        bytes_in=line.bytes_in + link.bytes_in_before,
        bytes_out=line.bytes_out + link.bytes_out_before,
    )


def incoming_status(name: str, session: LinkSession) -> LinkStatus:
    """The line of a link that was accepted and is up."""
    return _status(name, session.neighbour, session)


def _status(name: str, neighbour: Neighbour | None, session: LinkSession | None) -> LinkStatus:
    return LinkStatus(
        name=name,
        neighbour_name=neighbour.name if neighbour else "",
        neighbour_site=neighbour.site if neighbour else "",
        neighbour_router=neighbour.router if neighbour else "",
        direction="incoming",
        cost=session.cost if session else 0,
        state="draining" if session is not None and session.is_draining else "up",
        since=session.up_at or 0.0 if session else 0.0,
        rtt_s=session.rtt_s if session else None,
        lanes=1 if session is not None and session.data_lane is not None else 0,
        streams=session.stream_count if session else 0,
        error="",
        error_code="",
        bytes_in=session.bytes_in if session else 0,
        bytes_out=session.bytes_out if session else 0,
    )
